"""The registry behind a URL: the same facts on Oxigraph's server and on Virtuoso as in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyoxigraph import NamedNode

from support import sparql_servers
from support.command_line import tinyc
from support.registry_facts import BOARD, CHIP, UNKNOWN, board, deployment, every_kind, firmware, model
from tinyc.registry import names, reading
from tinyc.registry.pages import device_page, model_page
from tinyc.registry.recorder import record
from tinyc.registry.registry import Refused, Registry
from tinyc.registry.statistics import statistics
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import Addresses, EndpointStore

pytestmark = pytest.mark.unit

GRAPH = NamedNode("urn:tinyc:graph:facts")
DEVICE = names.device(BOARD, CHIP)


@pytest.fixture(scope="module", params=["oxigraph", "virtuoso"])
def addresses(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Addresses]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "oxigraph":
        if sparql_servers.oxigraph_program() is None:
            pytest.skip("no oxigraph server")
        starting = sparql_servers.oxigraph(folder)
    else:
        if sparql_servers.virtuoso_programs() is None:
            pytest.skip("no virtuoso-t and isql-vt")
        starting = sparql_servers.virtuoso(folder)
    with starting as found:
        yield found


@pytest.fixture
def registry(addresses: Addresses) -> Iterator[Registry]:
    with EndpointStore(addresses, graph=GRAPH) as store:
        store.update(f"CLEAR SILENT GRAPH {GRAPH}")
        yield Registry(store, GRAPH)


def everything(registry: Registry) -> set[tuple[str, str, str]]:
    """All triples as plain text; servers give times and booleans back in forms of their own."""
    query = "SELECT ?s ?p ?o WHERE { GRAPH $graph { ?s ?p ?o } }"
    forms = {"1": "true", "0": "false"}
    found = set()
    for triple in reading.rows(registry.store, query, graph=GRAPH):
        subject, predicate, value = map(reading.text_of, triple)
        if predicate.endswith(("#signed", "#verified", "#recalled")):
            value = forms.get(value, value)
        found.add((subject, predicate, value.replace("+00:00", "Z")))
    return found


def test_facts_do_the_same_as_in_a_folder(registry: Registry) -> None:
    alone = Registry(EmbeddedStore(), GRAPH)
    for fact in every_kind():
        for _ in range(2):
            registry.apply(fact, live=False)
            alone.apply(fact, live=False)
        assert everything(registry) == everything(alone), fact.kind
    assert replace(device_page(registry.store, DEVICE)) == device_page(alone.store, DEVICE)
    first, second = (model_page(one.store, model().model.iri) for one in (registry, alone))
    assert first == second
    told, expected = statistics(registry.store).things, statistics(alone.store).things
    assert {**told, "triples": 0} == {**expected, "triples": 0}


def test_the_newest_deployment_is_current(registry: Registry) -> None:
    registry.apply_all((board(), model(), firmware()))
    for hours, identity in ((3, UNKNOWN), (1, "e" * 64), (2, "f" * 64)):
        registry.apply(deployment(hours, identity), live=False)
    current = reading.current(registry.store, DEVICE)
    assert current is not None and current.firmware == names.firmware(UNKNOWN)
    assert registry.apply(deployment(2.5)).notes
    current = reading.current(registry.store, DEVICE)
    assert current is not None and current.firmware == firmware().iri
    with pytest.raises(Refused):
        registry.apply(replace(deployment(9), firmware="short"))


def test_from_the_command_line_and_after_an_outage(
    addresses: Addresses, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert everything(registry) == set()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYC_REGISTRY")
    config = '[registry]\nat = "{url}"\ngraph = "urn:tinyc:graph:facts"\n'
    down = "http://127.0.0.1:9/query"
    (tmp_path / "tinyc.toml").write_text(config.format(url=down), encoding="utf-8")
    build = tmp_path / "build" / "nrf52840"
    (note,) = record(build, [board(), model(), firmware(), deployment(1)]).notes
    assert "the journal keeps it" in note
    said = tinyc("registry", "stats")
    assert said.code == 1 and "127.0.0.1:9" in said.stderr

    (tmp_path / "tinyc.toml").write_text(config.format(url=addresses.query), encoding="utf-8")
    said = tinyc("registry", "init", "--json")
    assert said.code == 0, said.stderr
    said = tinyc("registry", "sync", "--port", "/dev/nowhere", "--json")
    assert (said.code, said.json["replayed"]) == (0, 4), said.stderr
    page = tinyc("registry", "show", CHIP, "--json").json
    assert [row["current"] for row in page["deployments"]] == [True]
    assert tinyc("registry", "show", CHIP, "--url", addresses.query, "--json").json == page
