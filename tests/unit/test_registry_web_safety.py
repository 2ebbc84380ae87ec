"""What the registry's server refuses: each is tried on a real one."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pyoxigraph import Literal, NamedNode, Quad

from support.registry_http import serving
from tinyc.errors import TinycError
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.web.outward import refused
from tinyc.registry.web.settings import names_of
from tinyc.registry.web.token import token_of

pytestmark = pytest.mark.unit

TOKEN = "a-token-of-the-test"
WRITE = "INSERT DATA { <urn:new> <urn:p> 1 }"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    store = EmbeddedStore()
    store.insert([Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal("1"))])
    with serving(
        store, seconds=None, token=TOKEN, body=100_000, body_seconds=1.0, header_seconds=1.0
    ) as client:
        yield client


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """A server that must not be asked: its URL, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()


def there(client: httpx.Client, iri: str) -> bool:
    truth: bool = client.get("/sparql", params={"query": f"ASK {{ <{iri}> ?p ?o }}"}).json()["boolean"]
    return truth


# Asking other hosts, reading files

SERVICES = [
    "SELECT * { SERVICE <URL> { ?s ?p ?o } }",
    "select*{service<URL>{?s ?p ?o}}",
    "SELECT * { SERVICE SILENT <URL> { ?s ?p ?o } }",
    "PREFIX x: <URL> SELECT * { SERVICE x: { ?s ?p ?o } }",
    "SELECT * { BIND(<URL> AS ?x) SERVICE ?x { ?s ?p ?o } }",
    "SELECT * { BIND(<URL> AS ?x·y) SERVICE ?x·y { ?s ?p ?o } }",
    "SELECT * { SERVICE # here\n # and here\n <URL> # {\n { ?s ?p ?o } }",
    "SELECT * { SERVICE " + "#\n" * 200 + "<URL> { ?s ?p ?o } }",
    "SELECT * { SERVICE <URL> #" + "x" * 1000 + "\n{ ?s ?p ?o } }",
    "SELECT * { ?s ?p true SERVICE <URL> { ?s ?p ?o } }",
    "SELECT * { ?s ?p 1SERVICE <URL> { ?s ?p ?o } }",
    "SELECT * { FILTER(1<'x>') SERVICE <URL> { ?s ?p ?o } FILTER(1<'x>') }",
    "SELECT * { ?s ?p ?o { SELECT * { SERVICE <URL> { ?s ?p ?o } } } }",
    "ASK { FILTER EXISTS { SERVICE <URL> { ?s ?p ?o } } }",
    r"SELECT * { \u0053ERVICE <URL> { ?s ?p ?o } }",
    "CONSTRUCT { ?s ?p ?o } WHERE { SERVICE <URL> { ?s ?p ?o } }",
]


@pytest.mark.parametrize("query", SERVICES)
def test_service_is_refused(client: httpx.Client, canary: tuple[str, list[str]], query: str) -> None:
    url, asked = canary
    text = query.replace("URL", url)
    for response in (
        client.get("/sparql", params={"query": text}),
        client.post("/sparql", data={"query": text}),
        client.post("/sparql", content=text.encode(), headers={"content-type": "application/sparql-query"}),
    ):
        assert response.status_code == 403 and "SERVICE" in response.text
    assert not asked


LOADS = [
    "LOAD <URL>",
    "load silent <URL>",
    "LOAD <URL> INTO GRAPH <urn:g>",
    "PREFIX x: <URL> LOAD x:",
    "INSERT DATA { <urn:a> <urn:b> 1 };LOAD <URL>",
    "# harmless\nLOAD# really\n<URL>",
    "BASE <URL>LOAD <>",
    r"\u004CO\u0041D <URL>",
    "INSERT { ?s ?p ?o } WHERE { SERVICE <URL> { ?s ?p ?o } }",
]


@pytest.mark.parametrize("update", LOADS)
def test_load_is_refused(client: httpx.Client, canary: tuple[str, list[str]], update: str) -> None:
    url, asked = canary
    for target in (url, "file:///etc/passwd"):
        text = update.replace("URL", target)
        for path in ("/update", "/sparql"):
            response = client.post(path, data={"update": text}, headers=AUTHORIZED)
            assert response.status_code == 403, response.text
    assert not asked and not there(client, "urn:a")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ?service ?x { ?service ?p ?x }",
        "SELECT * { ?s <urn:service> 'customer service' ; <urn:p> \"load <this>\" }",
        "PREFIX service: <urn:x> SELECT * { ?s service:load ?o . }",
        "SELECT (1 AS ?services) {}",
        "SELECT * { ?s ?p ?o FILTER(?o != 'a self-service desk') }",
    ],
)
def test_the_words_alone_are_harmless(client: httpx.Client, query: str) -> None:
    assert client.get("/sparql", params={"query": query}).status_code == 200


