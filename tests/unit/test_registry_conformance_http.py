"""The W3C's tests of SPARQL 1.1 through the registry's own endpoint, before each store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import sparql_servers, w3c_sparql
from support.registry_http import before
from tinyc.registry.store.base import Store
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import EndpointStore

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(not w3c_sparql.ARCHIVE.exists(), reason="no archive of the W3C's tests"),
]
REFUSED = {"update-silent/load-into-silent", "update-silent/load-silent"}
"""What the endpoint refuses on purpose: LOAD, even where it may fail silently."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with w3c_sparql.unpacked() as place:
        yield place


def failures(store: Store, folder: Path) -> set[str]:
    outcomes = w3c_sparql.run_all(w3c_sparql.Runner(folder, store), w3c_sparql.cases(folder))
    return {each.case.id for each in outcomes if each.reason}


def test_the_embedded_store_behind_it(folder: Path) -> None:
    with before(EmbeddedStore(), checked=False) as there:
        assert failures(there, folder) - REFUSED == failures(EmbeddedStore(), folder)


@pytest.mark.skipif(sparql_servers.oxigraph_program() is None, reason="no oxigraph server")
def test_oxigraphs_server_behind_it(folder: Path, tmp_path: Path) -> None:
    with sparql_servers.oxigraph(tmp_path) as addresses, EndpointStore(addresses) as store:
        with before(store, checked=False) as there:
            through = failures(there, folder)
        assert through - REFUSED == failures(store, folder)


def test_the_check_of_updates_hinders_none(folder: Path) -> None:
    """No shape is about what the W3C's tests write, so that each passes as without the check."""
    chosen = [case for case in w3c_sparql.cases(folder) if "Update" in case.type]
    with before(EmbeddedStore()) as there:
        outcomes = w3c_sparql.run_all(w3c_sparql.Runner(folder, there), chosen)
    assert {each.case.id for each in outcomes if each.reason} == REFUSED
    assert len(outcomes) == 149
