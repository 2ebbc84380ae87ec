"""Changes on trial: what the nodes that they touch would be, worked out by the very updates on a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyoxigraph
from pyoxigraph import BlankNode, NamedNode, Quad

from tinyc.registry.change import Change
from tinyc.registry.store.base import Rows, Store, Term


class Trial:
    """A copy of the nodes that changes look at. `target` and `staged` are where they are copied from."""

    def __init__(self, target: Store, staged: pyoxigraph.Store) -> None:
        self.copy = pyoxigraph.Store()
        self._target = target
        self._staged = staged
        self._copied: set[NamedNode | BlankNode] = set()

    def __contains__(self, node: object) -> bool:
        return node in self._copied

    def run(self, change: Change) -> None:
        """Make a change on the copy."""
        self._need([*change.subjects(), *(guard.subject for guard in change.guards())])
        for guard in change.guards():
            if guard.link is not None:
                found = self.copy.quads_for_pattern(guard.subject, guard.link, None, None)
                self._need(quad.object for quad in found if isinstance(quad.object, NamedNode))
        self.copy.update(change.text())

    def _need(self, nodes: Iterable[NamedNode]) -> None:
        """Copy those nodes that were not, from the registry and from what is staged for it."""
        new = [node for node in dict.fromkeys(nodes) if node not in self._copied]
        if not new:
            return
        self._copied.update(new)
        self.copy.extend(existing(self._target, new))
        for node in new:
            staged = self._staged.quads_for_pattern(node, None, None, None)
            self.copy.extend(Quad(quad.subject, quad.predicate, quad.object) for quad in staged)


def existing(target: Store, nodes: Iterable[NamedNode | BlankNode]) -> Iterator[Quad]:
    """What the registry says of these nodes, whatever graph it is in."""
    names = " ".join(str(node) for node in nodes if isinstance(node, NamedNode))
    if not names:
        return
    answer = target.query(f"SELECT ?s ?p ?o {{ VALUES ?s {{ {names} }} ?s ?p ?o }}")
    assert isinstance(answer, Rows)
    for subject, predicate, value in answer.rows:
        if isinstance(subject, NamedNode) and isinstance(predicate, NamedNode) and value is not None:
            yield Quad(subject, predicate, value)


def rows(store: pyoxigraph.Store, text: str) -> Iterator[tuple[Term | None, ...]]:
    """The rows of a SELECT over a store in memory, whatever graph they are in."""
    found = store.query(text, use_default_graph_as_union=True)
    assert isinstance(found, pyoxigraph.QuerySolutions)
    return (tuple(row) for row in found)
