"""SPARQL as text: what kind it is, and where it is wrong."""

from __future__ import annotations

import pyoxigraph
import pytest

from tinyc.registry.store import syntax
from tinyc.registry.store.base import Limits
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.errors import SparqlSyntaxError

pytestmark = pytest.mark.unit

PREFIXES = {"tinyc": "urn:tinyc:ns#", "a-b": "urn:ab:"}


PLACES = [
    ("SELECT * WHERE {\n ?s ?p ?o \n FILTR(?o) }", 3, 2, "`FILTR`"),
    ("SELECT ?x WHERE { ?x foo:bar 1 }", 1, 22, "prefix of `foo:bar`"),
    ("SELECT * WHERE { ?s ?p 'abc", 1, 28, "string does not end|ends too early"),
    ("SELECT (SUM(?x) AS ?y) ?z { ?x ?y2 ?z }", 1, 40, "nothing binds or groups"),
    ("ASK { <a> ?b ?c }", 1, 7, "relative"),
    ("SELECT ?x { ?x <urn:a b> 1 }", 1, 24, "IRI"),
    ('SELECT * { ?é ?p "é" . \n ?x ?y }', 2, 8, "`}`"),
    ("SELEC ?x {}", 1, 1, "`SELEC`"),
    ("SELECT ?x WHERE { ?x a 1 . ", 1, 27, "ends too early"),
    ("SELECT ?x WHERE { ?x a 1 . }}", 1, 29, "`}`"),
    ("SELECT ?x { FILTER(?x > ) }", 1, 25, "`[)]`"),
    ("SELECT ?x { ?x a 1 } ORDER ?x", 1, 28, "`[?]x`"),
    ("SELECT ?x { ?x a 1 } LIMIT ten", 1, 28, "`ten`"),
    ("INSERT DATA { <urn:a> <urn:b> }", 1, 31, "`}`"),
    ("INSERT DATA { <urn:a> <urn:b> ?x }", 1, 34, "not allowed in INSERT DATA"),
    ("# a comment\n\n  SELECT ?x\n\tWERE { ?x a tinyc:Device }", 4, 2, "`WERE`"),
    ("", 1, 1, "not SPARQL"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "words", "seconds"),
    # A query with a limit of time is refused by another process; an update has no limit.
    [
        (*place, limit)
        for place in PLACES
        for limit in (None, 20.0)
        if not limit or syntax.form(place[0]) != "update"
    ],
)
def test_places(text: str, line: int, column: int, words: str, seconds: float | None) -> None:
    store = EmbeddedStore()
    with pytest.raises(SparqlSyntaxError, match=words) as caught:
        if syntax.form(text) == "update":
            store.update(text, prefixes=PREFIXES)
        else:
            store.query(text, prefixes=PREFIXES, limits=Limits(seconds))
    store.close()
    assert (caught.value.line, caught.value.column) == (line, column)
    if text:
        shown, caret = caught.value.excerpt.split("\n")
        assert shown == "    " + text.split("\n")[line - 1]
        assert caret.index("^") == 4 + column - 1


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("SELECT * {}", "select"),
        ("# INSERT\nPREFIX a: <urn:INSERT> BASE <urn:x> ask {}", "ask"),
        ("PREFIX select: <urn:x> CONSTRUCT WHERE {}", "construct"),
        ("describe <urn:a>", "describe"),
        ("PREFIX : <urn:a#> insert data {}", "update"),
        ("WITH <urn:g> DELETE {} WHERE {}", "update"),
        ("clear all", "update"),
        ("PREFIX a: <urn:b>", "update"),
        ("hello", ""),
        ("", ""),
    ],
)
def test_form(text: str, form: str) -> None:
    assert syntax.form(text) == form


def test_reaches_out() -> None:
    assert syntax.reaches_out("SELECT * { SERVICE <urn:x> {} }")
    assert syntax.reaches_out("load <file:///etc/passwd>")
    assert not syntax.reaches_out("SELECT * { ?s ?p 'SERVICE' . <urn:LOAD> ?x tinyc:SERVICE } # LOAD")
    # Escapes of code points are no way around: Oxigraph takes them in IRIs and strings alone.
    for text in ("SELECT * { \\u0053ERVICE <http://127.0.0.1:9/> {} }", "L\\u004FAD <http://127.0.0.1:9/>"):
        with pytest.raises(SyntaxError):
            pyoxigraph.Store().update(text) if text.startswith("L") else pyoxigraph.Store().query(text)


def test_prologue_declares_what_is_used() -> None:
    text = "SELECT * { ?s tinyc:chip ?o ; a-b:c 'tinyc:x' . <urn:z> ?p \"a-b:\" } # a-b:d"
    assert syntax.prologue(text, PREFIXES) == "PREFIX a-b: <urn:ab:> PREFIX tinyc: <urn:tinyc:ns#> "
    assert syntax.prologue("PREFIX tinyc: <urn:mine#> ASK { ?s tinyc:x 1 }", PREFIXES) == ""
    assert syntax.prologue("ASK { ?s ?p 'tinyc:x' }", PREFIXES) == ""


def test_tokens_leave_nothing_out() -> None:
    text = 'SELECT ?x $y { <urn:a> a:b \'it\\\'s\', """a"b""", 1.5e3, _:n, '
    text += "'x'@en-GB, \"y\"^^a:t ; !a|^b:c* ?z . }"
    found = [token.text for token in syntax.tokens(text)]
    assert "".join(found) == "".join(text.split())
    assert {"'it\\'s'", '"""a"b"""', "1.5e3", "_:n", "@en-GB", "^^", "a:t", "$y"} <= set(found)


def test_errors_are_quick_for_long_texts() -> None:
    text = "SELECT * { " + "?s ?p ?o . " * 5000 + " FILTR(?x) }"
    store = EmbeddedStore()
    with pytest.raises(SparqlSyntaxError) as caught:
        store.query(text)
    assert caught.value.line == 1
