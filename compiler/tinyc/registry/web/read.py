"""Reading the registry for the page: queries with bounds, and things with all that is said of them.

Nothing of a request becomes SPARQL but through a term of pyoxigraph, which writes it as N-Triples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import unquote

from pyoxigraph import Literal, NamedNode

from tinyc.errors import TinycError
from tinyc.registry.names import BASE
from tinyc.registry.store.base import Limits, Rows, Store, Term
from tinyc.registry.vocabulary import PREFIXES, RDF, TINYC, XSD

T = TypeVar("T")
_AT_ONCE = 200
"""So many things are asked for in one query: texts of queries stay short."""
_MOST_KEPT = 500
_NUMBERS = {XSD.integer.value, XSD.int.value, XSD.long.value}
_FRACTIONS = {XSD.decimal.value, XSD.double.value, XSD.float.value}


class NotFound(TinycError):  # noqa: N818
    """There is no such thing in the registry."""


@dataclass(frozen=True, slots=True)
class Node:
    """A thing and what is said of it: values by the IRI of the property."""

    iri: str
    said: dict[str, list[Term]] = field(default_factory=dict)

    def all(self, name: NamedNode) -> list[Term]:
        return self.said.get(name.value, [])

    def value(self, name: NamedNode) -> Any:
        """The first value, as JSON has it; None when there is none."""
        found = self.all(name)
        return plain(found[0]) if found else None

    def iris(self, name: NamedNode) -> list[str]:
        return [term.value for term in self.all(name) if isinstance(term, NamedNode)]

    def is_a(self, kind: NamedNode) -> bool:
        return kind in self.all(RDF.type)


def plain(term: Term | None) -> Any:
    """A term as JSON has it: a number, a truth, or the text of the literal or IRI."""
    if not isinstance(term, Literal):
        return None if term is None else getattr(term, "value", str(term))
    kind = term.datatype.value
    try:
        if kind in _NUMBERS:
            return int(term.value)
        if kind in _FRACTIONS:
            return float(term.value)
    except ValueError:
        return term.value
    return term.value in ("true", "1") if kind == XSD.boolean.value else term.value


def local(iri: str | None, kind: str) -> str | None:
    """The part of one of the registry's IRIs after its kind: how the page calls a thing of that kind."""
    start = f"{BASE}{kind}:"
    return iri[len(start) :] if iri and iri.startswith(start) else iri


def called(iri: str | None, kind: str) -> str | None:
    """The name in one of the registry's IRIs, as people wrote it."""
    return unquote(local(iri, kind) or "") or None


def node_of(text: str, kind: str) -> NamedNode:
    """The thing called `text`: what `local` gave, or a whole IRI."""
    iri = text if text.startswith("urn:") or "://" in text else f"{BASE}{kind}:{text}"
    try:
        return NamedNode(iri)
    except ValueError:
        raise NotFound(f"{text!r} is no name of a {kind}") from None


@dataclass(slots=True)
class Reader:
    """One store, with the bounds of the server. `keep` remembers costly answers for some seconds."""

    store: Store
    limits: Limits
    _kept: dict[str, tuple[float, Any]] = field(default_factory=dict)

    def rows(self, text: str, *, quick: bool = False) -> list[dict[str, Term]]:
        """The rows of a SELECT, without what is unbound. `quick`: a look-up, which needs no clock."""
        limits = Limits(None, self.limits.rows) if quick else self.limits
        answer = self.store.query(text, limits=limits, prefixes=PREFIXES)
        if not isinstance(answer, Rows):
            raise TypeError("the query is no SELECT")
        names = answer.variables
        return [
            {name: term for name, term in zip(names, row, strict=True) if term is not None}
            for row in answer.rows
        ]

    def counts(self, text: str) -> dict[str | None, int]:
        """`?key` → `?n` of a query that groups."""
        found: dict[str | None, int] = {}
        for row in self.rows(text):
            found[plain(row.get("key"))] = int(plain(row["n"]))
        return found

    def number(self, text: str) -> int:
        """`?n` of a query with one row."""
        (row,) = self.rows(text)
        return int(plain(row["n"]))

    def describe(self, iris: Iterable[str | None]) -> dict[str, Node]:
        """All that is said of each of these things; unknown ones have nothing."""
        wanted = sorted({iri for iri in iris if iri})
        nodes = {iri: Node(iri) for iri in wanted}
        for start in range(0, len(wanted), _AT_ONCE):
            values = " ".join(str(NamedNode(iri)) for iri in wanted[start : start + _AT_ONCE])
            for row in self.rows(f"SELECT ?s ?p ?o {{ VALUES ?s {{ {values} }} ?s ?p ?o }}", quick=True):
                said = nodes[row["s"].value].said  # type: ignore[union-attr]
                said.setdefault(row["p"].value, []).append(row["o"])  # type: ignore[union-attr]
        return nodes

    def the(self, node: NamedNode, kind: NamedNode, word: str) -> Node:
        """The node, or NotFound when it is no `kind`."""
        found = self.describe([node.value])[node.value]
        if not found.is_a(kind):
            raise NotFound(f"the registry knows no {word} {local(node.value, word)!r}")
        return found

    def keep(self, key: str, seconds: float, make: Callable[[], T]) -> T:
        """What `make` gave at most `seconds` ago, or ten times as long ago as it took."""
        start = monotonic()
        kept = self._kept.get(key)
        if kept is None or start > kept[0]:
            made = make()
            end = monotonic()
            if len(self._kept) > _MOST_KEPT:
                self._kept.clear()
            kept = (end + max(seconds, 10 * (end - start)), made)
            self._kept[key] = kept
        result: T = kept[1]
        return result


def values(variable: str, iris: Sequence[str]) -> str:
    """A VALUES block."""
    return f"VALUES ?{variable} {{ {' '.join(str(NamedNode(iri)) for iri in iris)} }}"


def drift_word(node: Node) -> str | None:
    """stable, warning or drifted."""
    found = node.iris(TINYC.drift)
    return found[0].removeprefix(TINYC.iri).lower() if found else None