@pytest.mark.parametrize(
    "hard",
    [
        "SERVICE",
        "SERVICE#",
        "#SERVICE\n",
        "SERVICE<",
        "LOAD #",
        " LOAD\n#\n",
        "SERVICE a:b#",
        r"\u0053ERVICE ",
    ],
)
def test_the_search_for_them_takes_no_time(hard: str) -> None:
    start = time.process_time()
    refused(hard * (1_000_000 // len(hard)), update=True)
    # A search that takes quadratic time would need minutes.
    assert time.process_time() - start < 5


# Writing


def test_writes_need_the_token(client: httpx.Client) -> None:
    for headers in (
        {},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": "Bearer"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer ünï".encode().decode("latin-1")},
        {"cookie": f"token={TOKEN}"},
    ):
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        response = client.post("/update", data={"update": WRITE}, headers=encoded)
        assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer"
    with_token = client.post("/update", params={"token": TOKEN}, data={"update": WRITE, "token": TOKEN})
    assert with_token.status_code == 401
    assert client.get("/update", params={"update": WRITE}, headers=AUTHORIZED).status_code == 405
    assert not there(client, "urn:new")


def test_writes_with_the_token(client: httpx.Client) -> None:
    assert client.post("/update", data={"update": WRITE}, headers=AUTHORIZED).status_code == 204
    assert there(client, "urn:new")
    raw = {**AUTHORIZED, "content-type": "application/sparql-update"}
    gone = client.post("/update", content="DELETE DATA { <urn:new> <urn:p> 1 }", headers=raw)
    assert gone.status_code == 204 and not there(client, "urn:new")
    wrong = client.post("/update", content="INSERT DATA {\n nothing }", headers=raw)
    assert wrong.status_code == 400 and wrong.text.startswith("line 2, column")
    assert client.post("/update", content="x", headers=AUTHORIZED).status_code == 415
    assert client.post("/update", data={"query": "ASK {}"}, headers=AUTHORIZED).status_code == 400
    using = client.post("/update", data={"update": WRITE, "using-graph-uri": "urn:g"}, headers=AUTHORIZED)
    assert using.status_code == 400


def test_without_a_token_nothing_is_written() -> None:
    store = EmbeddedStore()
    with serving(store, seconds=None) as client:
        for headers in ({}, {"authorization": "Bearer"}, {"authorization": "Bearer None"}):
            response = client.post("/update", data={"update": WRITE}, headers=headers)
            assert response.status_code == 403 and "--write-token-file" in response.text
        assert client.post("/sparql", data={"query": WRITE}).status_code == 400
    assert store.count() == 0


def test_the_token_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token, made = token_of(path)
    assert made and len(token) >= 40 and path.stat().st_mode & 0o777 == 0o600
    assert token_of(path) == (token, False)
    path.chmod(0o640)
    with pytest.raises(TinycError, match="others may read"):
        token_of(path)
    path.chmod(0o600)
    for content in ("", "short", "two words are no token at all"):
        path.write_text(content)
        with pytest.raises(TinycError, match="no token"):
            token_of(path)
    with pytest.raises(TinycError, match="No such file"):
        token_of(tmp_path / "none" / "token")


# Pages of other sites


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example:80",
        "0.0.0.0",
        "[::2]",
        "user@localhost",
        "localhost/..",
        "",
        "127.0.0.1:port",
        "2130706433",
        "192.168.0.1",
    ],
)
def test_foreign_names_are_refused(client: httpx.Client, host: str) -> None:
    for path in ("/", "/sparql", "/api/stats", "/static/app.js"):
        assert client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:80"])
def test_own_names_are_known(client: httpx.Client, host: str) -> None:
    assert client.get("/api/stats", headers={"host": host}).status_code == 200


def test_a_server_for_others_is_called_by_address_or_name() -> None:
    hosts, numbers = names_of("0.0.0.0", ("Fleet.example",))
    with serving(EmbeddedStore(), seconds=None, hosts=hosts, numbers=numbers) as client:
        for known in (
            "192.168.0.1",
            "[fe80::1]:8080",
            "fleet.example:8080",
            "localhost",
            socket.gethostname(),
        ):
            assert client.get("/api/stats", headers={"host": known}).status_code == 200, known
        assert client.get("/api/stats", headers={"host": "evil.example"}).status_code == 421


