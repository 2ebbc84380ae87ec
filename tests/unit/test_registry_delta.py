"""What is predicted of an update is what it does: on the W3C's tests, on random updates, on odd ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad

from support import w3c_sparql
from support.registry_deltas import difference, same
from support.registry_sample import DEVICE, MODEL, quads_in, sample_store
from tinyc.errors import TinycError
from tinyc.registry import delta
from tinyc.registry.store.base import quads
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.errors import StoreFailed
from tinyc.registry.update_text import NotTaken, operations
from tinyc.registry.vocabulary import PREFIXES

pytestmark = pytest.mark.unit

G, H = NamedNode("urn:g"), NamedNode("urn:h")
P, Q = NamedNode("urn:p"), NamedNode("urn:q")


# The W3C's tests


@pytest.mark.skipif(not w3c_sparql.ARCHIVE.exists(), reason="no archive of the W3C's tests")
def test_the_w3cs_updates_do_what_is_predicted() -> None:
    wrong, right = [], 0
    with w3c_sparql.unpacked() as folder:
        for case in w3c_sparql.cases(folder):
            if case.kind != "update":
                continue
            store = EmbeddedStore()
            text = w3c_sparql.Runner(folder, store).prepared(case)
            try:
                found = difference(store, text)
            except NotTaken as error:
                found = str(error)
            wrong += [(case.id, found)] if found else []
            right += not found
    # LOAD, which the endpoint refuses.
    assert {name for name, _ in wrong} == {"update-silent/load-into-silent", "update-silent/load-silent"}
    assert right == 92


# Random updates

NODES = (DEVICE, MODEL, NamedNode("urn:a"), NamedNode("urn:b"))
WORDS = ("a", "tinyc:board", "tinyc:model", "prov:wasDerivedFrom", "<urn:p>", "<urn:q>")
LITERALS = ('"x"', "1", "1.50", "true", '"é\\n\\"#{}"@de', '"2026-10-02T10:00:00Z"^^xsd:dateTime')
ANY = ("?x", "?y", "?z")
graph_names = st.sampled_from([G, H])
nodes = st.sampled_from([str(node) for node in NODES])
subjects = st.one_of(nodes, st.sampled_from(ANY))
predicates = st.one_of(st.sampled_from(WORDS), st.just("?p"))
objects = st.one_of(nodes, st.sampled_from(LITERALS), st.sampled_from(ANY))
there = st.lists(
    st.builds(
        Quad,
        st.sampled_from([*NODES, BlankNode("b1"), BlankNode("b2")]),
        st.sampled_from([P, Q]),
        st.sampled_from([*NODES, BlankNode("b1"), Literal("x"), Literal(1)]),
        st.sampled_from([DefaultGraph(), G, H]),
    ),
    max_size=12,
)


@st.composite
def triples(draw: st.DrawFn, subject: object, predicate: object, value: object, most: int = 2) -> str:
    """Triples, some of them in a graph."""
    parts = []
    for _ in range(draw(st.integers(1, most))):
        line = f"{draw(subject)} {draw(predicate)} {draw(value)} ."  # type: ignore[arg-type]
        graph = draw(st.sampled_from(["", "", "<urn:g>", "?g"]))
        parts.append(f"GRAPH {graph} {{ {line} }}" if graph else line)
    return " ".join(parts)


@st.composite
def data(draw: st.DrawFn) -> str:
    verb = draw(st.sampled_from(["INSERT DATA", "DELETE DATA", "insert data", "Delete # {\nData"]))
    blank = ["_:n"] if "insert" in verb.lower() else []
    subject = st.one_of(nodes, st.sampled_from(blank)) if blank else nodes
    value = st.one_of(nodes, st.sampled_from([*LITERALS, *blank]))
    body = draw(triples(subject, st.sampled_from(WORDS), value))
    return f"{verb} {{ {body.replace('?g', '<urn:h>')} }}"


pattern = triples(subjects, predicates, objects)


@st.composite
def where(draw: st.DrawFn) -> str:
    first = draw(pattern)
    more = draw(pattern)
    return (
        "{ "
        + draw(
            st.sampled_from(
                [
                    first,
                    first,
                    f"?x <urn:p> ?y . {first}",
                    f"?x ?p ?y . OPTIONAL {{ {more} }}",
                    f"{{ {first} }} UNION {{ {more} }}",
                    f"?x ?p ?y FILTER NOT EXISTS {{ {more} }}",
                    f"?x ?p ?y MINUS {{ {more} }}",
                    f"{{ SELECT ?x (COUNT(*) AS ?y) WHERE {{ {first} }} GROUP BY ?x }}",
                    f"{{ SELECT ?x ?y WHERE {{ {first} }} ORDER BY ?x LIMIT 2 }}",
                    "?x a ?y BIND(NOW() AS ?z)",
                    "?x a ?y BIND(RAND() AS ?z)",
                    'VALUES (?x ?y) { (<urn:a> "}") (UNDEF 2) }',
                    "?x ?p ?y FILTER(isBlank(?x))",
                    "GRAPH ?g { ?x ?p ?y }",
                    "GRAPH ?g {} BIND(?g AS ?x) BIND(1 AS ?y)",
                    "?x <urn:p>/<urn:q>* ?y",
                    "?x ?p ?y FILTER(?x<?y&&?y>?x)",
                    "",
                ]
            )
        )
        + " }"
    )


@st.composite
def modify(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 4)) == 0:
        return f"DELETE WHERE {{ {draw(pattern)} }}"
    parts = []
    if draw(st.booleans()):
        parts.append("WITH <urn:g>")
    kinds = draw(st.sampled_from(["d", "i", "di"]))
    if "d" in kinds:
        parts.append(f"DELETE {{ {draw(pattern)} }}")
    if "i" in kinds:
        value = st.one_of(objects, st.sampled_from(["_:new", "[ <urn:p> ?x ]", "( ?x ?y )"]))
        parts.append(f"INSERT {{ {draw(triples(subjects, predicates, value))} }}")
    parts += draw(st.sampled_from([[], [], ["USING <urn:h>"], ["USING <urn:h> USING NAMED <urn:g>"]]))
    return " ".join([*parts, "WHERE", draw(where())])


def joined(parts: list[str]) -> str:
    """One request; a name of a blank node belongs to one operation."""
    return " ; ".join(re.sub(r"_:(\w+)", rf"_:\g<1>{n}", part) for n, part in enumerate(parts))


names = st.sampled_from(["DEFAULT", "GRAPH <urn:g>", "GRAPH <urn:h>", "GRAPH <urn:none>"])
manage = st.one_of(
    st.builds("{} SILENT {}".format, st.sampled_from(["CLEAR", "DROP"]), names),
    st.sampled_from(["CLEAR NAMED", "DROP ALL", "CREATE SILENT GRAPH <urn:new>"]),
    st.builds("{} SILENT {} TO {}".format, st.sampled_from(["ADD", "MOVE", "COPY"]), names, names),
)
requests = st.lists(st.one_of(data(), modify(), modify(), manage), min_size=1, max_size=3).map(joined)
REPEATABLE = ("NOW", "RAND", "LIMIT")


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(there, requests)
def test_random_updates_do_what_is_predicted(quads: list[Quad], text: str) -> None:
    store = sample_store(*quads)
    again = not any(word in text for word in REPEATABLE)
    try:
        assert difference(store, text, PREFIXES, again=again) == "", text
    except NotTaken as error:
        assert "with blank nodes" in error.what


# On disk, in several steps


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path / "store") as store:
        store.insert([*quads(sample_store()), Quad(BlankNode("b"), P, BlankNode("c"), G)])
        yield store


STEPS = (
    "INSERT { ?x <urn:q> _:n } WHERE { ?x a tinyc:Device }",
    "DELETE { ?x <urn:q> ?y } INSERT { ?y <urn:q> ?x } WHERE { ?x <urn:q> ?y }",
    "WITH <urn:g> DELETE { ?x <urn:p> ?y } INSERT { ?y <urn:p> ?x } WHERE { ?x <urn:p> ?y }",
    "COPY GRAPH <urn:g> TO DEFAULT",
)


def test_steps_see_what_those_before_them_did(on_disk: EmbeddedStore, tmp_path: Path) -> None:
    assert difference(on_disk, " ;\n".join(STEPS), PREFIXES) == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "store.lock"]
    # What came and went again is no change, though the same in between.
    found = delta.predict(
        "INSERT DATA { <urn:a> <urn:p> 1 } ; DELETE WHERE { <urn:a> ?p ?o } ; "
        "INSERT DATA { <urn:a> <urn:p> 2 }",
        on_disk,
    )
    assert list(found.inserted) == [Quad(NamedNode("urn:a"), P, Literal(2))]


def test_graphs_without_triples_are_seen(on_disk: EmbeddedStore) -> None:
    memory = EmbeddedStore()
    for store in (on_disk, memory):
        store.update("CREATE GRAPH <urn:empty>")
        for first in (
            "CREATE GRAPH <urn:new>",
            "DROP GRAPH <urn:empty>",
            "INSERT DATA { <urn:s> <urn:p> 1 }",
        ):
            asks = "INSERT { ?g <urn:p> 1 } WHERE { GRAPH ?g {} }"
            names = {str(quad.subject) for quad in delta.predict(f"{first} ; {asks}", store).inserted}
            assert ("<urn:new>" in names) == ("CREATE" in first)
            assert ("<urn:empty>" in names) == ("DROP" not in first)
        with pytest.raises(StoreFailed, match="no such graph"):
            delta.predict("DROP GRAPH <urn:none> ; DELETE WHERE { ?s ?p ?o }", store)


def test_blank_nodes_that_are_there_stay_the_same(on_disk: EmbeddedStore) -> None:
    text = "DELETE { GRAPH <urn:g> { ?x ?p ?y } } INSERT { ?y <urn:q> ?x } WHERE { GRAPH ?g { ?x ?p ?y } }"
    found = delta.predict(text, on_disk)
    (gone,), (new,) = found.deleted, found.inserted
    assert (new.subject, new.object) == (gone.object, gone.subject) and gone in set(quads(on_disk))


# Odd texts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\nPREFIX a: <urn:a>",
        "INSERT DATA { <urn:a#b> <urn:p'q> '''}\"''' } # }",
        'INSERT DATA {<urn:s><urn:p>\'}\',"""{\\""""}',
        "PREFIX a:<urn:a#> PREFIX : <urn:b'> INSERT DATA { a:x :p\\#y 1.5e3 } ; INSERT DATA { a: :p :\\'y }",
        "DELETE{?s ?p ?o}INSERT{?s ?p 3}WHERE{?s ?p ?o.FILTER(?o<3)FILTER(?o<3&&3>?o)}",
        "BASE <http://x/#f> INSERT DATA { <a> <b> <#c> } ; DELETE WHERE { ?x <b> <#c> } ;",
        "INSERT { ?s <urn:p> ?where . ?delete ?insert ?s } where { ?s ?insert ?delete }",
        "INSERT { <urn:a> <urn:p> [] } WHERE { VALUES ?x { 1 2 3 } }",
        "INSERT { <urn:a> <urn:p> 1 } WHERE { VALUES ?x { 1 2 3 } }",
        "INSERT { <urn:a> ?p <urn:b> . ?l <urn:p> 2 } WHERE { <urn:s> ?q ?l BIND(<urn:p> AS ?p) }",
    ],
)
def test_odd_texts_are_taken_as_they_are_meant(text: str) -> None:
    store = EmbeddedStore()
    store.insert(Quad(NamedNode("urn:s"), P, value) for value in (Literal(1), Literal(2), BlankNode("b")))
    assert difference(store, text) == ""


@pytest.mark.parametrize(
    "text",
    [
        # A scanner sees an IRI and a parser a comparison with what is behind it.
        "DELETE { ?s ?p ?o } WHERE { ?s ?p ?o FILTER(?o<5#> } INSERT DATA { <urn:a> <urn:b> 1 } #\n) }",
        "INSERT { <urn:a> <urn:b> 1 } WHERE { ?s ?p ?o FILTER(1<'x>') FILTER(1<'x>') }",
        "INSERT { <urn:a> <urn:b> 1 } WHERE { ?s ?p ?o FILTER(?o<a:b#> }\n) }",
        r"INSERT DATA { <urn:\u0061> <urn:b> 1 }",
    ],
)
def test_what_can_be_read_in_two_ways_is_not_taken(text: str) -> None:
    store = EmbeddedStore()
    store.insert([Quad(NamedNode("urn:s"), P, Literal(1))])
    try:
        found = difference(store, text)
    except (TinycError, SyntaxError):
        return
    assert found == ""


def test_what_chance_gives_is_written_as_it_was_checked() -> None:
    store = EmbeddedStore()
    store.insert([Quad(NamedNode("urn:s"), P, Literal(1))])
    found = delta.predict(
        "INSERT { ?s <urn:r> ?r ; <urn:u> ?u ; <urn:n> ?n } WHERE { ?s ?p ?o "
        "BIND(RAND() AS ?r) BIND(UUID() AS ?u) BIND(NOW() AS ?n) }",
        store,
    )
    store.update(found.text)
    assert set(found.inserted) <= quads_in(store) and len(found.inserted) == 3
    with pytest.raises(NotTaken, match="blank nodes"):
        delta.predict("INSERT { ?b <urn:p> 1 } WHERE { ?s ?p ?o BIND(BNODE() AS ?b) }", store)


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "MOST", 10)
    store = EmbeddedStore()
    store.insert(Quad(NamedNode(f"urn:s{n}"), P, Literal(n), G) for n in range(11))
    for text in (
        "DELETE WHERE { GRAPH ?g { ?s ?p ?o } }",
        "CLEAR ALL",
        "INSERT DATA { " + " ".join(f"<urn:a> <urn:p> {n} ." for n in range(11)) + "}",
        "INSERT { ?s <urn:q> ?s . ?s <urn:r> ?s } WHERE { GRAPH <urn:g> { ?s ?p ?o FILTER(?o < 6) } }",
    ):
        with pytest.raises(delta.TooLarge, match="more than 10 triples"):
            delta.predict(text, store)
    assert delta.predict("DELETE { GRAPH <urn:g> { ?s ?p 1 } } WHERE { GRAPH <urn:g> { ?s ?p 1 } }", store)


def test_operations_keep_their_words() -> None:
    (found,) = operations("with<urn:g>delete{?s ?p $o}using named<urn:h>where{?s ?p ?o .FILTER(now()>?o)}")
    assert found.text == (
        "WITH <urn:g> DELETE {?s ?p $o} USING NAMED <urn:h> WHERE {?s ?p ?o .FILTER(now()>?o)}"
    )
    for text in (
        "DELETE",
        "INSERT DATA { <urn:a> <urn:b> 1",
        "SELECT * { ?s ?p ?o }",
        "CLEAR",
        "COPY DEFAULT",
    ):
        with pytest.raises(NotTaken):
            operations(text)


def test_the_comparison_tells_wrong_from_right() -> None:
    some = [Quad(BlankNode("a"), P, Literal(1)), Quad(BlankNode("b"), P, Literal(2))]
    assert same(some, [Quad(BlankNode("x"), P, Literal(1)), Quad(BlankNode("y"), P, Literal(2))])
    assert not same(some, [Quad(BlankNode("x"), P, Literal(1)), Quad(BlankNode("x"), P, Literal(2))])
    store = EmbeddedStore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delta._View, "_manage", lambda self, step: ([], []))
        store.insert([Quad(NamedNode("urn:s"), P, Literal(1))])
        assert difference(store, "CLEAR ALL").startswith("predicted -0 +0")
