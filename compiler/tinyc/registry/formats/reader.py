"""Reading single things out of a store: what it says of an IRI, and the IRI that a user means by a name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pyoxigraph import BlankNode, Literal, NamedNode

from tinyc.errors import Problem, TinycError
from tinyc.registry import models, names, pages
from tinyc.registry.store.base import Rows, Store, Term
from tinyc.registry.vocabulary import RDF, TINYC

# Nothing has so many values of its own that a page of it would be of use to anybody.
_MOST_VALUES = 10_000
_CACHED = 4096

Properties = Mapping[NamedNode, tuple[Term, ...]]


@dataclass(frozen=True, slots=True)
class Node:
    """A thing and its properties. Literals of the wrong kind count as missing."""

    name: str
    properties: Properties

    def all(self, predicate: NamedNode) -> tuple[Term, ...]:
        return self.properties.get(predicate, ())

    def iris(self, predicate: NamedNode) -> tuple[NamedNode, ...]:
        return tuple(value for value in self.all(predicate) if isinstance(value, NamedNode))

    def iri(self, predicate: NamedNode) -> NamedNode | None:
        return next(iter(self.iris(predicate)), None)

    def texts(self, predicate: NamedNode) -> tuple[str, ...]:
        return tuple(value.value for value in self.all(predicate) if isinstance(value, Literal))

    def text(self, predicate: NamedNode) -> str:
        """The first value, or nothing."""
        return next(iter(self.texts(predicate)), "")

    def integer(self, predicate: NamedNode) -> int | None:
        text = self.text(predicate)
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None

    def truth(self, predicate: NamedNode) -> bool:
        return self.text(predicate) in ("true", "1")

    def is_a(self, kind: NamedNode) -> bool:
        return kind in self.all(RDF.type)

    @property
    def known(self) -> bool:
        """Whether the store says anything of it."""
        return bool(self.properties)


class Reader:
    """Reads one store. What many things share (boards, models, firmware) is asked for once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.shared = lru_cache(_CACHED)(self.node)

    def rows(self, text: str) -> Iterator[tuple[Term | None, ...]]:
        answer = self.store.query(text)
        assert isinstance(answer, Rows)
        return answer.rows

    def node(self, iri: NamedNode) -> Node:
        return Node(
            iri.value, _grouped(self.rows(f"SELECT DISTINCT ?p ?o {{ {iri} ?p ?o }} LIMIT {_MOST_VALUES}"))
        )

    def nodes(self, iri: NamedNode, predicate: NamedNode) -> tuple[Node, ...]:
        """The things that `iri` has for `predicate`, blank ones too, in the order of their names."""
        found: dict[str, list[tuple[Term | None, ...]]] = {}
        text = f"SELECT DISTINCT ?n ?p ?o {{ {iri} {predicate} ?n . ?n ?p ?o }} LIMIT {_MOST_VALUES}"
        for node, *rest in self.rows(text):
            if isinstance(node, NamedNode | BlankNode):
                found.setdefault(node.value, []).append(tuple(rest))
        return tuple(Node(name, _grouped(iter(found[name]))) for name in sorted(found))

    def subjects(self, predicate: NamedNode, value: Term) -> tuple[NamedNode, ...]:
        """Whatever has `value` for `predicate`, sorted."""
        rows = self.rows(f"SELECT DISTINCT ?s {{ ?s {predicate} {value} }} LIMIT {_MOST_VALUES}")
        return tuple(
            sorted((row[0] for row in rows if isinstance(row[0], NamedNode)), key=lambda each: each.value)
        )

    def of_class(self, kind: NamedNode) -> Iterator[NamedNode]:
        """Everything of a class, in the order of the store; however many there are."""
        for (iri,) in self.rows(f"SELECT DISTINCT ?s {{ ?s a {kind} }}"):
            if isinstance(iri, NamedNode):
                yield iri


def _grouped(rows: Iterator[tuple[Term | None, ...]]) -> Properties:
    found: dict[NamedNode, list[Term]] = {}
    for predicate, value in rows:
        if isinstance(predicate, NamedNode) and value is not None:
            found.setdefault(predicate, []).append(value)
    # Stores answer in any order; files must not depend on it.
    return {key: tuple(sorted(found[key], key=str)) for key in sorted(found, key=lambda each: each.value)}


def find(store: Store, text: str) -> NamedNode:
    """The thing that `text` names: an IRI, a board, a model (`NAME` for its newest version, or
    `NAME@VERSION`), the chip of a device, or the beginning of a firmware's identity.

    Raises TinycError when nothing, or more than one thing, is meant.
    """
    reader = Reader(store)
    if text.startswith("urn:") or "://" in text:
        try:
            iri = NamedNode(text)
        except ValueError as error:
            raise TinycError(f"{text!r} is no IRI", allowed="an IRI or a name") from error
        if reader.node(iri).known:
            return iri
        raise TinycError(f"the registry knows nothing of {text}")
    board = names.board(text)
    if reader.node(board).is_a(TINYC.Board):
        return board
    found = pages.find(store, text)
    if found and all(each.kind == "model" for each in found):
        return models.find(store, text).iri
    if len(found) > 1:
        raise TinycError(
            f"{text!r} may be several things",
            problems=[Problem(each.kind, each.iri.value) for each in found],
            hint="name one by its IRI",
        )
    if not found:
        raise TinycError(
            f"the registry knows no board, model, device or firmware called {text!r}",
            allowed="a board, MODEL or MODEL@VERSION, a chip number, the beginning of an identity, or an IRI",
        )
    return found[0].iri