def test_requests_of_other_pages_are_refused(client: httpx.Client) -> None:
    own = str(client.base_url).rstrip("/")
    for origin in (
        "https://evil.example",
        "null",
        own + "1",
        "http://localhost",
    ):
        for send in (
            lambda o: client.get("/sparql", params={"query": "ASK {}"}, headers={"origin": o}),
            lambda o: client.post("/update", data={"update": WRITE}, headers={**AUTHORIZED, "origin": o}),
            lambda o: client.options(
                "/update", headers={"origin": o, "access-control-request-method": "POST"}
            ),
        ):
            response = send(origin)
            assert response.status_code == 403
            assert not [name for name in response.headers if name.startswith("access-control")]
    for same in (own, own.replace("http:", "https:")):
        assert client.get("/sparql?query=ASK{}", headers={"origin": same}).status_code == 200
    cross = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/sparql?query=ASK{}", headers=cross).status_code == 403
    assert client.get("/static/app.js", headers=cross).status_code == 403
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    assert client.get("/sparql?query=ASK{}", headers=link).status_code == 403
    assert not there(client, "urn:new")


def test_what_browsers_are_told(client: httpx.Client) -> None:
    for path in ("/", "/api/stats", "/sparql?query=x", "/none", "/static/app.js", "/api/none"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
        assert scripts == "script-src 'self'"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers and "set-cookie" not in headers


# Files


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/%2e%2e%2f%2e%2e%2fapp.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/....//app.py",
        "/static/..%5capp.py",
        "/static/app.js%00.css",
        "/../../../../etc/passwd",
        "/static/",
        "/static/vendor",
        "/static/~root",
    ],
)
def test_only_the_pages_files_are_served(client: httpx.Client, path: str) -> None:
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port), timeout=5) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split()[1] in (b"404", b"400"), answer[:200]
    assert b"root:" not in answer and b"import" not in answer


# Size and patience


def test_huge_requests_are_refused(client: httpx.Client) -> None:
    big = b"x" * 200_000
    assert client.post("/update", content=big, headers=AUTHORIZED).status_code == 413
    assert client.post("/sparql", content=big).status_code == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 5000

    kind = {**AUTHORIZED, "content-type": "application/sparql-update"}
    assert client.post("/update", content=chunks(), headers=kind).status_code == 413
    assert client.get("/api/stats").status_code == 200


def test_slow_requests_are_ended(client: httpx.Client) -> None:
    host, port = client.base_url.host, client.base_url.port or 80
    start = time.monotonic()
    heads = (
        b"",
        b"GET / HTTP/1.1\r\nHost: localh",
        b"POST /sparql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sparql-query\r\n"
        b"Content-Length: 100\r\n\r\nASK",
        b"GET /api/about HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP",
    )
    sockets = [socket.create_connection((host, port), timeout=20) for _ in heads]
    for raw, head in zip(sockets, heads, strict=True):
        raw.sendall(head)
    answers = [b"".join(iter(lambda raw=raw: raw.recv(65536), b"")) for raw in sockets]  # type: ignore[misc]
    for raw in sockets:
        raw.close()
    assert time.monotonic() - start < 15
    assert answers[2].startswith(b"HTTP/1.1 408")


def test_many_connections_do_not_stop_it() -> None:
    with serving(EmbeddedStore(), seconds=None, connections=20, header_seconds=1.0) as client:
        host, port = client.base_url.host, client.base_url.port or 80
        idle = [socket.create_connection((host, port), timeout=5) for _ in range(60)]
        assert client.get("/api/about").status_code == 503
        deadline = time.monotonic() + 20
        while client.get("/api/about").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        for raw in idle:
            raw.close()


def test_a_client_that_does_not_read_is_let_go() -> None:
    store = EmbeddedStore()
    text = "x" * 10_000
    store.insert(Quad(NamedNode(f"urn:s{n}"), NamedNode("urn:p"), Literal(text)) for n in range(3000))
    # There is room for one connection beside the one that asks.
    with serving(store, seconds=None, body_seconds=2.0, connections=2) as client:
        host, port = client.base_url.host, client.base_url.port or 80
        with socket.create_connection((host, port), timeout=20) as raw:
            raw.sendall(b"GET /sparql?query=SELECT*%7B?s?p?o%7D HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.recv(12) == b"HTTP/1.1 200"
            assert client.get("/api/about").status_code == 503
            deadline = time.monotonic() + 20
            while client.get("/api/about").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.2)
