"""Updates that others send through the registry's endpoint: right ones are run, wrong ones change nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, Quad

from support import registry_facts, sparql_servers
from support.registry_http import TOKEN, before, serving
from support.registry_sample import DEVICE, FIRMWARE, MODEL, quads_in, sample_store
from tinyc.errors import TinycError
from tinyc.registry import names
from tinyc.registry.checked import CheckedUpdates, Contradiction
from tinyc.registry.formats.importing import import_all
from tinyc.registry.registry import Registry
from tinyc.registry.shapes import audit
from tinyc.registry.store.base import quads
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import EndpointStore
from tinyc.registry.store.errors import StoreFailed
from tinyc.registry.update_text import NotTaken
from tinyc.registry.vocabulary import PREFIXES, RDF, TINYC

pytestmark = pytest.mark.unit

AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
SITE = NamedNode("urn:tinyc:site:hall-3")
BOARD = names.board("nrf52840")
NEW = "<urn:tinyc:site:roof> a tinyc:Site"

WRONG = {
    "a text where a number belongs": (f"INSERT DATA {{ {MODEL} tinyc:macs 'many' }}", "macs"),
    "a second value": (f"INSERT DATA {{ {DEVICE} tinyc:chip 'other' }}", "chip"),
    "a value that is missing": (f"DELETE WHERE {{ {DEVICE} tinyc:chip ?chip }}", "chip"),
    "a new thing that is not whole": (f"INSERT DATA {{ {NEW} }}", "name"),
    "a reference to what is not there": (
        f"DELETE {{ {DEVICE} tinyc:board ?b }} INSERT {{ {DEVICE} tinyc:board <urn:none> }} "
        f"WHERE {{ {DEVICE} tinyc:board ?b }}",
        "board",
    ),
    "a reference to something else": (
        f"DELETE DATA {{ {DEVICE} tinyc:site {SITE} }} ; INSERT DATA {{ {DEVICE} tinyc:site {MODEL} }}",
        "site",
    ),
    "what others refer to goes": (f"DELETE WHERE {{ {BOARD} ?p ?o }}", "board"),
    "what others refer to becomes something else": (
        f"DELETE {{ {BOARD} a ?c }} INSERT {{ {BOARD} a tinyc:Site }} WHERE {{ {BOARD} a ?c }}",
        "board",
    ),
    "by a pattern, for every device": ("DELETE { ?d tinyc:chip ?c } WHERE { ?d tinyc:chip ?c }", "chip"),
    "in another graph": (f"INSERT DATA {{ GRAPH <urn:g> {{ {DEVICE} tinyc:chip 'other' }} }}", "chip"),
    "after something right": (
        f"INSERT DATA {{ {NEW} ; schema:name 'roof' }} ; DELETE WHERE {{ ?d tinyc:chip ?c }}",
        "chip",
    ),
    "by copying a graph": (
        f"INSERT DATA {{ GRAPH <urn:g> {{ {NEW} ; schema:name 'roof' }} }} ; COPY <urn:g> TO DEFAULT ; "
        "DROP GRAPH <urn:g> ; INSERT DATA { <urn:tinyc:site:roof> schema:name 'attic' }",
        "name",
    ),
    "in a comment's shadow": (
        f"INSERT {{ {DEVICE} tinyc:chip ?c }} WHERE {{ BIND('}} # DATA' AS ?c) # }}\n }}",
        "chip",
    ),
}

RIGHT = {
    "nothing": "",
    "nothing that is found": "DELETE WHERE { <urn:none> ?p ?o }",
    "something foreign": "INSERT DATA { <urn:a> <urn:p> [ <urn:q> 1 ] }",
    "a new thing": f"INSERT DATA {{ {NEW} ; schema:name 'roof' }}",
    "another value": f"DELETE {{ {MODEL} tinyc:macs ?m }} INSERT {{ {MODEL} tinyc:macs 5 }} "
    f"WHERE {{ {MODEL} tinyc:macs ?m }}",
    "another value in two steps": f"DELETE WHERE {{ {MODEL} tinyc:macs ?m }} ; "
    f"INSERT DATA {{ {MODEL} tinyc:macs 5 }}",
    "wrong in between": f"INSERT DATA {{ {DEVICE} tinyc:chip 'x' }} ; "
    f"DELETE DATA {{ {DEVICE} tinyc:chip 'x' }}",
    "a reference to what comes with it": f"DELETE DATA {{ {DEVICE} tinyc:site {SITE} }} ; "
    f"INSERT DATA {{ {DEVICE} tinyc:site <urn:tinyc:site:roof> . {NEW} ; schema:name 'roof' }}",
    "a thing and what refers to it go": f"DELETE WHERE {{ {SITE} ?p ?o }} ; DELETE WHERE {{ ?d ?p {SITE} }}",
    "everything goes": "CLEAR ALL",
    "by a pattern, for every device": "INSERT { ?d tinyc:missingSince ?t } WHERE { ?d a tinyc:Device "
    "FILTER NOT EXISTS { ?d tinyc:missingSince ?m } BIND(NOW() AS ?t) }",
}


@pytest.fixture(scope="module")
def store() -> EmbeddedStore:
    return sample_store()


@pytest.fixture(scope="module")
def client(store: EmbeddedStore) -> Iterator[httpx.Client]:
    with serving(store, seconds=None, token=TOKEN) as client:
        yield client


def send(client: httpx.Client, text: str, path: str = "/update") -> httpx.Response:
    return client.post(path, data={"update": text}, headers=AUTHORIZED)


@pytest.mark.parametrize("path", ["/update", "/sparql"])
@pytest.mark.parametrize("what", WRONG)
def test_wrong_updates_change_nothing(
    client: httpx.Client, store: EmbeddedStore, what: str, path: str
) -> None:
    text, property_ = WRONG[what]
    there = quads_in(store)
    answer = send(client, text, path)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert "nothing was written" in told["error"]
    paths = {each["path"].rpartition("#")[2].rpartition("/")[2] for each in told["violations"]}
    assert property_ in paths
    for each in told["violations"]:
        assert set(each) == {"node", "shape", "path", "value", "constraint", "message"}
        assert each["message"] in told["error"]
    assert quads_in(store) == there


@pytest.mark.parametrize("what", RIGHT)
def test_right_updates_are_run(what: str) -> None:
    checked_one, plain = sample_store(), sample_store()
    with serving(checked_one, seconds=None, token=TOKEN) as client:
        answer = send(client, RIGHT[what])
    assert (answer.status_code, answer.text) == (204, "")
    plain.update(RIGHT[what], prefixes=PREFIXES)
    if "NOW()" not in RIGHT[what] and "[" not in RIGHT[what]:
        assert quads_in(checked_one) == quads_in(plain)
    assert len(quads_in(checked_one)) == len(quads_in(plain))
    assert audit(checked_one) == audit(plain) == ()


def test_the_wrong_ones_are_wrong() -> None:
    """Run without the check, each makes the audit of the whole store complain."""
    for what, (text, _) in WRONG.items():
        store = sample_store()
        with serving(store, seconds=None, token=TOKEN, checked=False) as client:
            assert send(client, text).status_code == 204
        assert audit(store, warnings=False), what


def test_what_is_no_update_is_told_as_before(client: httpx.Client) -> None:
    bad = send(client, "INSERT DATA { <urn:a> <urn:b> }\n")
    assert bad.status_code == 400 and bad.text.startswith("line 1, column")
    assert send(client, "SELECT * { ?s ?p ?o }").status_code == 400
    gone = send(client, "DROP GRAPH <urn:none>")
    assert gone.status_code == 502 and "does not exist" in gone.text
    unclear = send(client, "INSERT { <urn:a> <urn:b> 1 } WHERE { ?s ?p ?o FILTER(?o<5#> }\n) }")
    assert unclear.status_code == 400 and "space" in unclear.text


def test_what_is_too_large_is_refused(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyc.registry.delta.MOST", 5)
    many = send(client, "INSERT DATA { " + " ".join(f"<urn:a> <urn:b> {n} ." for n in range(6)) + "}")
    assert many.status_code == 413 and "tinyc registry import" in many.text


def test_a_blank_node_that_is_there_is_looked_at() -> None:
    store = sample_store()
    node = BlankNode("site")
    store.insert(
        [Quad(node, RDF.type, TINYC.Site), Quad(node, NamedNode(PREFIXES["schema"] + "name"), Literal("x"))]
    )
    with serving(store, seconds=None, token=TOKEN) as client:
        answer = send(client, "INSERT { ?s schema:name 'y' } WHERE { ?s schema:name 'x' }")
        assert answer.status_code == 422 and "2 values" in answer.text
        assert send(client, "INSERT { ?s <urn:p> 'y' } WHERE { ?s schema:name 'x' }").status_code == 204


def test_facts_of_tinyc_pass_through(tmp_path: Path) -> None:
    alone = Registry(EmbeddedStore())
    with EmbeddedStore(tmp_path / "store") as store, before(store) as endpoint:
        through = Registry(endpoint)
        for fact in registry_facts.every_kind():
            alone.apply(fact, live=False)
            through.apply(fact, live=False)
        # Several changes in one request, as imports send them.
        more = [registry_facts.deployment(hours).change() for hours in (30, 31)]
        endpoint.update(";\n".join(each.text() for each in more))
        for each in more:
            alone.store.update(each.text())
        assert set(quads(store)) == set(quads(alone.store))


def test_a_store_behind_it_says_what_is_wrong() -> None:
    with before(sample_store()) as endpoint, pytest.raises(StoreFailed) as caught:
        endpoint.update(WRONG["a second value"][0], prefixes=PREFIXES)
    assert "answers 422: the registry would contradict its shapes" in str(caught.value)
    assert "`chip` has 2 values" in str(caught.value) and "violations" not in str(caught.value)


def test_an_import_that_replaces_passes_through(tmp_path: Path) -> None:
    text = "@prefix tinyc: <urn:tinyc:ns#> . <urn:tinyc:board:microbit> a tinyc:Board ; tinyc:flash 5 ."
    file = tmp_path / "board.ttl"
    file.write_text(text)
    store, alone = sample_store(), sample_store()
    with before(store) as endpoint:
        for target in (endpoint, alone):
            import_all(target, [str(file)], now=datetime(2026, 11, 1, tzinfo=UTC), replace=True)
    assert quads_in(store) == quads_in(alone) != quads_in(sample_store())


def test_updates_at_once_are_checked_one_after_the_other() -> None:
    """Each gives a site its name where there is none yet: by themselves all are right, together wrong."""
    store = EmbeddedStore()
    updates = CheckedUpdates(store)
    go = threading.Barrier(8)
    said: list[str] = []

    def name(number: int) -> None:
        go.wait()
        try:
            updates.update(f"INSERT DATA {{ {NEW} ; schema:name '{number}' }}", PREFIXES)
        except Contradiction as error:
            said.append(str(error))

    threads = [threading.Thread(target=name, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 7 and store.count() == 2


@pytest.mark.skipif(sparql_servers.oxigraph_program() is None, reason="no oxigraph server")
def test_before_an_endpoint(tmp_path: Path) -> None:
    with sparql_servers.oxigraph(tmp_path) as addresses, EndpointStore(addresses) as store:
        store.insert(quads(sample_store()))
        there = set(quads(store))
        with serving(store, seconds=None, token=TOKEN) as client:
            for what, (text, _) in WRONG.items():
                answer = send(client, text)
                built_on_each_other = what in ("after something right", "by copying a graph")
                assert answer.status_code == (400 if built_on_each_other else 422), (what, answer.text)
                assert not built_on_each_other or "separate requests" in answer.text
                assert set(quads(store)) == there, what
            for what, text in RIGHT.items():
                if what in ("a thing and what refers to it go", "everything goes"):
                    continue
                assert send(client, text).status_code == 204, what


def test_a_fetching_update_is_never_looked_at() -> None:
    with pytest.raises(NotTaken, match="elsewhere"):
        CheckedUpdates(EmbeddedStore()).update("LOAD <file:///etc/passwd>", {})


def test_a_store_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    store = sample_store()
    updates = CheckedUpdates(store)
    store.close()
    with pytest.raises(TinycError, match="closed"):
        updates.update(f"DELETE WHERE {{ {FIRMWARE} ?p ?o }}", PREFIXES)
