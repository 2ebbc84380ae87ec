"""What is to be imported, kept apart until all of it has been read and checked."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import cast

import pyoxigraph
from pyoxigraph import BlankNode, NamedNode, Quad, RdfFormat, Triple

from tinyc.errors import Problem, TinycError
from tinyc.registry.change import Change, Property, Step
from tinyc.registry.constraints import local
from tinyc.registry.formats.trial import Trial, existing, rows
from tinyc.registry.shapes import Violation, check
from tinyc.registry.store.base import Rows, Store, Term
from tinyc.registry.store.embedded import EmbeddedStore

# Bytes of files that are staged in memory; more goes to a folder that is removed afterwards.
_IN_MEMORY = 32 << 20
# Nodes that are checked together, and quads that go into the registry in one transaction.
_BATCH = 500
_AT_ONCE = 200_000
_CHANGES = 100
_SUBJECTS = "SELECT DISTINCT ?s { ?s ?p ?o }"
_MOST_PROBLEMS = 50


class Staging:
    """Quads and changes apart from the registry. `target` is where they go, `size` the bytes of the files
    that the quads come from.

    A context manager: what was not committed is gone at the end.
    """

    def __init__(self, target: Store, size: int = 0) -> None:
        self.target = target
        self._changes: list[Change] = []
        self._known: set[tuple[NamedNode, NamedNode]] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="tinyc-import-") if size > _IN_MEMORY else None
        self._store = pyoxigraph.Store(self._folder.name) if self._folder else pyoxigraph.Store()
        self._trial = Trial(target, self._store)

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._store, self._trial
        if self._folder is not None:
            self._folder.cleanup()

    def __len__(self) -> int:
        return len(self._store)

    def add(self, quads: Iterable[Quad]) -> None:
        """Quads that are to be written as they are."""
        self._store.bulk_extend(quads)

    def plan(self, change: Change) -> None:
        """A change that is to be made. Quads have to be added before."""
        self._changes.append(change)
        self._trial.run(change)

    def query(self, text: str) -> Iterator[tuple[Term | None, ...]]:
        """The rows of a SELECT over the quads, whatever graph they are in."""
        return rows(self._store, text)

    def knows(self, iri: NamedNode, kind: NamedNode) -> bool:
        """Whether something is of a class, in the registry or in what is staged for it."""
        # What is of a class stays of it, so that one answer is enough.
        if (iri, kind) not in self._known:
            found = _Together(self).query(f"SELECT ?kind {{ {iri} a ?kind }}").rows
            if kind not in {row[0] for row in found}:
                return False
            self._known.add((iri, kind))
        return True

    def check(self, *, replace: bool = False) -> None:
        """Raise TinycError unless the shapes hold for all that is staged, as the registry would be with it.

        With `replace`, what the registry says gives way where there can be one value only.
        """
        wrong: list[Violation] = []
        for batch in _batches(self._subjects()):
            found = self._wrong(batch, frozenset())
            pairs = {(each.node, each.path) for each in found if each.constraint == "maxCount"}
            way = [(node, path) for node, path in pairs if isinstance(node, NamedNode)]
            if replace and way:
                found = self._wrong(batch, frozenset(way))
                self._give_way(sorted(way, key=str))
            wrong += found
            if len(wrong) > _MOST_PROBLEMS:
                break
        if wrong:
            several = any(each.constraint == "maxCount" for each in wrong) and not replace
            raise TinycError(
                "what would be imported breaks the rules of the registry; nothing was written",
                problems=[Problem(local(each.path), each.message) for each in wrong[:_MOST_PROBLEMS]],
                hint="--replace lets the files win where the registry has a value already" if several else "",
            )

    def _wrong(
        self, nodes: tuple[NamedNode | BlankNode, ...], cleared: frozenset[Property]
    ) -> tuple[Violation, ...]:
        """What is wrong with nodes, if the registry's values of `cleared` were gone."""
        triples: dict[Triple, None] = {}
        fresh = [node for node in nodes if node not in self._trial]
        for quad in existing(self.target, fresh):
            if (quad.subject, quad.predicate) not in cleared:
                triples[quad.triple] = None
        for node in nodes:
            store = self._trial.copy if node in self._trial else self._store
            triples |= dict.fromkeys(q.triple for q in store.quads_for_pattern(node, None, None, None))
        # The check asks nothing but queries of a store.
        return check(triples, cast(Store, _Together(self)))

    def _give_way(self, pairs: Sequence[tuple[NamedNode, NamedNode]]) -> None:
        """Plan that these properties lose their values for those that are staged."""
        steps = []
        for subject, predicate in pairs:
            quads = self._store.quads_for_pattern(subject, predicate, None, None)
            steps.append(Step(tuple(quad.triple for quad in quads), ((subject, predicate),)))
        self._changes.append(Change(tuple(steps)))

    def both(self, text: str) -> Iterator[tuple[Term | None, ...]]:
        """As `query`, over quads and changes."""
        return itertools.chain(self.query(text), rows(self._trial.copy, text))

    def _subjects(self) -> Iterator[NamedNode | BlankNode]:
        """Everything that something is said of, each once."""
        tried: dict[Term | None, None] = {row[0]: None for row in rows(self._trial.copy, _SUBJECTS)}
        here = (row[0] for row in self.query(_SUBJECTS) if row[0] not in tried)
        for subject in itertools.chain(tried, here):
            if isinstance(subject, NamedNode | BlankNode):
                yield subject

    def commit(self, graph: NamedNode | None = None) -> int:
        """Write everything to the registry, changes to `graph`; gives the number of quads.

        Up to 200,000 quads are all written or none, and so are up to 100 changes. To an endpoint they go
        together: a server that checks what it gets would refuse the quads before what gives way.
        """
        count = len(self._store)
        # Changes last: what gives way must not take what has just come.
        texts: Iterator[str] = (change.text(graph) for change in self._changes)
        if 0 < count <= _AT_ONCE and not isinstance(self.target, EmbeddedStore):
            texts = itertools.chain([_insertion(self._store, self.target)], texts)
        elif 0 < count <= _AT_ONCE:
            self.target.insert(self._store.quads_for_pattern(None, None, None, None))
        elif count:
            with tempfile.TemporaryDirectory(prefix="tinyc-import-") as folder:
                path = Path(folder) / "all.nq"
                quads = self._store.quads_for_pattern(None, None, None, None)
                pyoxigraph.serialize(quads, str(path), format=RdfFormat.N_QUADS)
                self.target.load(path, RdfFormat.N_QUADS)
        while some := list(itertools.islice(texts, _CHANGES)):
            # Operations of one request follow each other, as the changes did on trial.
            self.target.update(";\n".join(some))
        return count


class _Together:
    """The registry and what is staged for it as one store, for the questions of the check."""

    def __init__(self, staging: Staging) -> None:
        self.staging = staging

    def query(self, text: str) -> Rows:
        there = self.staging.target.query(text)
        assert isinstance(there, Rows)
        return Rows(there.variables, itertools.chain(there.rows, self.staging.both(text)))


def _insertion(quads: Iterable[Quad], target: Store) -> str:
    """The update for an endpoint that adds the quads."""
    # Its module brings an HTTP client, which takes long to import.
    from tinyc.registry.store.endpoint import EndpointStore, insert_data

    return insert_data(quads, target.graph if isinstance(target, EndpointStore) else None)


def _batches(
    nodes: Iterator[NamedNode | BlankNode],
) -> Iterator[tuple[NamedNode | BlankNode, ...]]:
    while batch := tuple(itertools.islice(nodes, _BATCH)):
        yield batch
