"""Named queries and the audit give the same answers on Oxigraph's server and on Virtuoso as in a folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat

from support import sparql_servers
from support.registry_mutations import SAMPLE, sample
from support.registry_parameters import needed
from tinyc.registry.lookup import resolve
from tinyc.registry.queries import NamedQuery, named_queries
from tinyc.registry.shapes import audit
from tinyc.registry.store.base import Rows, Store, Term
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import EndpointStore
from tinyc.registry.vocabulary import TINYC, XSD

pytestmark = pytest.mark.unit

GRAPH = NamedNode("urn:tinyc:graph:facts")


@pytest.fixture(scope="module")
def here() -> EmbeddedStore:
    store = EmbeddedStore()
    store.load(SAMPLE, RdfFormat.TURTLE)
    return store


@pytest.fixture(scope="module", params=["oxigraph", "virtuoso"])
def there(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EndpointStore]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "oxigraph":
        if sparql_servers.oxigraph_program() is None:
            pytest.skip("no oxigraph server")
        starting = sparql_servers.oxigraph(folder)
    else:
        if sparql_servers.virtuoso_programs() is None:
            pytest.skip("no virtuoso-t and isql-vt")
        starting = sparql_servers.virtuoso(folder)
    with starting as addresses, EndpointStore(addresses, graph=GRAPH) as store:
        store.insert(Quad(each.subject, each.predicate, each.object, GRAPH) for each in sample())
        yield store


def plain(term: Term | None) -> str:
    """A value without what servers write in forms of their own."""
    text = "" if term is None else str(getattr(term, "value", term))
    if isinstance(term, Literal):
        if term.datatype in (XSD.decimal, XSD.double, XSD.float, XSD.integer):
            return f"{float(text):g}"
        if term.datatype == XSD.boolean:
            return {"1": "true", "0": "false"}.get(text, text)
    return text.replace("+00:00", "Z")


def answer(query: NamedQuery, store: Store) -> list[tuple[str, ...]]:
    found = store.query(query.bind(**resolve(query, needed(query), store)))
    assert isinstance(found, Rows)
    return sorted(tuple(map(plain, row)) for row in found.rows)


@pytest.mark.parametrize("query", named_queries().values(), ids=named_queries())
def test_a_named_query_answers_alike(query: NamedQuery, here: EmbeddedStore, there: EndpointStore) -> None:
    assert answer(query, there) == answer(query, here)


def test_the_audit_finds_the_same(here: EmbeddedStore, there: EndpointStore) -> None:
    assert [each.message for each in audit(there)] == [each.message for each in audit(here)] == []
    wrong = Quad(
        NamedNode("urn:tinyc:deployment:d0000000000000000000000000000001"),
        TINYC.verified,
        Literal("maybe"),
        GRAPH,
    )
    nobody = Quad(NamedNode("urn:tinyc:device:x:1"), TINYC.board, NamedNode("urn:tinyc:nobody"), GRAPH)
    kind = Quad(
        nobody.subject, NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"), TINYC.Device, GRAPH
    )
    there.insert([wrong, nobody, kind])
    try:
        found = {(each.node.value, each.constraint) for each in audit(there)}
    finally:
        there.update(
            f"DELETE DATA {{ GRAPH {GRAPH} {{ {wrong.triple} . {nobody.triple} . {kind.triple} }} }}"
        )
    assert found == {
        (wrong.subject.value, "maxCount"),
        (wrong.subject.value, "datatype"),
        (nobody.subject.value, "minCount"),
        (nobody.subject.value, "class"),
    }
