"""What an update request would do to a store, found out without running it there.

The store is asked for the solutions of each pattern. Oxigraph itself then fills the templates, in an empty
store. What an operation finds after others of the same request have changed something is asked of a copy of
the store.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pyoxigraph
from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, Triple

from tinyc.registry.store import faults
from tinyc.registry.store.base import STANDARD, Answer, Limits, Rows, Scope, Store, Term
from tinyc.registry.store.embedded import EmbeddedStore, answer
from tinyc.registry.store.endpoint import EndpointStore
from tinyc.registry.store.errors import LimitReached, SparqlSyntaxError
from tinyc.registry.update_text import Data, Manage, Modify, NotTaken, Operation, operations, unclear

MOST = 200_000
"""Quads that one request may change, and solutions that one pattern may have."""
_NOT_AGAIN = frozenset(
    {"RAND", "UUID", "STRUUID", "NOW", "BNODE", "SAMPLE", "GROUP_CONCAT", "LIMIT", "OFFSET"}
)
"""What may give something else when a pattern is asked once more."""
_ROW = "tinyc_row"
Graph = NamedNode | BlankNode | DefaultGraph


class TooLarge(NotTaken):
    """An update that changes more than can be checked at once."""


@dataclass(slots=True)
class Delta:
    """Quads that go and quads that come. A quad that comes may be there already, and one that goes may not.

    `text` is the request to run: it does what was predicted.
    """

    deleted: dict[Quad, None] = field(default_factory=dict)
    inserted: dict[Quad, None] = field(default_factory=dict)
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.deleted or self.inserted)

    def then(self, deleted: Iterable[Quad], inserted: Iterable[Quad]) -> None:
        """Follow it with another change, which deletes first. Raises TooLarge."""
        for quad in deleted:
            self.inserted.pop(quad, None)
            self.deleted[quad] = None
        for quad in inserted:
            self.deleted.pop(quad, None)
            self.inserted[quad] = None
        if len(self.deleted) + len(self.inserted) > MOST:
            raise _too_large()


def predict(text: str, store: Store, prefixes: Mapping[str, str] | None = None) -> Delta:
    """What the request `text`, which is valid SPARQL without LOAD and SERVICE, would change in `store`.

    Raises NotTaken for what cannot be said beforehand, and TinycError as the store does.
    """
    found = Delta()
    done: list[_Done] = []
    with ExitStack() as copies:
        seen = _View(store, dict(prefixes or {}))
        for step in operations(text, prefixes):
            changed = found or any(isinstance(each.step, Manage) for each in done)
            if changed and seen.copy is None and not isinstance(step, Data):
                seen.copy = _copy(store, copies)
                for each in done:
                    seen.follow(each)
            try:
                last = seen.foresee(step)
            except (SyntaxError, SparqlSyntaxError):
                # The request is valid, so this is about a text that can be read in two ways.
                raise unclear() from None
            found.then(last.deleted, last.inserted)
            seen.follow(last)
            done.append(last)
        seen.copy = None
    found.text = ";\n".join(each.text for each in done)
    return found


@dataclass(frozen=True, slots=True)
class _Done:
    """The quads that `step` deletes, then those that it inserts, and the text that does so."""

    step: Operation
    deleted: list[Quad]
    inserted: list[Quad]
    text: str


def _copy(store: Store, copies: ExitStack) -> pyoxigraph.Store:
    if not isinstance(store, EmbeddedStore):
        raise NotTaken(
            "the operations of this update build on each other, and at an endpoint they cannot be checked "
            "together",
            hint="send them as separate requests",
        )
    return copies.enter_context(store.copied())


@dataclass(slots=True)
class _View:
    """The store as it is when an operation runs: itself, or a copy that has been changed."""

    store: Store
    prefixes: dict[str, str]
    copy: pyoxigraph.Store | None = None

    @property
    def _default(self) -> NamedNode | None:
        """The graph that stands for the default graph."""
        return self.store.graph if isinstance(self.store, EndpointStore) else None

    def follow(self, done: _Done) -> None:
        """Do to the copy, if there is one, what a step does. Blank nodes keep the names they were given."""
        if self.copy is None:
            return
        if isinstance(done.step, Manage):
            # This makes and removes graphs without triples, too.
            with faults.explained():
                self.copy.update(f"{done.step.prologue} {done.step.body}", prefixes=self.prefixes)
            return
        for quad in done.deleted:
            self.copy.remove(quad)
        self.copy.extend(done.inserted)

    def foresee(self, step: Operation) -> _Done:
        if isinstance(step, Data):
            quads = self._fill(f"{step.prologue} INSERT DATA {step.quads}")
            return _Done(step, *(([], quads) if step.verb == "INSERT" else (quads, [])), step.text)
        if isinstance(step, Manage):
            return _Done(step, *self._manage(step), step.text)
        return _Done(step, *self._modify(step))

    def _modify(self, step: Modify) -> tuple[list[Quad], list[Quad], str]:
        names = " ".join(f"?{name}" for name in step.variables) or f"(1 AS ?{_ROW})"
        # Each solution makes blank nodes of its own.
        distinct = "" if step.blank else "DISTINCT"
        clauses, scope = self._dataset(step)
        text = f"{step.prologue} SELECT {distinct} {names} {clauses} WHERE {step.where}"
        rows = list(self._rows(text, scope))
        blanks = _Names()
        values = blanks.values(step.variables or (_ROW,), rows)
        start = f"{step.prologue} WITH {step.graph}" if step.graph else step.prologue
        deleted, inserted = (
            blanks.undone(self._fill(f"{start} INSERT {template} WHERE {{ {values} }}")) if template else []
            for template in (step.delete, step.insert)
        )
        if step.words.isdisjoint(_NOT_AGAIN):
            return deleted, inserted, step.text
        if blanks:
            word = sorted(step.words & _NOT_AGAIN)[0]
            raise NotTaken(
                f"{word} together with blank nodes cannot be checked", hint="write the values themselves"
            )
        return deleted, inserted, step.with_pattern(f"{{ {values} }}")

    def _dataset(self, step: Modify) -> tuple[str, Scope]:
        """The graphs that a pattern looks at: clauses of the query, or a scope."""
        if step.using:
            return " ".join(f"FROM {graph}" for graph in step.using), STANDARD
        graph = step.graph or str(self._default or "")
        if not graph:
            return "", STANDARD
        named = self._named() if "GRAPH" in step.words else []
        return " ".join([f"FROM {graph}", *(f"FROM NAMED {name}" for name in named)]), STANDARD

    def _named(self) -> list[Term]:
        rows = self._rows("SELECT DISTINCT ?g WHERE { GRAPH ?g {} }", STANDARD)
        return [row[0] for row in rows if isinstance(row[0], NamedNode)]

    def _manage(self, step: Manage) -> tuple[list[Quad], list[Quad]]:
        if step.verb == "CREATE":
            return [], []
        source = self._quads(step.prologue, step.source)
        if not step.target:
            return source, []
        graphs = [self._graph(step.prologue, each) for each in (step.source, step.target)]
        if graphs[0] == graphs[1]:
            return [], []
        inserted = [Quad(quad.subject, quad.predicate, quad.object, graphs[1]) for quad in source]
        deleted = [] if step.verb == "ADD" else self._quads(step.prologue, step.target)
        return deleted + (source if step.verb == "MOVE" else []), inserted

    def _graph(self, prologue: str, name: str) -> Graph:
        if name == "DEFAULT":
            return self._default or DefaultGraph()
        scratch = pyoxigraph.Store()
        scratch.update(f"{prologue} CREATE GRAPH {name}", prefixes=self.prefixes)
        (graph,) = scratch.named_graphs()
        return graph

    def _quads(self, prologue: str, name: str) -> list[Quad]:
        """Everything in a graph, or in DEFAULT, NAMED or ALL of them."""
        found: list[Quad] = []
        if name in ("NAMED", "ALL"):
            found += _quads(self._rows("SELECT ?s ?p ?o ?g WHERE { GRAPH ?g { ?s ?p ?o } }", STANDARD))
        if name in ("DEFAULT", "ALL"):
            scope = STANDARD if self._default is None else Scope(default=(self._default,))
            rows = self._rows("SELECT ?s ?p ?o WHERE { ?s ?p ?o }", scope)
            found += _quads(rows, self._default or DefaultGraph())
        if name not in ("DEFAULT", "NAMED", "ALL"):
            graph = self._graph(prologue, name)
            found += _quads(
                self._rows(f"SELECT ?s ?p ?o WHERE {{ GRAPH {graph} {{ ?s ?p ?o }} }}", STANDARD), graph
            )
        return found

    def _rows(self, text: str, scope: Scope) -> Iterator[tuple[Term | None, ...]]:
        """Raises TooLarge for more than can be checked."""
        limits = Limits(rows=MOST)
        found: Answer
        if self.copy is None:
            found = self.store.query(text, prefixes=self.prefixes, scope=scope, limits=limits)
        else:
            found = answer(self.copy, text, self.prefixes, scope, limits)
        assert isinstance(found, Rows)
        try:
            yield from found.rows
        except LimitReached as error:
            if error.limit != "rows":
                raise
            raise _too_large() from None

    def _fill(self, text: str) -> list[Quad]:
        """The quads that an INSERT puts into an empty store."""
        scratch = pyoxigraph.Store()
        scratch.update(text, prefixes=self.prefixes)
        if len(scratch) > MOST:
            raise _too_large()
        found = list(scratch)
        default = self._default
        if default is None:
            return found
        return [
            Quad(q.subject, q.predicate, q.object, default) if isinstance(q.graph_name, DefaultGraph) else q
            for q in found
        ]


class _Names:
    """Names for blank nodes, which no VALUES can hold."""

    def __init__(self) -> None:
        self._start = f"urn:uuid:{uuid.uuid4()}:"
        self._known: dict[str, BlankNode] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def values(self, variables: tuple[str, ...], rows: Iterable[tuple[Term | None, ...]]) -> str:
        lines = (f"({' '.join(map(self._text, row))})" for row in rows)
        return f"VALUES ({' '.join(f'?{name}' for name in variables)}) {{ {' '.join(lines)} }}"

    def _text(self, term: Term | None) -> str:
        if term is None:
            return "UNDEF"
        if isinstance(term, Triple):
            raise NotTaken("the check does not know triples inside of triples")
        if isinstance(term, BlankNode):
            name = self._start + term.value
            self._known[name] = term
            return f"<{name}>"
        return str(term)

    def undone(self, quads: Iterable[Quad]) -> list[Quad]:
        """The quads with their blank nodes. No predicate can be one: such a quad is not written."""
        return [
            Quad(self._term(q.subject), q.predicate, self._term(q.object), self._term(q.graph_name))  # type: ignore[arg-type]
            for q in quads
            if q.predicate.value not in self._known
        ]

    def _term(self, term: Term | DefaultGraph) -> Term | DefaultGraph:
        return self._known.get(term.value, term) if isinstance(term, NamedNode) else term


def _quads(rows: Iterable[tuple[Term | None, ...]], graph: Graph | None = None) -> Iterator[Quad]:
    for subject, predicate, value, *named in rows:
        yield Quad(subject, predicate, value, named[0] if named else graph)  # type: ignore[arg-type]


def _too_large() -> TooLarge:
    return TooLarge(
        f"the update changes more than {MOST:,} triples, which are too many to check at once",
        hint="send it in parts, or use `tinyc registry import` where the registry is",
    )
