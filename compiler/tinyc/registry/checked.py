"""Raw updates of a store, run only when the shapes hold for all that they touch."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

import pyoxigraph
from pyoxigraph import BlankNode, NamedNode, Quad, Triple

from tinyc.errors import Problem, TinycError
from tinyc.registry.constraints import show
from tinyc.registry.delta import MOST, Delta, predict
from tinyc.registry.shacl import Node
from tinyc.registry.shapes import Violation, check
from tinyc.registry.store import syntax
from tinyc.registry.store.base import STANDARD, Rows, Store, Term
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.endpoint import EndpointStore
from tinyc.registry.update_text import NotTaken
from tinyc.registry.vocabulary import RDF

_AT_ONCE = 500
"""So many nodes are asked for in one query."""
_SHOWN = 20


class Contradiction(TinycError):  # noqa: N818
    """An update after which the shapes would not hold. `violations` are all that is wrong."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        problems = [Problem(show(each.node), each.message) for each in violations[:_SHOWN]]
        more = len(violations) - len(problems)
        super().__init__(
            "the registry would contradict its shapes; nothing was written",
            problems=problems + ([Problem("and", f"{more} more")] if more else []),
        )
        self.violations = violations


class CheckedUpdates:
    """Updates of one store, one at a time.

    No other process writes to an embedded store that is open for writing, so that what was checked is what is
    written. Behind an endpoint others may write in between.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._alone = threading.Lock()

    def update(self, text: str, prefixes: Mapping[str, str]) -> None:
        """Run a request if the shapes hold afterwards.

        Raises Contradiction when they do not, NotTaken when that cannot be said, TinycError as the store
        does.
        """
        with self._alone:
            _parse(text, prefixes)
            delta = predict(text, self._store, prefixes)
            wrong = contradictions(delta, self._store)
            if wrong:
                raise Contradiction(wrong)
            self._store.update(delta.text, prefixes=prefixes)


def contradictions(delta: Delta, store: Store) -> tuple[Violation, ...]:
    """What would be wrong in `store` after `delta`: with the nodes whose properties change, and with those
    that refer to a node which loses a class."""
    quads = (*delta.deleted, *delta.inserted)
    touched = dict.fromkeys(quad.subject for quad in quads if isinstance(quad.subject, NamedNode | BlankNode))
    before = list(_about(store, touched))
    after = {quad.triple: None for quad in before if quad not in delta.deleted}
    after |= dict.fromkeys(quad.triple for quad in delta.inserted)
    had, have = _classes(quad.triple for quad in before), _classes(after)
    lost = [node for node, classes in had.items() if not classes <= have[node]]
    others = {node: None for node in islice(_referring(store, lost), MOST) if node not in touched}
    after |= dict.fromkeys(quad.triple for quad in _about(store, others))
    described = {triple.subject for triple in after}
    return check(after, store, emptied=[node for node in touched if node not in described])


def _parse(text: str, prefixes: Mapping[str, str]) -> None:
    """Raise SparqlSyntaxError for what is no update."""
    if syntax.reaches_out(text):
        raise NotTaken("what an update fetches from elsewhere cannot be checked")
    try:
        pyoxigraph.Store().update(text, prefixes=dict(prefixes))
    except SyntaxError as error:
        raise syntax.syntax_error(str(error), text, prefixes) from None
    except (OSError, RuntimeError, ValueError):
        # It is SPARQL, and about graphs that are not in an empty store.
        return


def _classes(triples: Iterable[Triple]) -> Mapping[Node, set[Term]]:
    found: dict[Node, set[Term]] = defaultdict(set)
    for triple in triples:
        if triple.predicate == RDF.type and not isinstance(triple.subject, Triple):
            found[triple.subject].add(triple.object)
    return found


def _about(store: Store, nodes: Collection[Node]) -> Iterator[Quad]:
    """What is said of these nodes, in every graph. An endpoint cannot be asked about a blank node."""
    if isinstance(store, EmbeddedStore):
        yield from store.about(nodes)
        return
    for values in _values(nodes):
        yield from _quads(store, f"VALUES ?s {{ {values} }} ?s ?p ?o")


def _referring(store: Store, nodes: Collection[Node]) -> Iterator[Node]:
    """The nodes that refer to these."""
    if isinstance(store, EmbeddedStore):
        found = store.referring(nodes)
    else:
        found = (
            quad for values in _values(nodes) for quad in _quads(store, f"VALUES ?o {{ {values} }} ?s ?p ?o")
        )
    for quad in found:
        if not isinstance(quad.subject, Triple):
            yield quad.subject


def _quads(store: Store, pattern: str) -> Iterator[Quad]:
    texts = [f"SELECT ?s ?p ?o ?g WHERE {{ GRAPH ?g {{ {pattern} }} }}"]
    # Where a graph stands for the default graph, that one is the union of all.
    if not (isinstance(store, EndpointStore) and store.graph is not None):
        texts.append(f"SELECT ?s ?p ?o WHERE {{ {pattern} }}")
    for text in texts:
        answer = store.query(text, scope=STANDARD)
        assert isinstance(answer, Rows)
        for row in answer.rows:
            yield Quad(*row)  # type: ignore[arg-type]


def _values(nodes: Iterable[Node]) -> Iterator[str]:
    names = iter([str(node) for node in nodes if isinstance(node, NamedNode)])
    while some := list(islice(names, _AT_ONCE)):
        yield " ".join(some)
