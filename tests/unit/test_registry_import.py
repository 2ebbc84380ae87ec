"""Importing RDF files: all of it or nothing, with the place of every mistake."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, parse, serialize

from support.command_line import tinyc
from support.registry_sample import BOARD, DEVICE, SAMPLE, literals, quads_in, sample_store
from tinyc.errors import TinycError
from tinyc.registry.formats import staging
from tinyc.registry.formats.importing import Imported, import_all
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.vocabulary import SCHEMA, TINYC

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 1, tzinfo=UTC)
GRAPH = NamedNode("urn:x:graph")
PREFIXES = "@prefix tinyc: <urn:tinyc:ns#> . @prefix schema: <https://schema.org/> .\n"


def take(store: EmbeddedStore, *paths: Path, **options: object) -> Imported:
    return import_all(store, [str(path) for path in paths], now=NOW, **options)  # type: ignore[arg-type]


def file(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


SUFFIXES = {
    ".ttl": RdfFormat.TURTLE,
    ".nt": RdfFormat.N_TRIPLES,
    ".nq": RdfFormat.N_QUADS,
    ".trig": RdfFormat.TRIG,
    ".rdf": RdfFormat.RDF_XML,
    ".jsonld": RdfFormat.JSON_LD,
}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sample{suffix}"
    triples = (quad.triple for quad in parse(path=str(SAMPLE)))
    serialize(triples, str(path), format=SUFFIXES[suffix])
    store = EmbeddedStore()
    done = take(store, path)
    assert quads_in(store) == quads_in(sample_store())
    assert (done.quads, done.devices) == (store.count(), 0)


def test_a_graph_is_for_triples_that_have_none(tmp_path: Path) -> None:
    path = file(tmp_path, "a.trig", "<urn:x:a> <urn:x:p> 1 . <urn:x:g> { <urn:x:a> <urn:x:p> 2 }")
    store = EmbeddedStore()
    take(store, path, graph=GRAPH)
    assert {(quad.object.value, quad.graph_name) for quad in quads_in(store)} == {  # type: ignore[union-attr]
        ("1", GRAPH),
        ("2", NamedNode("urn:x:g")),
    }


def test_the_same_file_twice_is_the_file_once(tmp_path: Path) -> None:
    path = file(
        tmp_path, "a.ttl", "<urn:x:a> <urn:x:p> [ <urn:x:q> [ <urn:x:q> 1 ], _:b ] . _:b <urn:x:q> 2 ."
    )
    store = EmbeddedStore()
    take(store, path)
    before = quads_in(store)
    take(store, path)
    assert quads_in(store) == before and len(before) == 5
    # Equal names of blank nodes in another file are other nodes.
    take(store, file(tmp_path, "b.ttl", "<urn:x:a> <urn:x:p> _:b . _:b <urn:x:q> 2 . _:b <urn:x:q> 3 ."))
    assert len(quads_in(store)) == 8


BROKEN = {
    "a.ttl": ('<urn:x:a> <urn:x:p> "x" .\n<urn:x:a> <urn:x:p> what .\n', ":2:21"),
    "b.nt": ("<urn:x:a> <urn:x:p> <urn:x: b> .\n", ":1:"),
    "c.trig": ("<urn:x:g> {\n <urn:x:a> <urn:x:p> 1 \n", ":3:1"),
    "d.rdf": ('<?xml version="1.0"?>\n<a>\n<b></a>', ":3:"),
    "e.jsonld": ('{"@id": "urn:x:a",\n "urn:x:p": }', ":2:"),
    "f.nq": ("<urn:x:a> <urn:x:p> <urn:x:b> <urn:x:c> <urn:x:d> .\n", ":1:"),
    "g.json": ('{"@context": "https://www.w3.org/2022/wot/td/v1.1",\n "id": }', ":2:8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_files_say_where(tmp_path: Path, name: str) -> None:
    text, place = BROKEN[name]
    good = file(tmp_path, "0.ttl", "<urn:x:a> <urn:x:p> 1 .")
    path = file(tmp_path, name, text)
    store = EmbeddedStore()
    with pytest.raises(TinycError) as caught:
        take(store, good, path)
    assert caught.value.where.startswith(f"{path}{place}"), caught.value
    assert "malformed" in caught.value.what
    assert store.count() == 0


def test_contexts_are_never_fetched(tmp_path: Path) -> None:
    path = file(
        tmp_path, "a.jsonld", '{"@context": "https://example.org/c.jsonld", "@id": "urn:x:a", "x": 1}'
    )
    with pytest.raises(TinycError, match="none is ever fetched"):
        take(EmbeddedStore(), path)


def test_entities_are_no_bombs(tmp_path: Path) -> None:
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<?xml version="1.0"?>\n<!DOCTYPE r [<!ENTITY e0 "0123456789">{lines}]>\n<r>&e11;</r>'
    with pytest.raises(TinycError, match="entities are not read"):
        take(EmbeddedStore(), file(tmp_path, "a.rdf", text))


WRONG = {
    "wrong kind": (
        '<urn:tinyc:board:x> a tinyc:Board ; schema:name "x" ; tinyc:soc "s" ; tinyc:core "c" ;'
        ' tinyc:flash "much" ; tinyc:ram 1 .',
        "flash",
    ),
    "missing": ('<urn:tinyc:board:x> a tinyc:Board ; schema:name "x" .', "`soc` is missing"),
    "dangling": (
        '<urn:tinyc:device:x:1> a tinyc:Device ; tinyc:chip "1" ; tinyc:board <urn:tinyc:board:gone> .',
        "gone",
    ),
    "second": ("<urn:tinyc:board:microbit> a tinyc:Board ; tinyc:flash 5 .", "has 2 values"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_breaks_the_shapes_is_not_written(tmp_path: Path, name: str) -> None:
    text, words = WRONG[name]
    store = sample_store()
    before = quads_in(store)
    with pytest.raises(TinycError) as caught:
        take(store, file(tmp_path, "a.ttl", PREFIXES + text + "<urn:x:a> <urn:x:p> 1 ."))
    assert words in str(caught.value)
    assert quads_in(store) == before


def test_references_may_lead_into_the_registry_and_into_other_files(tmp_path: Path) -> None:
    site = file(tmp_path, "site.ttl", f'{PREFIXES}<urn:tinyc:site:s> a tinyc:Site ; schema:name "s" .')
    device = file(
        tmp_path,
        "device.ttl",
        f'{PREFIXES}<urn:tinyc:device:microbit:1> a tinyc:Device ; tinyc:chip "1" ;'
        " tinyc:board <urn:tinyc:board:microbit> ; tinyc:site <urn:tinyc:site:s> .",
    )
    store = sample_store()
    with pytest.raises(TinycError, match="breaks the rules"):
        take(store, device)
    take(store, device, site)
    assert literals(store, NamedNode("urn:tinyc:device:microbit:1"), TINYC.chip) == ["1"]


def test_with_replace_the_file_wins(tmp_path: Path) -> None:
    text = f'{PREFIXES}<urn:tinyc:board:microbit> a tinyc:Board ; tinyc:flash 5 ; schema:description "new" .'
    path = file(tmp_path, "a.ttl", text)
    store = sample_store()
    with pytest.raises(TinycError, match="breaks the rules") as caught:
        take(store, path)
    assert "--replace" in caught.value.hint
    take(store, path, replace=True)
    assert literals(store, BOARD, TINYC.flash) == ["5"]
    assert literals(store, BOARD, SCHEMA.description) == ["new"]
    assert literals(store, BOARD, TINYC.ram) == ["131072"]
    # Two values of one file are still wrong.
    both = file(tmp_path, "b.ttl", f"{PREFIXES}<urn:tinyc:board:microbit> a tinyc:Board ; tinyc:flash 6, 7 .")
    with pytest.raises(TinycError, match="breaks the rules"):
        take(store, both, replace=True)
    assert literals(store, BOARD, TINYC.flash) == ["5"]


def test_large_files_go_through_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bounds lowered, the ways of large imports give the same as those of small ones."""
    monkeypatch.setattr(staging, "_IN_MEMORY", 10)
    monkeypatch.setattr(staging, "_AT_ONCE", 10)
    monkeypatch.setattr(staging, "_BATCH", 3)
    store = EmbeddedStore()
    take(store, SAMPLE)
    assert quads_in(store) == quads_in(sample_store())
    folder = file(tmp_path, "a.ttl", f"{PREFIXES}<urn:tinyc:board:x> a tinyc:Board .\n{'# ' * 20}")
    with pytest.raises(TinycError, match="breaks the rules"):
        take(store, folder)


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source, words in (
        (tmp_path / "gone.ttl", "no such file"),
        (file(tmp_path, "a.txt", ""), "does not tell"),
        (file(tmp_path, "a.json", "[1]"), "no Thing Description, item 1"),
        (file(tmp_path, "deep.json", "[" * 100_000), "no JSON that can be read"),
        (tmp_path / "empty", "no file to import"),
    ):
        with pytest.raises(TinycError, match=words):
            take(EmbeddedStore(), source)


