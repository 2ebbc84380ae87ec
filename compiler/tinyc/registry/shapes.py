"""The shapes at work: a fast check of what a write touches, and an audit of a whole store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pyoxigraph import BlankNode, NamedNode, Triple

from tinyc.registry.constraints import Class, Classes, Constraint, Or, local, show
from tinyc.registry.shacl import Node, NodeShape, described, standard_shapes
from tinyc.registry.store.base import Rows, Store, Term
from tinyc.registry.vocabulary import RDF

Properties = Mapping[NamedNode, tuple[Term, ...]]


@dataclass(frozen=True, slots=True)
class Violation:
    """`node` disagrees with a shape. `value` is None where the number of values is wrong.

    `constraint` is the name of the SHACL property that does not hold; `message` says it in plain words.
    A `warning` concerns descriptions that others publish and hinders no write.
    """

    node: Node
    shape: str
    path: NamedNode
    value: Term | None
    constraint: str
    message: str
    warning: bool = False


def check(
    triples: Iterable[Triple],
    store: Store,
    *,
    warnings: bool = False,
    shapes: tuple[NodeShape, ...] | None = None,
    emptied: Iterable[Node] = (),
) -> tuple[Violation, ...]:
    """What is wrong with the nodes that `triples` describe.

    `triples` are all triples that those nodes will have after the write, `emptied` the nodes of which nothing
    will be said then. Nodes that they only refer to are looked up in `store`, in one query. A blank node that
    `triples` do not describe cannot be looked up; it is taken for what it should be.
    """
    nodes = described(triples)
    which = _shapes_by_target() if shapes is None else _by_target(shapes)
    found = {node: _shapes_of(paths, which) for node, paths in nodes.items()}
    classes = _classes(nodes, found, store, emptied)
    return tuple(
        violation
        for node, applicable in found.items()
        for shape in applicable
        for violation in judge(node, nodes[node], shape, classes)
        if warnings or not violation.warning
    )


def audit(
    store: Store, *, limit: int = 1000, warnings: bool = True, shapes: tuple[NodeShape, ...] | None = None
) -> tuple[Violation, ...]:
    """What is wrong in the whole store, ordered by shape and node.

    The store finds the nodes with a query for each shape; at most `limit` nodes of a shape are reported.
    """
    found: list[Violation] = []
    for shape in standard_shapes() if shapes is None else shapes:
        nodes: dict[Node, dict[NamedNode, dict[Term, None]]] = defaultdict(lambda: defaultdict(dict))
        types: dict[Term, set[NamedNode]] = defaultdict(set)
        for node, path, value, kind in _rows(store, audit_query(shape, limit)):
            if isinstance(node, NamedNode | BlankNode) and isinstance(path, NamedNode) and value is not None:
                nodes[node][path][value] = None
                if isinstance(kind, NamedNode):
                    types[value].add(kind)
        for node in sorted(nodes, key=str):
            values = {path: tuple(each) for path, each in nodes[node].items()}
            found += judge(node, values, shape, lambda term, types=types: frozenset(types[term]))  # type: ignore[misc]
    return tuple(each for each in found if warnings or not each.warning)


def audit_query(shape: NodeShape, limit: int) -> str:
    """A query for all properties of the nodes that may disagree with `shape`, and the classes of the values.

    Each demand is one pass over the values of its property, joined with the nodes: looking at each node of
    a large fleet would take much longer.
    """
    arms = "\n    UNION ".join(f"{{ {wrong} }}" for wrong in _wrongs(shape))
    return f"""SELECT ?node ?path ?value ?class WHERE {{
  {{ SELECT DISTINCT ?node WHERE {{
    {arms}
  }} LIMIT {limit} }}
  ?node ?path ?value .
  OPTIONAL {{ ?value a ?class }}
}}"""


def _target(shape: NodeShape) -> str:
    if shape.subjects_of is not None:
        return f"?node {shape.subjects_of} ?target ."
    members = sorted(map(str, shape.classes))
    if len(members) == 1:
        return f"?node a {members[0]} ."
    return f"VALUES ?target {{ {' '.join(members)} }} ?node a ?target ."


def _wrongs(shape: NodeShape) -> Iterator[str]:
    """Graph patterns, each with the nodes for which one demand may not hold."""
    target = _target(shape)
    for each in shape.properties:
        values = f"?node {each.path} ?v"
        if each.minimum:
            yield f"{target} MINUS {{ ?node {each.path} ?none }}"
        if each.maximum == 0:
            yield f"{target} {values}"
        elif each.maximum == 1:
            many = "GROUP BY ?node HAVING(COUNT(DISTINCT ?v) > 1)"
            yield f"{target} {{ SELECT ?node WHERE {{ {values} }} {many} }}"
        for kind in each.constraints:
            if isinstance(kind, Class):
                known = " ".join(f"MINUS {{ ?v a {member} }}" for member in sorted(map(str, kind.members)))
                yield f"{target} {{ SELECT ?node WHERE {{ {values} {known} }} }}"
        others = [kind.filter("?v") for kind in each.constraints if not isinstance(kind, Class)]
        if others:
            yield f"{target} {{ SELECT ?node WHERE {{ {values} FILTER(!({' && '.join(others)})) }} }}"
    if shape.allowed is not None:
        known = ", ".join(sorted(map(str, shape.allowed)))
        yield f"{target} ?node ?other ?v . FILTER(?other NOT IN ({known}))"


def judge(node: Node, values: Properties, shape: NodeShape, classes: Classes) -> Iterator[Violation]:
    """What is wrong with one node, by one shape."""
    name = f"{shape.name} {show(node)}"

    def violation(
        path: NamedNode, value: Term | None, constraint: str, words: str, warning: bool = False
    ) -> Violation:
        message = f"{name}: `{local(path)}` {words}"
        return Violation(node, shape.iri.value, path, value, constraint, message, warning)

    for each in shape.properties:
        there = values.get(each.path, ())
        must_be = f"; it must be {each.must_be}" if each.must_be else ""
        if len(there) < each.minimum:
            yield violation(each.path, None, "minCount", f"is missing{must_be}", each.warning)
        if each.maximum is not None and len(there) > each.maximum:
            words = (
                f"has {len(there)} values where one is allowed: {', '.join(map(show, there))}"
                if each.maximum
                else f"must not be there: {shape.description}"
            )
            yield violation(each.path, None, "maxCount", words, each.warning)
        for value in there:
            for constraint in each.constraints:
                if not constraint.holds(value, classes):
                    words = f"is {show(value)}, {constraint.words()}"
                    if constraint.component == "pattern" and must_be:
                        words = f"is {show(value)}{must_be}"
                    yield violation(each.path, value, constraint.component, words, each.warning)
    if shape.allowed is not None:
        for path in values:
            if path not in shape.allowed:
                for value in values[path]:
                    yield violation(path, value, "closed", f"is no property of a {shape.name}")


@dataclass(frozen=True, slots=True)
class _Targets:
    classes: Mapping[NamedNode, tuple[NodeShape, ...]]
    subjects: Mapping[NamedNode, tuple[NodeShape, ...]]


@lru_cache(maxsize=1)
def _shapes_by_target() -> _Targets:
    return _by_target(standard_shapes())


def _by_target(shapes: tuple[NodeShape, ...]) -> _Targets:
    classes: dict[NamedNode, list[NodeShape]] = defaultdict(list)
    subjects: dict[NamedNode, list[NodeShape]] = defaultdict(list)
    for shape in shapes:
        for each in shape.classes:
            classes[each].append(shape)
        if shape.subjects_of is not None:
            subjects[shape.subjects_of].append(shape)
    return _Targets(
        {target: tuple(found) for target, found in classes.items()},
        {target: tuple(found) for target, found in subjects.items()},
    )


def _shapes_of(values: Properties, targets: _Targets) -> tuple[NodeShape, ...]:
    found: dict[NodeShape, None] = {}
    for kind in values.get(RDF.type, ()):
        if isinstance(kind, NamedNode):
            found.update(dict.fromkeys(targets.classes.get(kind, ())))
    for path, shapes in targets.subjects.items():
        if path in values:
            found.update(dict.fromkeys(shapes))
    return tuple(found)


def _classes(
    nodes: Mapping[Node, Properties],
    shapes: Mapping[Node, tuple[NodeShape, ...]],
    store: Store,
    emptied: Iterable[Node],
) -> Classes:
    """The classes of all nodes that some constraint asks for."""
    known: dict[Node, frozenset[NamedNode]] = dict.fromkeys(emptied, frozenset())
    known |= {
        node: frozenset(kind for kind in values.get(RDF.type, ()) if isinstance(kind, NamedNode))
        for node, values in nodes.items()
    }
    asked = {
        value
        for node, applicable in shapes.items()
        for shape in applicable
        for each in shape.properties
        if any(map(_asks_for_class, each.constraints))
        for value in nodes[node].get(each.path, ())
        if isinstance(value, NamedNode) and value not in known
    }
    stored: dict[Term, set[NamedNode]] = defaultdict(set)
    if asked:
        values = " ".join(sorted(map(str, asked)))
        text = f"SELECT ?node ?class WHERE {{ VALUES ?node {{ {values} }} ?node a ?class }}"
        for node, kind in _rows(store, text):
            if node is not None and isinstance(kind, NamedNode):
                stored[node].add(kind)

    def classes(term: Term) -> frozenset[NamedNode] | None:
        if isinstance(term, NamedNode | BlankNode) and term in known:
            return known[term]
        return None if isinstance(term, BlankNode) else frozenset(stored.get(term, ()))

    return classes


def _asks_for_class(constraint: Constraint) -> bool:
    if isinstance(constraint, Or):
        return any(_asks_for_class(each) for every in constraint.alternatives for each in every)
    return isinstance(constraint, Class)


def _rows(store: Store, text: str) -> Iterator[tuple[Term | None, ...]]:
    answer = store.query(text)
    if not isinstance(answer, Rows):
        raise TypeError("a SELECT was answered by something else than rows")
    return answer.rows
