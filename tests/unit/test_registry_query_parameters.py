"""Parameters of named queries: their types, what the registry knows, and that no value becomes syntax."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import Literal, Quad, RdfFormat

from support.registry_mutations import SAMPLE
from tinyc.errors import TinycError
from tinyc.registry import names, values
from tinyc.registry.lookup import resolve
from tinyc.registry.queries import NamedQuery, find, load, tokens_of
from tinyc.registry.store.base import Rows
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.vocabulary import TINYC

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def store() -> EmbeddedStore:
    store = EmbeddedStore()
    store.load(SAMPLE, RdfFormat.TURTLE)
    return store


def query_of(text: str, tmp_path: Path, head: str = "# param x: text -- a text") -> NamedQuery:
    path = tmp_path / "query.rq"
    path.write_text(f"# A query.\n{head}\n{text}\n", encoding="utf-8")
    return load(path)


def test_only_tokens_are_replaced(tmp_path: Path) -> None:
    text = 'SELECT ?a { ?a <urn:$x> "$x", \'$x\', """$x""" # $x\n, $x FILTER(?a < ?b && ?b > $x) }'
    bound = query_of(text, tmp_path).bind(x="v")
    assert bound == 'SELECT ?a { ?a <urn:$x> "$x", \'$x\', """$x""" \n, "v" FILTER(?a < ?b && ?b > "v") }\n'


@pytest.mark.parametrize(
    "text",
    [
        '" } DROP ALL #',
        "' UNION { ?s ?p ?o }",
        "\\",
        '\\"',
        "line\nbreak\r\t",
        "\x00\x07",
        "> <urn:x",
        "$model",
        "?device",
        '"""',
        "\U0001f600 ü",
        "*/ #",
        "",
    ],
)
def test_values_never_become_syntax(text: str) -> None:
    def iris(query: str) -> int:
        return sum(kind == "iri" for kind, _ in tokens_of(query))

    query = find("devices-on-board")
    assert iris(query.bind(board=text)) == iris(query.bind(board="b"))
    pyoxigraph.Store().query(query.bind(board=text))
    answer = EmbeddedStore().query(f"SELECT ?x {{ BIND({values.term('text', text)} AS ?x) }}")
    assert isinstance(answer, Rows)
    assert [cell for row in answer.rows for cell in row] == [Literal(text)]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30))
def test_any_text_comes_back_as_it_is(text: str) -> None:
    answer = pyoxigraph.Store().query(f"SELECT ?x {{ BIND({values.term('text', text)} AS ?x) }}")
    assert [row[0] for row in answer] == [Literal(text)]  # type: ignore[union-attr, index]
    if text != values.ANY and not values.is_iri(text):
        board = values.term("board", text)
        assert board[0] + board[-1] == "<>" and ">" not in board[1:-1]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", "seven"),
        ("integer", "١"),
        ("decimal", "1e5"),
        ("decimal", "nan"),
        ("count", "-1"),
        ("boolean", "maybe"),
        ("dateTime", "yesterday"),
        ("dateTime", "2026-13-01"),
        ("iri", "name"),
        ("iri", "urn:a b"),
        ("iri", 'urn:a"> ?p ?o'),
        ("board", "urn:a>b"),
        ("device", "99aa"),
        ("device", ":99aa"),
        ("model", "http://a b"),
        ("model", "*"),
        ("text", "\ud800"),
    ],
)
def test_values_of_another_type_are_refused(kind: str, text: str) -> None:
    with pytest.raises(values.Wrong) as caught:
        values.term(kind, text)
    assert caught.value.allowed


def test_values_of_their_type() -> None:
    assert values.term("integer", "+007") == "7"
    assert values.term("decimal", "0.95").startswith('"0.95"')
    assert values.term("boolean", "yes") == "true"
    assert values.term("dateTime", "2026-10-01").startswith('"2026-10-01T00:00:00+00:00"')
    assert values.term("board", "a b") == "<urn:tinyc:board:a%20b>"
    assert values.term("board", "*", any_=True) == '"*"'
    assert values.term("device", "microbit:99aa") == "<urn:tinyc:device:microbit:99aa>"


def test_every_mistake_in_the_parameters_is_told_at_once(store: EmbeddedStore) -> None:
    with pytest.raises(TinycError) as caught:
        find("board-flash-sensor").bind(flesh="1", flash="much")
    problems = {(each.where, each.what, each.allowed) for each in caught.value.problems}
    assert problems == {
        ("flesh", "is no parameter", "did you mean `flash`?"),
        ("sensor", "is missing", "kind of sensor, as in accelerometer"),
        ("flash", "is no whole number: 'much'", "digits"),
    }
    with pytest.raises(TinycError, match="no named query") as caught:
        find("device-running")
    assert caught.value.hint == "did you mean `devices-running`?"


@pytest.mark.parametrize(
    ("name", "texts", "allowed"),
    [
        ("devices-running", {"model": "keyword_spoting"}, "did you mean `keyword_spotting`?"),
        ("devices-running", {"model": "keyword_spotting", "version": "1.0.1"}, "did you mean `1.0.0`?"),
        ("devices-running", {"model": "keyword_spotting@1.0.1"}, "did you mean `keyword_spotting@1.0.0`?"),
        ("devices-on-board", {"board": "nrf52841"}, "did you mean `nrf52840`?"),
        ("devices-at-site", {"site": "hall 4"}, "did you mean `hall 3`?"),
        ("device-history", {"device": "1122334455667789"}, "did you mean `1122334455667788`?"),
        ("device-history", {"device": "nobody"}, "BOARD:CHIP, a chip number, or the IRI of a device"),
        ("lineage", {"thing": "urn:tinyc:nobody"}, "the IRI of a thing in the registry"),
        ("devices-with-firmware", {"firmware": "abc"}, "the identity of a firmware, or its beginning"),
        ("count-by-site", {"x": "1"}, "it takes none"),
    ],
)
def test_what_the_registry_does_not_know_is_a_mistake(
    store: EmbeddedStore, name: str, texts: dict[str, str], allowed: str
) -> None:
    with pytest.raises(TinycError) as caught:
        resolve(find(name), texts, store)
    assert [each.allowed for each in caught.value.problems] == [allowed]


def test_a_chip_number_that_two_devices_have(store: EmbeddedStore) -> None:
    both = EmbeddedStore()
    both.insert(
        Quad(names.device(board, "77"), TINYC.chip, Literal("77")) for board in ("nrf52840", "microbit")
    )
    with pytest.raises(TinycError) as caught:
        resolve(find("device-history"), {"device": "77"}, both)
    assert caught.value.problems[0].what == "is '77', which 2 devices are called"


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("SELECT ?a { ?a ?b $y }", "# param x: text -- a text"),
        ("SELECT ?a { ?a ?b ?c }", "# param x: text -- a text"),
        ("SELECT ?x { ?x ?b $x }", "# param x: text -- a text"),
        ("SELECT ?a { ?a ?b $x }", "# param x: colour -- a text"),
        ("SELECT ?a { ?a ?b $x }", "# param x text"),
    ],
)
def test_files_that_are_wrong_are_refused(text: str, head: str, tmp_path: Path) -> None:
    with pytest.raises(TinycError):
        query_of(text, tmp_path, head)
