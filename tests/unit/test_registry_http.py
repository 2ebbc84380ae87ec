"""The SPARQL 1.1 protocol and the JSON view of the registry, asked over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, parse

from support import registry_fleet, sparql_servers
from support.registry_http import before, serving
from tinyc.registry import queries
from tinyc.registry.heartbeats import Heartbeat, Heartbeats
from tinyc.registry.store.base import quads
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import EndpointStore
from tinyc.registry.web.app import ROUTES

pytestmark = pytest.mark.unit

FORM = "application/x-www-form-urlencoded"
JSON = "application/sparql-results+json"
DEVICES = 300


@pytest.fixture(scope="module")
def store() -> Iterator[EmbeddedStore]:
    store = EmbeddedStore()
    store.insert([*parse(path=str(registry_fleet.SAMPLE)), *registry_fleet.quads(DEVICES)])
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(store: EmbeddedStore) -> Iterator[httpx.Client]:
    with serving(store, seconds=None) as client:
        yield client


@pytest.fixture(scope="module")
def graphs() -> Iterator[httpx.Client]:
    """One triple in the default graph, one in each of two others."""
    store = EmbeddedStore()
    p = NamedNode("urn:p")
    places = (DefaultGraph(), NamedNode("urn:g1"), NamedNode("urn:g2"))
    store.insert([Quad(NamedNode(f"urn:s{n}"), p, Literal(n), graph) for n, graph in enumerate(places)])
    with serving(store, seconds=None, token="a-token-of-the-test") as client:
        yield client


def subjects(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return sorted(row["s"]["value"] for row in response.json()["results"]["bindings"])


ALL = "SELECT ?s { ?s ?p ?o }"


# The protocol


@pytest.mark.parametrize(
    "send",
    [
        lambda c, q: c.get("/sparql", params={"query": q}),
        lambda c, q: c.post("/sparql", data={"query": q}),
        lambda c, q: c.post("/sparql", content=q, headers={"content-type": "application/sparql-query"}),
        lambda c, q: c.post(
            "/sparql", content=q, headers={"content-type": "application/sparql-query; charset=UTF-8"}
        ),
    ],
)
def test_a_query_comes_in_three_ways(graphs: httpx.Client, send: object) -> None:
    response = send(graphs, ALL)  # type: ignore[operator]
    assert response.headers["content-type"] == JSON
    assert subjects(response) == ["urn:s0"]


def test_the_graphs_of_a_query(graphs: httpx.Client) -> None:
    def ask(query: str = ALL, **parameters: object) -> list[str]:
        return subjects(graphs.get("/sparql", params={"query": query, **parameters}))  # type: ignore[arg-type]

    assert ask() == ask(**{"union-default-graph": "false"}) == ["urn:s0"]
    assert ask(**{"union-default-graph": "true"}) == ["urn:s0", "urn:s1", "urn:s2"]
    assert ask(**{"union-default-graph": ""}) == ["urn:s0", "urn:s1", "urn:s2"]
    assert ask(**{"default-graph-uri": "urn:g1"}) == ["urn:s1"]
    assert ask(**{"default-graph-uri": ["urn:g1", "urn:g2"]}) == ["urn:s1", "urn:s2"]
    named = "SELECT ?s { GRAPH ?g { ?s ?p ?o } }"
    assert ask(named) == ["urn:s1", "urn:s2"]
    assert ask(named, **{"named-graph-uri": "urn:g2"}) == ["urn:s2"]
    body = graphs.post("/sparql", data={"query": ALL, "default-graph-uri": "urn:g2"})
    assert subjects(body) == ["urn:s2"]
    raw = graphs.post(
        "/sparql",
        params={"default-graph-uri": "urn:g2"},
        content=ALL,
        headers={"content-type": "application/sparql-query"},
    )
    assert subjects(raw) == ["urn:s2"]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", JSON),
        ("application/json", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/tab-separated-values", "text/tab-separated-values; charset=utf-8"),
        ("application/sparql-results+xml", "application/sparql-results+xml"),
        ("text/html, text/csv;q=0.5, application/sparql-results+json;q=0.9", JSON),
        ("text/*", "text/csv; charset=utf-8"),
        (f"*/*, {JSON};q=0", "application/json"),
    ],
)
def test_rows_in_what_the_client_takes(graphs: httpx.Client, accept: str, media: str) -> None:
    response = graphs.get("/sparql", params={"query": ALL}, headers={"accept": accept})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media
    assert response.headers["vary"] == "accept"


@pytest.mark.parametrize(
    ("media", "format"),
    [
        ("text/turtle", RdfFormat.TURTLE),
        ("application/n-triples", RdfFormat.N_TRIPLES),
        ("application/rdf+xml", RdfFormat.RDF_XML),
        ("application/ld+json", RdfFormat.JSON_LD),
    ],
)
def test_triples_in_what_the_client_takes(graphs: httpx.Client, media: str, format: RdfFormat) -> None:
    query = "CONSTRUCT { ?s <urn:of#q> ?o } WHERE { ?s ?p ?o }"
    response = graphs.get("/sparql", params={"query": query}, headers={"accept": media})
    assert response.headers["content-type"].split(";")[0] == media
    assert len(list(parse(response.content, format))) == 1


def test_a_truth(graphs: httpx.Client) -> None:
    assert graphs.get("/sparql", params={"query": "ASK {}"}).json()["boolean"] is True
    assert graphs.get("/sparql", params={"query": "ASK { ?s <urn:no> ?o }"}).json()["boolean"] is False
    refused = graphs.get("/sparql", params={"query": "ASK {}"}, headers={"accept": "text/csv"})
    assert refused.status_code == 406 and JSON in refused.text


def test_what_is_no_query(graphs: httpx.Client) -> None:
    def status(response: httpx.Response, wanted: int) -> str:
        assert response.status_code == wanted, response.text
        return response.text

    bad = status(graphs.get("/sparql", params={"query": "SELECT *\n{ ?s ?p }"}), 400)
    assert bad.startswith("line 2, column")
    status(graphs.get("/sparql?query=ASK{}&query=ASK{}"), 400)
    status(graphs.post("/sparql", data={"update": "CLEAR ALL"}), 401)
    status(graphs.post("/sparql", data={"other": "CLEAR ALL"}), 400)
    status(graphs.get("/sparql", params={"query": "INSERT DATA { <urn:a> <urn:b> 1 }"}), 400)
    status(graphs.get("/sparql", params={"query": ALL, "default-graph-uri": "no iri> }"}), 400)
    status(graphs.get("/sparql", params={"query": ALL, "union-default-graph": "maybe"}), 400)
    status(graphs.get("/sparql?query=%ff"), 400)
    status(graphs.post("/sparql", content=b"\xff", headers={"content-type": "application/sparql-query"}), 400)
    status(graphs.post("/sparql", content="ASK {}", headers={"content-type": "text/plain"}), 415)
    latin = {"content-type": "application/sparql-query; charset=latin-1"}
    status(graphs.post("/sparql", content="ASK {}", headers=latin), 415)
    status(graphs.get("/sparql", params={"query": ALL}, headers={"accept": "image/png"}), 406)
    put = graphs.put("/sparql", content="ASK {}")
    status(put, 405)
    assert "GET" in put.headers["allow"]
    status(graphs.get("/sparql?" + "&".join(["a=b"] * 200)), 400)


def test_the_service_describes_itself(graphs: httpx.Client) -> None:
    response = graphs.get("/sparql")
    assert response.headers["content-type"] == "text/turtle; charset=utf-8"
    described = {
        (q.predicate.value.rpartition("#")[2], str(q.object))
        for q in parse(response.content, RdfFormat.TURTLE)
    }
    assert ("endpoint", f"<{graphs.base_url}sparql>") in described
    assert (
        "supportedLanguage",
        "<http://www.w3.org/ns/sparql-service-description#SPARQL11Query>",
    ) in described
    page = graphs.get("/sparql", headers={"accept": "text/html"})
    assert page.status_code == 303 and page.headers["location"] == "/#/query"


def test_whole_graphs(graphs: httpx.Client) -> None:
    def triples(**which: str) -> list[str]:
        response = graphs.get("/graphs", params=which, headers={"accept": "application/n-triples"})
        assert response.status_code == 200, response.text
        return [str(quad.subject) for quad in parse(response.content, RdfFormat.N_TRIPLES)]

    assert triples(default="") == ["<urn:s0>"]
    assert triples(graph="urn:g1") == ["<urn:s1>"]
    assert graphs.head("/graphs", params={"graph": "urn:g1"}).status_code == 200
    assert graphs.get("/graphs", params={"graph": "urn:none"}).status_code == 404
    assert graphs.get("/graphs").status_code == 400
    assert graphs.put("/graphs", params={"graph": "urn:g1"}, content="").status_code == 405


def test_a_long_answer_is_cut_and_says_so(store: EmbeddedStore) -> None:
    with serving(store, seconds=None, rows=10) as client:
        cut = client.get("/sparql", params={"query": ALL})
        assert cut.headers["tinyc-truncated"] == "rows=10"
        assert len(subjects(cut)) == 10
        whole = client.get("/sparql", params={"query": f"{ALL} LIMIT 10"})
        assert "tinyc-truncated" not in whole.headers and len(subjects(whole)) == 10
        graph = client.get("/sparql", params={"query": "CONSTRUCT WHERE { ?s ?p ?o }"})
        assert graph.headers["tinyc-truncated"] == "rows=10"
        assert len(list(parse(graph.content, RdfFormat.TURTLE))) == 10


def test_a_query_without_an_end_is_stopped(store: EmbeddedStore) -> None:
    endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
    with serving(store, seconds=1.0) as client:
        stopped = client.get("/sparql", params={"query": endless})
        assert stopped.status_code == 503 and "1 s" in stopped.text
        assert client.get("/sparql", params={"query": "ASK {}"}).json()["boolean"] is True


# The JSON view


def test_pages_hold_every_device_once(client: httpx.Client) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/api/devices", params={"limit": 70, "cursor": cursor}).json()
        assert len(page["devices"]) <= 70
        seen += [device["iri"] for device in page["devices"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == DEVICES + 2
    assert seen == sorted(seen)


def test_a_fleet_too_large_to_sort_has_pages_too(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinyc.registry.web.fleet._SORTED", 10)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/api/devices", params={"limit": 70, "cursor": cursor}).json()
        seen += [device["iri"] for device in page["devices"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == DEVICES + 2


def every(client: httpx.Client, **filters: str) -> list[dict[str, object]]:
    answer = client.get("/api/devices", params={"limit": 500, "total": 1, **filters}).json()
    assert answer["total"] == len(answer["devices"])
    found: list[dict[str, object]] = answer["devices"]
    return found


def test_filters_choose_what_a_look_at_all_devices_chooses(client: httpx.Client) -> None:
    fleet = every(client)
    checks = {
        ("board", "microbit"): lambda d: d["board"]["name"] == "microbit",
        ("site", "Lager Süd"): lambda d: d["site"] == "Lager Süd",
        ("model", "sine"): lambda d: d["model"] and d["model"]["name"] == "sine",
        ("version", "1.0.0"): lambda d: d["model"] and d["model"]["version"] == "1.0.0",
        ("drift", "drifted"): lambda d: d["drift"] == "drifted",
        ("state", "missing"): lambda d: d["missing_since"] is not None,
        ("state", "present"): lambda d: d["missing_since"] is None,
        ("state", "verified"): lambda d: d["verified"] is True,
        ("state", "unverified"): lambda d: d["verified"] is False,
        ("state", "unknown"): lambda d: not d["firmware"]["known"],
        ("text", "LAGER sine"): lambda d: (
            d["site"] == "Lager Süd" and d["model"] and d["model"]["name"] == "sine"
        ),
        ("text", "99aa"): lambda d: "99aa" in d["chip"],
    }
    for (name, value), wanted in checks.items():
        chosen = [device["iri"] for device in every(client, **{name: value})]
        assert chosen == [d["iri"] for d in fleet if wanted(d)], (name, value)  # type: ignore[no-untyped-call]
        assert chosen, f"nothing to see with {name}={value}"
    both = every(client, board="microbit", drift="drifted")
    assert [d["iri"] for d in both] == [
        d["iri"]
        for d in fleet
        if d["drift"] == "drifted" and d["board"]["name"] == "microbit"  # type: ignore[index]
    ]


@pytest.mark.parametrize(
    "text",
    [
        'x" . ?device a <urn:y',
        "\\",
        "'; DROP",
        '")) UNION { ?device ?p ?o } FILTER(("',
        "%s {} ?x $y",
        "\u0000\u001f\n",
        "<urn:a>",
        "é" * 2000,
    ],
)
def test_text_in_a_filter_is_only_text(client: httpx.Client, text: str) -> None:
    for name in ("text", "board", "site", "model", "version"):
        answer = client.get("/api/devices", params={name: text})
        assert answer.status_code == 200, answer.text
        words = text.split()
        assert answer.json()["devices"] == [] or (name == "text" and not words)


def test_wrong_parameters_say_what_is_allowed(client: httpx.Client) -> None:
    for parameters, words in (
        ({"bord": "x"}, "allowed: board"),
        ({"drift": "much"}, "stable, warning, drifted"),
        ({"state": "x"}, "missing"),
        ({"limit": "0"}, "1 to 500"),
        ({"limit": "501"}, "1 to 500"),
        ({"limit": "1" * 5000}, "number"),
        ({"limit": "-1"}, "number"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "b25l"}, "cursor"),
    ):
        answer = client.get("/api/devices", params=parameters)
        assert answer.status_code == 400 and words in answer.json()["error"], answer.text


def test_a_device(client: httpx.Client) -> None:
    device = client.get("/api/devices/nrf52840:1122334455667788").json()
    assert device["model"]["version"] == "1.0.0" and device["verified"] is True
    assert device["memory"] == {
        "board": {"flash": 499712, "ram": 262080},
        "budget": {"flash": 55628, "ram": 16008, "arena": 10080, "weightBytes": 29159, "stack": 2048},
        "free_flash": 444084,
        "free_ram": 244024,
    }
    assert [one["method"] for one in device["history"]] == ["smp"] and device["history"][0]["current"]
    (learned,) = device["learned"]
    assert (learned["sequence"], learned["before"], learned["after"]) == (1, 0.91, 0.93)
    kinds = [node["kind"] for node in device["lineage"]["nodes"]]
    assert kinds == ["source", "model", "firmware", "device", "state"]
    relations = [edge["relation"] for edge in device["lineage"]["edges"]]
    assert relations == ["quantized", "compiled", "flashed", "learned"]
    assert client.get("/api/devices/" + device["iri"]).json() == device


def test_a_device_whose_firmware_nobody_knows(client: httpx.Client) -> None:
    device = client.get("/api/devices/microbit:99aa").json()
    assert device["model"] is None and device["firmware"]["known"] is False
    assert device["lineage"] is None and device["memory"]["budget"] is None
    assert device["missing_since"].startswith("2026-10-05")


def test_a_model(client: httpx.Client) -> None:
    model = client.get("/api/models/keyword_spotting:1.0.0:aaaaaaaaaaaaaaaa").json()
    assert model["bill"]["accuracyLost"] == 0.003 and model["parameters"] == 24267
    assert model["evaluations"] == [
        {"measure": "TopOneAccuracy", "value": 0.912, "dataset": "evaluation.npz"}
    ]
    assert [build["free_flash"] for build in model["firmware"]] == [444084]
    assert model["runs"]["devices"] == 1 and model["runs"]["sites"] == [{"name": "hall 3", "devices": 1}]
    assert [edge["relation"] for edge in model["lineage"]["edges"]] == ["quantized", "fine-tuned"]
    assert [one["version"] for one in model["versions"]] == ["1.0.0", "1.1.0"]


@pytest.mark.parametrize(
    "path",
    [
        "devices/none",
        "models/none",
        "devices/microbit:%22%3E",
        "devices/urn:tinyc:board:microbit",
        "models/a%20b",
        "x",
    ],
)
def test_what_is_not_there(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/api/{path}")
    assert answer.status_code == 404 and answer.json()["error"]


def test_figures_agree_with_the_devices(client: httpx.Client) -> None:
    stats = client.get("/api/stats").json()
    fleet = every(client)
    assert stats["devices"] == len(fleet)
    assert stats["missing"] == sum(d["missing_since"] is not None for d in fleet)
    assert stats["verified"] == sum(d["verified"] is True for d in fleet)
    assert stats["unverified"] == sum(d["verified"] is False for d in fleet)
    assert stats["unknown"] == 1
    assert sum(entry["devices"] for entry in stats["boards"]) == len(fleet)
    running = sum(version["devices"] for model in stats["models"] for version in model["versions"])
    assert running == sum(d["model"] is not None for d in fleet)
    months = client.get("/api/history").json()["months"]
    deployments = "SELECT (COUNT(*) AS ?n) { ?d a tinyc:Deployment ; tinyc:model ?m }"
    counted = client.get("/sparql", params={"query": deployments}).json()["results"]["bindings"][0]["n"][
        "value"
    ]
    assert sum(month["deployments"] for month in months) == int(counted)


def test_versions_are_sorted_as_numbers() -> None:
    from tinyc.registry.web.fleet import version_key

    versions = ["1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0", "0.1.0", "odd"]
    assert sorted(versions, key=version_key) == ["0.1.0", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "odd"]


def test_json_is_json_everywhere(client: httpx.Client) -> None:
    for path in ("about", "stats", "history", "models", "queries", "devices"):
        answer = client.get(f"/api/{path}")
        assert answer.headers["content-type"] == "application/json" and json.loads(answer.text)


def test_heartbeats_are_shown(store: EmbeddedStore, tmp_path: Path) -> None:
    known, silent = "nrf52840:1122334455667788", "microbit:99aa"
    seen = datetime(2026, 10, 6, 7, 8, 9, tzinfo=UTC)
    beat = Heartbeat(f"urn:tinyc:device:{known}", seen, free_ram=1000, uptime=7200, inferences=5, errors=2)
    with Heartbeats(f"sqlite:///{tmp_path / 'beats.sqlite'}") as table:
        table.record([beat], now=seen)
        with serving(store, heartbeats=table, named=queries.named_queries(), seconds=None) as client:
            assert client.get("/api/about").json()["heartbeats"] is True
            health = client.get(f"/api/devices/{known}").json()["health"]
            assert (health["free_ram"], health["uptime"], health["errors"]) == (1000, 7200, 2)
            assert datetime.fromisoformat(health["last_seen"]) == seen
            assert client.get(f"/api/devices/{silent}").json()["health"] is None
            listed = {device["id"]: device["last_seen"] for device in every(client, text="hall 3")}
            assert listed.pop(known) == health["last_seen"] and set(listed.values()) == {None}
            missing = "/api/queries/not-seen-since"
            for moment, expected in (("2026-10-07T00:00:00Z", [known]), ("2026-10-05T00:00:00Z", [])):
                answer = client.get(missing, params={"moment": moment})
                assert answer.status_code == 200, answer.text
                rows = answer.json()["results"]["bindings"]
                assert [row["device"]["value"].removeprefix("urn:tinyc:device:") for row in rows] == expected
                assert all(row["free_ram"]["value"] == "1000" for row in rows)


def test_named_queries(store: EmbeddedStore) -> None:
    with serving(store, named=queries.named_queries(), seconds=None, rows=2) as client:
        listed = {query["name"]: query for query in client.get("/api/queries").json()["queries"]}
        assert set(listed) == set(queries.named_queries())
        running = {one["name"]: one for one in listed["devices-running"]["parameters"]}
        assert running["model"]["default"] is None and running["version"]["default"] == "*"
        address = "/api/queries/devices-running"
        rows = client.get(address, params={"model": "keyword_spotting"}).json()["results"]["bindings"]
        assert [row["chip"]["value"] for row in rows] == ["1122334455667788"]
        cut = client.get(address, params={"model": "sine"}, headers={"accept": "text/csv"})
        assert cut.headers["tinyc-truncated"] == "rows=2" and len(cut.text.splitlines()) == 3
        text = client.get(f"{address}/text", params={"model": "keyword_spotting"}).json()["text"]
        again = client.get("/sparql", params={"query": text}).json()["results"]["bindings"]
        assert again == rows
        for parameters, words in (
            ({}, "model"),
            ({"model": "sine", "self": "x"}, "self"),
            ({"model": "keyword_spoting"}, "keyword_spotting"),
            ({"model": "sine", "limit": "many"}, "limit"),
        ):
            wrong = client.get(address, params=parameters)
            assert wrong.status_code == 400 and words in wrong.json()["error"], wrong.text
        assert client.get("/api/queries/none").status_code == 404
        hostile = client.get(address, params={"model": 'x") } DELETE {} #'})
        assert hostile.status_code == 400


THINGS = (
    "stats",
    "history",
    "devices?limit=60&total=1",
    "devices?text=lager+sine",
    "devices?site=hall%203&state=missing",
    "devices?state=present&total=1",
    "devices/nrf52840:1122334455667788",
    "devices/microbit:99aa",
    "models/keyword_spotting:1.0.0:aaaaaaaaaaaaaaaa",
)


def test_a_page_before_an_endpoint_shows_the_same(store: EmbeddedStore, client: httpx.Client) -> None:
    with before(store) as endpoint, serving(endpoint, seconds=None) as second:
        for path in THINGS:
            assert second.get(f"/api/{path}").json() == client.get(f"/api/{path}").json(), path


@pytest.mark.skipif(sparql_servers.virtuoso_programs() is None, reason="no Virtuoso")
def test_a_page_before_virtuoso_shows_the_same(
    store: EmbeddedStore, client: httpx.Client, tmp_path: Path
) -> None:
    default = NamedNode("urn:tinyc:graph:default")
    with (
        sparql_servers.virtuoso(tmp_path) as addresses,
        EndpointStore(addresses, graph=default) as endpoint,
        serving(endpoint, seconds=None) as second,
    ):
        everything = list(quads(store))
        for start in range(0, len(everything), 500):
            endpoint.insert(everything[start : start + 500])
        for path in THINGS:
            assert second.get(f"/api/{path}").json() == client.get(f"/api/{path}").json(), path


def test_an_endpoint_that_has_gone_is_told(store: EmbeddedStore) -> None:
    with before(store) as endpoint:
        gone = EndpointStore(endpoint.addresses)
    with serving(gone, seconds=None) as client:
        for path in ("/api/stats", "/sparql?query=ASK{}"):
            answer = client.get(path)
            assert answer.status_code == 502 and endpoint.addresses.query in answer.text, answer.text
    gone.close()


def test_the_json_view_is_described(client: httpx.Client) -> None:
    described = client.get("/api/openapi.json").json()
    routes = {route.path.replace(":path", "") for route in ROUTES if route.path.startswith("/api/")}
    assert set(described["paths"]) == routes
    for path, entry in described["paths"].items():
        names = {one["name"] for one in entry["get"]["parameters"] if one["in"] == "path"}
        assert names == set(re.findall(r"{(\w+)}", path))
    # Each filter that is described is taken, and each that is taken is described.
    filters = {one["name"] for one in described["paths"]["/api/devices"]["get"]["parameters"]}
    told = client.get("/api/devices", params={"unknown": "x"}).json()["error"]
    assert filters == set(told.partition("allowed: ")[2].split(", "))
