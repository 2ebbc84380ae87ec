"""The same code on the embedded store, on the Oxigraph server and on Virtuoso."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat

from support import sparql_servers
from support.paths import ROOT
from tinyc.errors import TinycError
from tinyc.registry.store.base import Limits, Rows, Store, Triples, Truth
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import Addresses, EndpointStore, insert_data
from tinyc.registry.store.errors import LimitReached, SparqlSyntaxError, StoreFailed

pytestmark = pytest.mark.unit

SAMPLE = ROOT / "tests" / "data" / "registry_sample.ttl"
GRAPH = NamedNode("urn:tinyc:graph:test")
PREFIXES = {"tinyc": "urn:tinyc:ns#", "schema": "https://schema.org/"}
# What a careless writer lets out of its place.
HOSTILE = (
    'quote " and \\ backslash',
    "line\nfeed\rreturn\ttab",
    '" . } ; DROP ALL ; INSERT DATA { <urn:a> <urn:b> "',
    "''' \"\"\" $NAME ?x {} <urn:x>",
    "ünïcödé ✓ 𝄞",
)


@pytest.fixture(scope="module", params=["embedded", "oxigraph", "virtuoso"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        with EmbeddedStore(folder / "store") as embedded:
            yield embedded
        return
    if request.param == "oxigraph":
        if sparql_servers.oxigraph_program() is None:
            pytest.skip("no oxigraph server")
        starting = sparql_servers.oxigraph(folder)
    else:
        if sparql_servers.virtuoso_programs() is None:
            pytest.skip("no virtuoso-t and isql-vt")
        starting = sparql_servers.virtuoso(folder)
    with starting as addresses, EndpointStore(addresses, graph=GRAPH) as endpoint:
        yield endpoint


def rows(store: Store, text: str, **more: object) -> list[tuple[object, ...]]:
    answer = store.query(text, prefixes=PREFIXES, **more)  # type: ignore[arg-type]
    assert isinstance(answer, Rows)
    return list(answer.rows)


def insert(store: Store, *triples: tuple[object, object, object]) -> None:
    store.insert(Quad(s, p, o, GRAPH) for s, p, o in triples)  # type: ignore[arg-type]


class TestEveryStore:
    @pytest.fixture(autouse=True)
    def clean(self, store: Store) -> None:
        store.update(f"CLEAR SILENT GRAPH {GRAPH}")
        if isinstance(store, EmbeddedStore):
            store.update("CLEAR ALL")

    def test_sample(self, store: Store) -> None:
        before = store.count()
        store.load(SAMPLE, RdfFormat.TURTLE, graph=GRAPH)
        alone = EmbeddedStore()
        alone.load(SAMPLE, RdfFormat.TURTLE)
        assert store.count() - before == alone.count()
        text = "SELECT ?chip ?name { ?d a tinyc:Device ; tinyc:chip ?chip ; tinyc:board/schema:name ?name }"
        found = rows(store, text + " ORDER BY ?chip")
        assert found == [
            (Literal("1122334455667788"), Literal("nrf52840")),
            (Literal("99aa"), Literal("microbit")),
        ]
        lineage = "SELECT ?a { ?m schema:version '1.1.0' ; <http://www.w3.org/ns/prov#wasDerivedFrom>+ ?a }"
        assert len(rows(store, lineage)) == 2

    def test_forms(self, store: Store) -> None:
        insert(store, (NamedNode("urn:a"), NamedNode("urn:b"), Literal(1)))
        assert store.query("ASK { <urn:a> <urn:b> 1 }") == Truth(True)
        assert store.query("ASK { <urn:a> <urn:b> 2 }") == Truth(False)
        for text in ("CONSTRUCT { ?s <urn:c> ?o } WHERE { ?s <urn:b> ?o }", "DESCRIBE <urn:a>"):
            answer = store.query(text)
            assert isinstance(answer, Triples)
            (triple,) = answer.triples
            assert triple.subject == NamedNode("urn:a") and triple.object == Literal(1)
        assert rows(store, "SELECT ?o ?none { <urn:a> <urn:b> ?o }") == [(Literal(1), None)]

    def test_terms_come_back(self, store: Store) -> None:
        terms = [Literal(text) for text in HOSTILE]
        terms += [Literal("été", language="fr"), Literal(True), Literal(False), Literal(2**40), Literal("")]
        terms += [NamedNode("urn:tinyc:board:a%20b%3E"), Literal("é" * 5000)]  # type: ignore[list-item]
        insert(store, *((NamedNode("urn:a"), NamedNode(f"urn:p:{n}"), term) for n, term in enumerate(terms)))
        found = rows(store, "SELECT ?p ?o { <urn:a> ?p ?o }")
        assert {str(p): o for p, o in found} == {
            str(NamedNode(f"urn:p:{n}")): term for n, term in enumerate(terms)
        }

    def test_blank_nodes_stay_together(self, store: Store) -> None:
        node = BlankNode()
        insert(store, (NamedNode("urn:a"), NamedNode("urn:b"), node), (node, NamedNode("urn:c"), Literal(7)))
        assert rows(store, "SELECT ?n { <urn:a> <urn:b>/<urn:c> ?n }") == [(Literal(7),)]
        literal = '"bnode", "value": "nodeID://x'
        insert(store, (NamedNode("urn:a"), NamedNode("urn:d"), Literal(literal)))
        ((found,),) = rows(store, "SELECT ?n { <urn:a> <urn:b> ?n }")
        assert isinstance(found, BlankNode)
        assert rows(store, "SELECT ?n { <urn:a> <urn:d> ?n }") == [(Literal(literal),)]

    def test_update_replaces(self, store: Store) -> None:
        # Not one DELETE and INSERT with OPTIONAL: where nothing is bound, Virtuoso then inserts nothing
        # either.
        text = (
            f"WITH {GRAPH} DELETE {{ <urn:a> tinyc:n ?o }} WHERE {{ <urn:a> tinyc:n ?o }} ; "
            f"INSERT DATA {{ GRAPH {GRAPH} {{ <urn:a> tinyc:n $N }} }}"
        )
        for count in range(3):
            store.update(text.replace("$N", str(count)), prefixes=PREFIXES)
        assert rows(store, "SELECT ?o { <urn:a> tinyc:n ?o }") == [(Literal(2),)]

    def test_default_graph(self, store: Store) -> None:
        store.update("INSERT DATA { <urn:a> <urn:default> 1 }")
        assert rows(store, "SELECT ?o { <urn:a> <urn:default> ?o }") == [(Literal(1),)]
        store.update("DELETE WHERE { <urn:a> <urn:default> ?o }")
        assert rows(store, "SELECT ?o { <urn:a> <urn:default> ?o }") == []

    def test_union(self, store: Store) -> None:
        other = NamedNode("urn:tinyc:graph:other")
        insert(store, (NamedNode("urn:a"), NamedNode("urn:u"), Literal(1)))
        store.insert([Quad(NamedNode("urn:a"), NamedNode("urn:u"), Literal(2), other)])
        found = rows(store, "SELECT ?o { <urn:a> <urn:u> ?o } ORDER BY ?o")
        store.update(f"CLEAR GRAPH {other}")
        assert found == [(Literal(1),), (Literal(2),)]

    def test_syntax_error(self, store: Store) -> None:
        with pytest.raises(SparqlSyntaxError) as caught:
            store.query("SELECT * {\n  ?s tinyc:chip ?p .\n  FILTR(?x)\n}", prefixes=PREFIXES)
        assert (caught.value.line, caught.value.column) == (3, 3)
        assert caught.value.excerpt == "      FILTR(?x)\n      ^"
        with pytest.raises(SparqlSyntaxError) as caught:
            store.update("INSERT DATA { <urn:a> tinyc:chip }", prefixes=PREFIXES)
        assert (caught.value.line, caught.value.column) == (1, 34)

    def test_undeclared_prefix(self, store: Store) -> None:
        with pytest.raises(SparqlSyntaxError, match="nowhere:x") as caught:
            store.query("SELECT * { ?s nowhere:x ?o }", prefixes=PREFIXES)
        assert (caught.value.line, caught.value.column) == (1, 15)

    def test_rows_limit(self, store: Store) -> None:
        insert(store, *((NamedNode("urn:a"), NamedNode("urn:b"), Literal(n)) for n in range(30)))
        text = "SELECT ?o { <urn:a> <urn:b> ?o }"
        got = []
        answer = store.query(text, limits=Limits(rows=10))
        assert isinstance(answer, Rows)
        with pytest.raises(LimitReached):
            got.extend(answer.rows)
        assert len(got) == 10
        assert len(rows(store, text, limits=Limits(rows=30))) == 30

    def test_time_limit(self, store: Store) -> None:
        insert(store, *((NamedNode(f"urn:{n}"), NamedNode("urn:b"), Literal(n % 7)) for n in range(300)))
        names = [f"?{a} <urn:b> ?{a}o" for a in "abcdef"]
        # Virtuoso's planner sees through a bare count: the sum keeps it busy.
        text = f"SELECT (SUM(?ao + ?bo * ?co + ?do * ?eo + ?fo) AS ?n) {{ {' . '.join(names)} }}"
        started = time.monotonic()
        with pytest.raises(LimitReached, match=r"more than 0.7 s"):
            rows(store, text, limits=Limits(seconds=0.7))
        assert time.monotonic() - started < 10

    def test_many_rows(self, store: Store) -> None:
        insert(store, *((NamedNode(f"urn:x:{n}"), NamedNode("urn:b"), Literal(n)) for n in range(1500)))
        found = rows(store, "SELECT ?o { ?s <urn:b> ?o }")
        assert {row[0] for row in found} == {Literal(n) for n in range(1500)}
        if isinstance(store, EndpointStore):
            paged = list(store.pages("SELECT ?s ?o { ?s <urn:b> ?o }", "?s", size=400))
            assert len(paged) == len(set(paged)) == 1500

    def test_rdflib(self, store: Store) -> None:
        insert(store, (NamedNode("urn:a"), NamedNode("urn:r"), Literal("x")))
        dataset = store.as_rdflib()  # type: ignore[attr-defined]
        found = list(dataset.query(f"SELECT ?o FROM {GRAPH} {{ <urn:a> <urn:r> ?o }}"))
        assert [str(row[0]) for row in found] == ["x"]
        dataset.update(f"INSERT DATA {{ GRAPH {GRAPH} {{ <urn:a> <urn:r> 'y' }} }}")
        dataset.commit()
        assert {row[0] for row in rows(store, "SELECT ?o { <urn:a> <urn:r> ?o }")} == {
            Literal("x"),
            Literal("y"),
        }

    def test_bad_file(self, store: Store, tmp_path: Path) -> None:
        bad = tmp_path / "bad.ttl"
        bad.write_text("<urn:a> <urn:b> <urn:c> .\n<urn:a> <urn:b> .\n")
        with pytest.raises(StoreFailed):
            store.load(bad, RdfFormat.TURTLE, graph=GRAPH)


def test_insert_data_is_one_graph_each() -> None:
    quads = [Quad(NamedNode("urn:a"), NamedNode("urn:b"), Literal(HOSTILE[2]), GRAPH)]
    alone = EmbeddedStore()
    alone.update(insert_data(quads, None))
    assert alone.count() == 1
    assert rows(alone, "SELECT ?o { GRAPH ?g { ?s ?p ?o } }") == [(Literal(HOSTILE[2]),)]


Respond = Callable[[http.server.BaseHTTPRequestHandler], None]


class TestFaultyEndpoint:
    """What a broken or a strange server does."""

    @pytest.fixture
    def serve(self, request: pytest.FixtureRequest) -> Callable[[Respond], EndpointStore]:
        def start(respond: Respond) -> EndpointStore:
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_POST(self) -> None:
                    self.rfile.read(int(self.headers["Content-Length"]))
                    respond(self)

                def log_message(self, *_: object) -> None:
                    pass

            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            store = EndpointStore(Addresses.of(f"http://127.0.0.1:{server.server_port}/sparql"))

            def stop() -> None:
                store.close()
                server.shutdown()
                server.server_close()

            request.addfinalizer(stop)
            return store

        return start

    @staticmethod
    def answer(status: int, kind: str, body: bytes, *, claim: int | None = None) -> Respond:
        def respond(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body) if claim is None else claim))
            handler.end_headers()
            handler.wfile.write(body)

        return respond

    def test_down(self) -> None:
        store = EndpointStore(Addresses.of(f"http://127.0.0.1:{sparql_servers.free_port()}/sparql"))
        with pytest.raises(StoreFailed, match="cannot be reached") as caught:
            store.query("ASK {}")
        assert "is it running" in caught.value.hint
        with pytest.raises(StoreFailed, match="cannot be reached"):
            store.update("INSERT DATA { <urn:a> <urn:b> 1 }")
        store.close()

    @pytest.mark.parametrize("url", ["", "ftp://x/sparql", "/folder", "http://", "localhost:7878"])
    def test_no_address(self, url: str) -> None:
        with pytest.raises(StoreFailed, match="no address"):
            Addresses.of(url)

    @pytest.mark.parametrize(
        ("status", "words"),
        [(500, "out of order"), (401, "refuses"), (404, "no endpoint"), (413, "answers 413")],
    )
    def test_status(self, serve: Callable[[Respond], EndpointStore], status: int, words: str) -> None:
        store = serve(self.answer(status, "text/plain", b"out of order"))
        for act in (lambda: store.query("ASK {}"), lambda: store.update("CLEAR ALL")):
            with pytest.raises(StoreFailed, match=words) as caught:
                act()
            assert "out of order" in str(caught.value)

    def test_a_page_instead_of_an_answer(self, serve: Callable[[Respond], EndpointStore]) -> None:
        store = serve(self.answer(200, "text/html", b"<html>welcome</html>"))
        with pytest.raises(StoreFailed, match="text/html"):
            store.query("ASK {}")

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"garbage", b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":']
    )
    def test_nonsense(self, serve: Callable[[Respond], EndpointStore], body: bytes) -> None:
        store = serve(self.answer(200, "application/sparql-results+json", body))
        with pytest.raises(StoreFailed, match="cannot be read"):
            rows(store, "SELECT ?a {}")

    def test_cut_off(self, serve: Callable[[Respond], EndpointStore]) -> None:
        part = b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":{"type":"literal","value":"1"}},'
        store = serve(self.answer(200, "application/sparql-results+json", part, claim=5000))
        with pytest.raises(StoreFailed, match="cut off"):
            rows(store, "SELECT ?a {}")

    def test_capped_by_the_server(self, serve: Callable[[Respond], EndpointStore]) -> None:
        def respond(handler: http.server.BaseHTTPRequestHandler) -> None:
            body = b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":{"type":"literal","value":"1"}}]}}'
            handler.send_response(200)
            handler.send_header("Content-Type", "application/sparql-results+json")
            handler.send_header("X-SPARQL-MaxRows", "1")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        with pytest.raises(LimitReached, match="at most 1 rows"):
            rows(serve(respond), "SELECT ?a {}")

    def test_silent(self, serve: Callable[[Respond], EndpointStore]) -> None:
        store = serve(lambda handler: time.sleep(3))
        with pytest.raises(LimitReached, match=r"more than 0.3 s"):
            store.query("ASK {}", limits=Limits(seconds=0.3))

    def test_queries_are_tried_again_and_updates_are_not(
        self, serve: Callable[[Respond], EndpointStore]
    ) -> None:
        asked = []

        def respond(handler: http.server.BaseHTTPRequestHandler) -> None:
            asked.append(handler.path)
            if len(asked) < 3:
                self.answer(503, "text/plain", b"later")(handler)
            else:
                self.answer(200, "application/sparql-results+json", b'{"head":{},"boolean":true}')(handler)

        store = serve(respond)
        assert store.query("ASK {}") == Truth(True)
        assert len(asked) == 3
        asked.clear()
        with pytest.raises(TinycError, match="later"):
            store.update("CLEAR ALL")
        assert len(asked) == 1
