"""What every store of the registry can do, and what queries answer.

Terms, triples and quads are pyoxigraph's everywhere. rdflib's own engine runs no query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Triple

from tinyc.registry.store.errors import LimitReached

Term = NamedNode | BlankNode | Literal | Triple
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take: seconds, and rows or triples of its answer. None is without a limit."""

    seconds: float | None = None
    rows: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Scope:
    """The graphs that a query sees.

    `union`: its default graph is the union of all graphs. `default` and `named` choose graphs instead, as
    `default-graph-uri` and `named-graph-uri` of the SPARQL protocol do; with any of them `union` says
    nothing.
    """

    union: bool = True
    default: tuple[NamedNode, ...] = ()
    named: tuple[NamedNode, ...] = ()


EVERYTHING = Scope()
STANDARD = Scope(union=False)
"""The default graph alone, as the SPARQL specification has it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to SELECT: a column for each variable, None where it is unbound. Read once."""

    variables: tuple[str, ...]
    rows: Iterator[tuple[Term | None, ...]]


@dataclass(frozen=True, slots=True)
class Truth:
    """The answer to ASK."""

    value: bool


@dataclass(frozen=True, slots=True)
class Triples:
    """The answer to CONSTRUCT and DESCRIBE. Read once."""

    triples: Iterator[Triple]


Answer = Rows | Truth | Triples


class Store(Protocol):
    """A set of quads behind SPARQL 1.1.

    Everything raises `StoreFailed` when the store cannot be reached, `SparqlSyntaxError` for text that is no
    SPARQL, `LimitReached` for a query that takes too much. Reading an answer may raise them too.
    """

    def query(
        self,
        text: str,
        *,
        limits: Limits = NO_LIMITS,
        prefixes: Mapping[str, str] | None = None,
        scope: Scope = EVERYTHING,
    ) -> Answer:
        """The answer of a query. Its default graph is the union of all graphs unless `scope` says otherwise.

        With `limits.rows`, reading gives that many rows and then raises `LimitReached` if there are more.
        """
        ...

    def update(self, text: str, *, prefixes: Mapping[str, str] | None = None) -> None:
        """Run one update request: all of it or nothing. It survives a power cut once this returns."""
        ...

    def insert(self, quads: Iterable[Quad]) -> None:
        """Add all quads or none, and keep them as `update` does."""
        ...

    def load(self, path: Path, format: RdfFormat, *, graph: NamedNode | None = None) -> None:
        """Bulk load of a file, fast and not in one piece."""
        ...

    def count(self) -> int:
        """How many quads there are."""
        ...

    def close(self) -> None:
        """Let go of the store; answers that are still being read end."""
        ...


def capped(items: Iterator[T], limits: Limits) -> Iterator[T]:
    """`items`, up to the limit; `LimitReached` after it when there are more."""
    if limits.rows is None:
        yield from items
        return
    for count, item in enumerate(items):
        if count == limits.rows:
            raise too_many_rows(limits.rows)
        yield item


def too_many_rows(rows: int) -> LimitReached:
    return LimitReached(
        f"the answer has more than {rows} rows",
        limit="rows",
        hint="ask for less with LIMIT, or raise the limit",
    )


def too_slow(seconds: float) -> LimitReached:
    return LimitReached(
        f"the query takes more than {seconds:g} s",
        limit="seconds",
        hint="ask for less, or raise the limit of time",
    )


def quads(store: Store) -> Iterator[Quad]:
    """Everything in a store, for dumps."""
    parts = (
        "SELECT ?s ?p ?o ?g WHERE { GRAPH ?g { ?s ?p ?o } }",
        "SELECT ?s ?p ?o WHERE { ?s ?p ?o }",
    )
    for text in parts:
        answer = store.query(text, scope=STANDARD)
        assert isinstance(answer, Rows)
        for subject, predicate, object_, *graph in answer.rows:
            name = graph[0] if graph else DefaultGraph()
            yield Quad(subject, predicate, object_, name)  # type: ignore[arg-type]
