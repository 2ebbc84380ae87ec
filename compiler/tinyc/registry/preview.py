"""What a change would make of the nodes that it touches, before anything is written."""

from __future__ import annotations

import pyoxigraph
from pyoxigraph import NamedNode, Quad, Triple

from tinyc.registry.change import Change
from tinyc.registry.store.base import EVERYTHING, STANDARD, Rows, Store


def after(change: Change, store: Store, graph: NamedNode | None = None) -> tuple[Triple, ...]:
    """All triples that the nodes of `change` would have in `graph`.

    The very update runs on a copy of what it looks at: a few dozen triples.
    """
    copy = pyoxigraph.Store()
    copy.extend(_looked_at(change, store, graph))
    copy.update(change.text())
    touched = set(change.subjects())
    return tuple(quad.triple for quad in copy if quad.subject in touched)


def _looked_at(change: Change, store: Store, graph: NamedNode | None) -> list[Quad]:
    nodes = dict.fromkeys([*change.subjects(), *(guard.subject for guard in change.guards())])
    links = dict.fromkeys((guard.subject, guard.link) for guard in change.guards() if guard.link)
    parts = [f"{{ VALUES ?s {{ {' '.join(map(str, nodes))} }} ?s ?p ?o }}"]
    parts += [f"{{ {subject} {link} ?s . ?s ?p ?o }}" for subject, link in links]
    pattern = " UNION ".join(parts)
    if graph is not None:
        pattern = f"GRAPH {graph} {{ {pattern} }}"
    scope = STANDARD if graph is None else EVERYTHING
    answer = store.query(f"SELECT DISTINCT ?s ?p ?o WHERE {{ {pattern} }}", scope=scope)
    assert isinstance(answer, Rows)
    return [Quad(s, p, o) for s, p, o in answer.rows]  # type: ignore[arg-type]
