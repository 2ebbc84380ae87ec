"""Everything in a registry, or one thing with what belongs to it, as RDF; streamed, in bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import IO, cast

from pyoxigraph import BlankNode, NamedNode, Quad, RdfFormat, Triple, serialize

from tinyc.registry.store.base import EVERYTHING, STANDARD, Rows, Scope, Store, Term
from tinyc.registry.store.endpoint import EndpointStore
from tinyc.registry.vocabulary import PREFIXES, PROV, TINYC

FORMATS: dict[str, RdfFormat] = {
    "turtle": RdfFormat.TURTLE,
    "nquads": RdfFormat.N_QUADS,
    "trig": RdfFormat.TRIG,
    "jsonld": RdfFormat.JSON_LD,
}
# What a thing has for itself, and is told of with it.
_PARTS = (
    TINYC.bill,
    TINYC.layerBill,
    TINYC.budget,
    TINYC.evaluation,
    TINYC.guardMetric,
    TINYC.learnedState,
    PROV.qualifiedDerivation,
    PROV.wasGeneratedBy,
)
# Whose these properties are belongs to the thing that they name.
_OWNERS = (TINYC.device,)
_MOST_DEPTH = 4
_PREFIX = b"@prefix "


def everything(store: Store, *, graphs: bool) -> Iterator[Quad]:
    """All quads, or without `graphs` all triples whatever graph they are in.

    A triple of several graphs may then come several times, which in RDF says nothing else.
    """
    found = _all_graphs(store)
    return found if graphs else (Quad(quad.subject, quad.predicate, quad.object) for quad in found)


def _all_graphs(store: Store) -> Iterator[Quad]:
    named = _quads(store, "SELECT ?s ?p ?o ?g { GRAPH ?g { ?s ?p ?o } }", STANDARD)
    first = next(named, None)
    system = store.system_graphs if isinstance(store, EndpointStore) else ()
    for quad in itertools.chain([first] if first else [], named):
        if not (system and str(quad.graph_name).lstrip("<").startswith(system)):
            yield quad
    if not system:
        yield from _quads(store, "SELECT ?s ?p ?o { ?s ?p ?o }", STANDARD)


def one(store: Store, iri: NamedNode) -> list[Quad]:
    """A thing and its parts, in the default graph, sorted."""
    found: dict[Quad, None] = {}
    for path in _paths(iri):
        for quad in _quads(store, f"SELECT DISTINCT ?s ?p ?o {{ {path} ?s ?p ?o }}", EVERYTHING):
            found[quad] = None
    return sorted(found, key=str)


def _paths(iri: NamedNode) -> Iterator[str]:
    """Patterns that bind ?s to the thing, to what belongs to it and to that of the latter."""
    parts = "|".join(map(str, _PARTS))
    owned = "|".join(f"^{owner}" for owner in _OWNERS)
    yield f"VALUES ?s {{ {iri} }}"
    for depth in range(1, _MOST_DEPTH):
        steps = "/".join([f"({parts}|{owned})"] + [f"({parts})"] * (depth - 1))
        yield f"{iri} {steps} ?s ."


def write(quads: Iterator[Quad] | list[Quad], out: IO[bytes], name: str) -> None:
    """Serialize in the format called `name`. Raises OSError."""
    format = FORMATS[name]
    items: Iterator[Quad] | Iterator[Triple] = iter(quads)
    if not format.supports_datasets:
        items = (quad.triple for quad in quads)
    if format in (RdfFormat.N_QUADS, RdfFormat.JSON_LD):
        serialize(items, out, format=format)
    else:
        serialize(items, cast(IO[bytes], _Headed(out)), format=format, prefixes=PREFIXES)


class _Headed:
    """Writes prefixes in a fixed order; the serializer's own come in any."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._start: bytes | None = b""
        for name, iri in PREFIXES.items():
            out.write(f"@prefix {name}: <{iri}> .\n".encode())

    def write(self, data: bytes) -> int:
        if self._start is None:
            self._out.write(data)
            return len(data)
        # Whole lines of the serializer's head are dropped; what follows the head is not looked at.
        self._start += data
        while b"\n" in self._start and self._start.startswith(_PREFIX):
            self._start = self._start.partition(b"\n")[2]
        if len(self._start) >= len(_PREFIX) and not self._start.startswith(_PREFIX):
            self._out.write(self._start)
            self._start = None
        return len(data)

    def flush(self) -> None:
        self._out.flush()


def _quads(store: Store, text: str, scope: Scope) -> Iterator[Quad]:
    answer = store.query(text, scope=scope)
    assert isinstance(answer, Rows)
    for row in answer.rows:
        yield _quad(*row)


def _quad(
    subject: Term | None, predicate: Term | None, value: Term | None, graph: Term | None = None
) -> Quad:
    # What a store gives for these variables is nothing else.
    assert isinstance(subject, NamedNode | BlankNode)
    assert isinstance(predicate, NamedNode) and value is not None
    if graph is None:
        return Quad(subject, predicate, value)
    assert isinstance(graph, NamedNode | BlankNode)
    return Quad(subject, predicate, value, graph)
