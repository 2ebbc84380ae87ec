"""The W3C's tests of SPARQL 1.1: what passes stays so, and what fails is known."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import sparql_servers, w3c_causes, w3c_sparql
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import EndpointStore

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(not w3c_sparql.ARCHIVE.exists(), reason="no archive of the W3C's tests"),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with w3c_sparql.unpacked() as place:
        yield place


def failures(outcomes: list[w3c_sparql.Outcome]) -> set[str]:
    return {each.case.id for each in outcomes if each.reason}


def test_the_tests_are_all_there(folder: Path) -> None:
    kinds = [case.kind for case in w3c_sparql.cases(folder)]
    assert (kinds.count("query"), kinds.count("update"), kinds.count("syntax")) == (235, 94, 166)
    assert sum(w3c_sparql.left_out(folder).values()) == 80


def test_embedded(folder: Path) -> None:
    outcomes = w3c_sparql.run_all(w3c_sparql.Runner(folder, EmbeddedStore()), w3c_sparql.cases(folder))
    assert failures(outcomes) == set(w3c_causes.OXIGRAPH)


@pytest.mark.skipif(sparql_servers.oxigraph_program() is None, reason="no oxigraph server")
def test_oxigraph_server(folder: Path) -> None:
    chosen = w3c_sparql.cases(folder)
    with (
        tempfile.TemporaryDirectory() as place,
        sparql_servers.oxigraph(Path(place)) as addresses,
        EndpointStore(addresses) as store,
    ):
        outcomes = w3c_sparql.run_all(w3c_sparql.Runner(folder, store), chosen)
    assert failures(outcomes) == set(w3c_causes.OXIGRAPH)


def test_runner_tells_wrong_from_right(folder: Path) -> None:
    """A store that answers wrongly must fail: one that drops rows, and one that ignores updates."""

    class Forgetful(EmbeddedStore):
        def update(self, text: str, **more: object) -> None:
            if text.startswith("DROP"):
                super().update(text)

    outcomes = w3c_sparql.run_all(
        w3c_sparql.Runner(folder, Forgetful()), w3c_sparql.cases(folder, groups={"add", "delete-insert"})
    )
    evaluated = [each for each in outcomes if each.case.kind == "update"]
    assert len(evaluated) == 17
    assert sum(bool(each.reason) for each in evaluated) >= 12
