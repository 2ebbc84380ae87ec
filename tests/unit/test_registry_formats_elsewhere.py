"""Imports and exports give the same on servers of others as on the embedded store."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyoxigraph import NamedNode, Quad

from support import sparql_servers
from support.registry_sample import BOARD, DEVICE, MODEL, SAMPLE, TUNED, quads_in
from tinyc.registry.formats.exporting import MAKERS, export
from tinyc.registry.formats.importing import import_all
from tinyc.registry.formats.reader import find
from tinyc.registry.formats.thing_files import parse_json
from tinyc.registry.store.base import Store
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import EndpointStore

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 1, tzinfo=UTC)
GRAPH = NamedNode("urn:tinyc:graph:facts")
DESCRIBED = """
@prefix s3n: <http://w3id.org/s3n/> . @prefix ssn: <http://www.w3.org/ns/ssn/> .
@prefix sys: <http://www.w3.org/ns/ssn/systems/> . @prefix schema: <https://schema.org/> .
@prefix om: <http://www.ontology-of-units-of-measure.org/resource/om-2/> .
@prefix ex: <https://w3id.org/tinyml-schema/neural-network-schema/s3n_extend/> .
<urn:x:lab/kit-001-002> a s3n:SmartSensor ; ssn:hasSubSystem [ a s3n:MicroController ;
  s3n:hasSystemCapability [ sys:hasSystemProperty
    [ a ex:Flash ; schema:value 100 ; schema:unitCode om:kilobyte ] ,
    [ a ex:RAM ; schema:value 20 ; schema:unitCode om:kilobyte ] ] ] .
"""
THING = {"@context": "https://www.w3.org/2022/wot/td/v1.1", "id": "urn:dev:1", "title": 'a "lamp"'}


@pytest.fixture(scope="module", params=["oxigraph", "virtuoso"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "oxigraph":
        if sparql_servers.oxigraph_program() is None:
            pytest.skip("no oxigraph server")
        starting = sparql_servers.oxigraph(folder)
    else:
        if sparql_servers.virtuoso_programs() is None:
            pytest.skip("no virtuoso-t and isql-vt")
        starting = sparql_servers.virtuoso(folder)
    with starting as addresses, EndpointStore(addresses, graph=GRAPH) as endpoint:
        _fill(endpoint, folder)
        yield endpoint


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore() as store:
        _fill(store, tmp_path_factory.mktemp("embedded"))
        yield store


def _fill(store: Store, folder: Path) -> None:
    (folder / "kit.ttl").write_text(DESCRIBED)
    (folder / "lamp.json").write_text(json.dumps(THING))
    for _ in range(2):
        done = import_all(
            store, [str(SAMPLE), str(folder / "kit.ttl"), str(folder / "lamp.json")], now=NOW, facts=GRAPH
        )
        assert (done.models, done.devices) == (0, 1)


def text_of(store: Store, name: str, iri: NamedNode | None) -> bytes:
    out = io.BytesIO()
    export(store, name, iri, out, NOW)
    return out.getvalue()


def test_what_was_imported_is_the_same(server: Store, embedded: EmbeddedStore) -> None:
    def named(store: Store) -> set[Quad]:
        """Without blank nodes, which are IRIs on servers."""
        found = quads_in(store)  # type: ignore[arg-type]
        words = ("_:", "urn:tinyc:blank:")
        return {quad for quad in found if not any(word in f"{quad.subject} {quad.object}" for word in words)}

    # A server of another maker may have graphs of its own: its own settings, no facts.
    graphs = {quad.graph_name for quad in named(embedded)}
    there = {quad for quad in named(server) if quad.graph_name in graphs}
    assert there == named(embedded) and len(there) > 150
    assert not [quad for quad in named(server) if "tinyc" in str(quad.subject) and quad not in there]


def test_every_format_is_the_same(server: Store, embedded: EmbeddedStore) -> None:
    things = {"td": [DEVICE], "tm": [BOARD], "mlbom": [MODEL, DEVICE], "spdx": [TUNED], "model-card": [MODEL]}
    assert set(things) == set(MAKERS)
    for name, iris in things.items():
        for iri in iris:
            assert text_of(server, name, iri) == text_of(embedded, name, iri)
    assert text_of(server, "turtle", DEVICE) == text_of(embedded, "turtle", DEVICE)
    lists = [parse_json(text_of(store, "td", None), "") for store in (server, embedded)]
    assert sorted(each["id"] for each in lists[0]) == sorted(each["id"] for each in lists[1])


def test_things_are_found_by_name(server: Store) -> None:
    assert find(server, "keyword_spotting") == TUNED
    assert find(server, "keyword_spotting@1.0.0") == MODEL
    assert find(server, "1122334455667788") == DEVICE
    assert find(server, "microbit") == BOARD
    assert find(server, "c" * 12).value.startswith("urn:tinyc:firmware:c")