@pytest.mark.parametrize("graph", ["x> <y", "no iri", ""])
def test_the_graph_must_be_an_iri(tmp_path: Path, graph: str) -> None:
    tinyc("registry", "init", tmp_path / "r")
    said = tinyc("registry", "import", SAMPLE, "--graph", graph, "--registry", tmp_path / "r")
    assert said.code == 1 and "is no IRI" in said.stderr


def test_the_command(tmp_path: Path) -> None:
    at = ("--registry", tmp_path / "r")
    tinyc("registry", "init", tmp_path / "r")
    said = tinyc("registry", "import", SAMPLE, *at)
    assert (said.code, said.stdout) == (1, "")
    assert "has 2 values where one is allowed" in said.stderr and "--replace" in said.stderr
    said = tinyc("registry", "import", SAMPLE, "--replace", "--json", *at)
    count = sample_store().count()
    assert said.json == {"quads": count, "boards": 0, "models": 0, "devices": 0, "notes": []}
    said = tinyc("registry", "export", "1122334455667788", "--format", "td", *at)
    assert said.json["id"] == DEVICE.value


def test_literals_cannot_become_sparql(tmp_path: Path) -> None:
    evil = '" . <urn:evil> <urn:evil> "x } ; DROP ALL #'
    path = tmp_path / "a.nq"
    quad = Quad(NamedNode("urn:tinyc:site:evil"), SCHEMA.name, Literal(evil), GRAPH)
    kind = Quad(quad.subject, NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"), TINYC.Site)
    serialize([quad, kind], str(path), format=RdfFormat.N_QUADS)
    store = sample_store()
    count = store.count()
    take(store, path)
    assert store.count() == count + 2
    assert literals(store, quad.subject, SCHEMA.name) == [evil]  # type: ignore[arg-type]
