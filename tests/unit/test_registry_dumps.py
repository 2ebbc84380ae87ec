"""Dumps of a registry: what is written is what is read again."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Triple, parse

from support.command_line import tinyc
from support.registry_sample import BOARD, DEVICE, MODEL, SAMPLE, quads_in, sample_store
from tinyc.registry.formats import dumps
from tinyc.registry.store.embedded import EmbeddedStore

pytestmark = pytest.mark.unit

SITE = NamedNode("urn:tinyc:graph:site-1")
MORE = (
    Quad(
        NamedNode("urn:x:a"),
        NamedNode("urn:x:p"),
        Literal('tab\t "quoted" \\ \n \r \u2028 é \U0001f600'),
        SITE,
    ),
    Quad(NamedNode("urn:x:a"), NamedNode("urn:x:p"), Literal("hello", language="en-GB"), SITE),
    Quad(BlankNode("b1"), NamedNode("urn:x:p"), BlankNode("b2"), SITE),
    Quad(BlankNode("b1"), NamedNode("urn:x:p"), NamedNode("urn:x:a")),
)


def written(store: EmbeddedStore, name: str, *, graphs: bool = True) -> bytes:
    out = io.BytesIO()
    dumps.write(dumps.everything(store, graphs=graphs), out, name)
    return out.getvalue()


def canonical(quads: list[Quad]) -> set[Quad]:
    """Quads with blank nodes that are named by what is said of them."""
    from pyoxigraph import CanonicalizationAlgorithm, Dataset

    dataset = Dataset(quads)
    dataset.canonicalize(CanonicalizationAlgorithm.UNSTABLE)
    return set(dataset)


@pytest.mark.parametrize("name", ["nquads", "trig", "jsonld"])
def test_everything_is_read_back(name: str) -> None:
    store = sample_store(*MORE)
    data = written(store, name)
    again = list(parse(data, format=dumps.FORMATS[name]))
    assert canonical(again) == canonical(list(quads_in(store)))
    assert len(again) == store.count()


def test_turtle_has_every_triple_whatever_its_graph() -> None:
    twice = Quad(MODEL, NamedNode("urn:x:p"), Literal("1"))
    store = sample_store(*MORE, twice, Quad(twice.subject, twice.predicate, twice.object, SITE))
    again = [
        Quad(*quad.triple) for quad in parse(written(store, "turtle", graphs=False), format=RdfFormat.TURTLE)
    ]
    assert canonical(again) == canonical([Quad(*quad.triple) for quad in quads_in(store)])


def test_the_triple_of_two_graphs_stays_in_both() -> None:
    triple = Triple(MODEL, NamedNode("urn:x:p"), Literal("1"))
    quads = [Quad(*triple), Quad(*triple, SITE)]
    store = EmbeddedStore()
    store.insert(quads)
    assert set(parse(written(store, "nquads"), format=RdfFormat.N_QUADS)) == set(quads)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=5))
def test_any_text_is_read_back(texts: list[str]) -> None:
    store = EmbeddedStore()
    store.insert(Quad(NamedNode("urn:x:a"), NamedNode("urn:x:p"), Literal(text)) for text in texts)
    for name in ("nquads", "trig", "jsonld"):
        found = list(parse(written(store, name), format=dumps.FORMATS[name]))
        assert {quad.object.value for quad in found} == set(texts)  # type: ignore[union-attr]


def test_an_empty_registry() -> None:
    store = EmbeddedStore()
    assert written(store, "nquads") == b""
    for name in ("turtle", "trig", "jsonld"):
        assert list(parse(written(store, name), format=dumps.FORMATS[name])) == []


def test_one_thing_has_its_parts_and_nothing_of_others() -> None:
    store = sample_store()
    device = {quad.subject.value for quad in dumps.one(store, DEVICE)}  # type: ignore[union-attr]
    assert DEVICE.value in device
    assert {each.rpartition(":")[0] for each in device} >= {
        "urn:tinyc:deployment",
        "urn:tinyc:state:nrf52840:1122334455667788",
    }
    assert "urn:tinyc:guard:nrf52840:1122334455667788:1" in device
    assert not [each for each in device if each.startswith(("urn:tinyc:model", "urn:tinyc:device:microbit"))]
    model = {quad.subject.value.split(":")[2] for quad in dumps.one(store, MODEL)}  # type: ignore[union-attr]
    assert model == {"model", "bill", "evaluation", "derivation", "activity"}
    assert {quad.subject for quad in dumps.one(store, BOARD)} == {BOARD}


def test_the_same_registry_is_the_same_text() -> None:
    first, second = (io.BytesIO(), io.BytesIO())
    for out in (first, second):
        dumps.write(dumps.one(sample_store(), DEVICE), out, "turtle")
    assert first.getvalue() == second.getvalue()
    assert first.getvalue().startswith(b"@prefix tinyc: <urn:tinyc:ns#> .\n")


def test_a_large_dump_needs_little_memory() -> None:
    store = EmbeddedStore()
    count = 12_000
    store.insert(
        Quad(NamedNode(f"urn:x:{n}"), NamedNode("urn:x:p"), Literal("x" * 60), SITE) for n in range(count)
    )

    class Counting(io.RawIOBase):
        size = 0

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            length = len(data)  # type: ignore[arg-type]
            self.size += length
            return length

    for name in ("nquads", "trig", "jsonld", "turtle"):
        out = Counting()
        tracemalloc.start()
        dumps.write(dumps.everything(store, graphs=name != "turtle"), out, name)  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert out.size > 900_000
        assert peak < 400_000


def test_a_dump_by_the_command(tmp_path: Path) -> None:
    at = ("--registry", tmp_path / "a")
    tinyc("registry", "init", tmp_path / "a")
    assert tinyc("registry", "import", SAMPLE, "--replace", *at).code == 0
    said = tinyc("registry", "export", "--format", "nquads", "--out", tmp_path / "all.nq", *at)
    assert (said.code, said.stdout) == (0, "")
    shown = tinyc("registry", "export", "--format", "nquads", *at)
    assert shown.stdout.encode() == (tmp_path / "all.nq").read_bytes()
    # Another registry, made of the dump alone, is equal.
    other = ("--registry", tmp_path / "b")
    tinyc("registry", "init", tmp_path / "b")
    assert tinyc("registry", "import", tmp_path / "all.nq", "--replace", *other).code == 0
    again = tinyc("registry", "export", "--format", "nquads", *other)
    assert sorted(again.stdout.splitlines()) == sorted(shown.stdout.splitlines())


def test_a_file_that_cannot_be_written_is_not_begun(tmp_path: Path) -> None:
    at = ("--registry", tmp_path / "a")
    tinyc("registry", "init", tmp_path / "a")
    out = tmp_path / "kept.trig"
    out.write_text("before")
    said = tinyc("registry", "export", "nobody", "--out", out, *at)
    assert said.code == 1 and "knows no board" in said.stderr
    said = tinyc("registry", "export", "--format", "mlbom", "--out", out, *at)
    assert said.code == 1 and "tells of one thing" in said.stderr
    assert out.read_text() == "before"
    assert sorted(each.name for each in tmp_path.iterdir() if "kept" in each.name) == ["kept.trig"]
    said = tinyc("registry", "export", "--out", tmp_path / "no" / "such" / "x.trig", *at)
    assert said.code == 1 and "cannot be written" in said.stderr
