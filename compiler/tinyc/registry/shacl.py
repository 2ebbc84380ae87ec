"""`ontology/shapes.ttl` as Python: the part of SHACL core that it uses, and nothing silently ignored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple, parse

from tinyc.errors import TinycError
from tinyc.registry.constraints import (
    DATATYPES,
    Bound,
    Class,
    Constraint,
    Datatype,
    In,
    MinLength,
    NodeKind,
    Or,
    Pattern,
    local,
)
from tinyc.registry.store.base import Term
from tinyc.registry.vocabulary import RDF, RDFS, SH, XSD
from tinyc.resources import data_folder

Node = NamedNode | BlankNode
Description = Mapping[Node, Mapping[NamedNode, tuple[Term, ...]]]
_KINDS = {SH.IRI, SH.BlankNode, SH.Literal}


@dataclass(frozen=True, slots=True)
class PropertyShape:
    """`minimum` and `maximum` count values; `maximum` None is without a limit. `must_be` says it in words."""

    path: NamedNode
    minimum: int
    maximum: int | None
    constraints: tuple[Constraint, ...]
    must_be: str
    warning: bool


@dataclass(frozen=True, slots=True)
class NodeShape:
    """What is demanded of the nodes of `classes`, or of the subjects of `subjects_of`.

    `allowed` is None where a node may have other properties, too.
    """

    iri: NamedNode
    name: str
    description: str
    classes: frozenset[NamedNode]
    subjects_of: NamedNode | None
    properties: tuple[PropertyShape, ...]
    allowed: frozenset[NamedNode] | None


def described(triples: Iterable[Triple]) -> dict[Node, dict[NamedNode, tuple[Term, ...]]]:
    """The values of each property of each node; a triple said twice counts once."""
    found: dict[Node, dict[NamedNode, list[Term]]] = defaultdict(lambda: defaultdict(list))
    for triple in dict.fromkeys(triples):
        if isinstance(triple.subject, Triple):
            continue
        found[triple.subject][triple.predicate].append(triple.object)
    return {node: {path: tuple(v) for path, v in paths.items()} for node, paths in found.items()}


@lru_cache(maxsize=1)
def standard_shapes() -> tuple[NodeShape, ...]:
    """The shapes of `ontology/shapes.ttl`, with the classes of `ontology/tinyc.ttl`."""
    folder = data_folder("ontology")
    return load_shapes(folder / "shapes.ttl", folder / "tinyc.ttl")


def load_shapes(shapes: Path, ontology: Path) -> tuple[NodeShape, ...]:
    """The shapes of a Turtle file. Raises TinycError for SHACL that is not supported."""
    terms = described(quad.triple for quad in parse(path=str(ontology), format=RdfFormat.TURTLE))
    text = described(quad.triple for quad in parse(path=str(shapes), format=RdfFormat.TURTLE))
    reader = _Reader(text, terms, shapes)
    found = [reader.node(node) for node in text if SH.NodeShape in text[node].get(RDF.type, ())]
    return tuple(sorted(found, key=lambda shape: shape.iri.value))


class _Reader:
    def __init__(self, text: Description, terms: Description, where: Path) -> None:
        self._text = text
        self._terms = terms
        self._where = where.name
        self._below: dict[Term, set[Node]] = defaultdict(set)
        for node, paths in terms.items():
            for above in paths.get(RDFS.subClassOf, ()):
                self._below[above].add(node)

    def node(self, node: Node) -> NodeShape:
        paths = dict(self._text[node])
        if not isinstance(node, NamedNode):
            raise self._refuse("a shape without a name")
        paths.pop(RDF.type)
        properties = tuple(self._property(each) for each in paths.pop(SH.property, ()))
        target = self._one(paths.pop(SH.targetClass, ()))
        subjects_of = self._one(paths.pop(SH.targetSubjectsOf, ()))
        if (target is None) == (subjects_of is None) or isinstance(subjects_of, Literal):
            raise self._refuse(f"{local(node)} needs one target")
        closed = _text(self._one(paths.pop(SH.closed, ()))) == "true"
        ignored = set(self._list(paths.pop(SH.ignoredProperties, ())))
        description = _text(self._one(paths.pop(SH.description, ())))
        if paths:
            raise self._refuse(f"{local(node)} uses {', '.join(path.value for path in paths)}")
        allowed = frozenset({each.path for each in properties} | ignored)
        ordered = tuple(sorted(properties, key=lambda each: each.path.value))
        return NodeShape(
            node,
            self._label(target) if target is not None else "node",
            description,
            self._members(target) if target is not None else frozenset(),
            subjects_of,
            ordered,
            allowed if closed else None,
        )

    def _property(self, node: Term) -> PropertyShape:
        paths = dict(self._text[_node(node)])
        path = self._one(paths.pop(SH.path))
        if not isinstance(path, NamedNode):
            raise self._refuse("a property shape whose path is no single property")
        minimum, maximum = self._count(paths.pop(SH.minCount, ())), self._count(paths.pop(SH.maxCount, ()))
        must_be = _text(self._one(paths.pop(SH.message, ())))
        severity = self._one(paths.pop(SH.severity, ()))
        if severity not in (None, SH.Warning, SH.Violation):
            raise self._refuse(f"severity {severity}")
        return PropertyShape(
            path, minimum or 0, maximum, self._constraints(paths), must_be, severity == SH.Warning
        )

    def _count(self, values: tuple[Term, ...]) -> int | None:
        text = _text(self._one(values))
        # More than one needs COUNT in the audit's queries, and no shape asks for it.
        if text not in ("", "0", "1"):
            raise self._refuse(f"a count of {text}")
        return int(text) if text else None

    def _constraints(self, paths: dict[NamedNode, tuple[Term, ...]]) -> tuple[Constraint, ...]:
        found: list[Constraint] = []
        for path, values in paths.items():
            for value in values:
                found.append(self._constraint(path, value))
        return tuple(sorted(found, key=lambda each: each.component))

    def _constraint(self, path: NamedNode, value: Term) -> Constraint:
        if path == SH.datatype and value in DATATYPES:
            return Datatype(_iri(value))
        if path == SH.nodeKind and value in _KINDS:
            return NodeKind(_iri(value))
        if path == SH["class"]:
            return Class(self._label(_iri(value)), self._members(_iri(value)))
        if path == SH.pattern:
            return Pattern(_text(value))
        if path in (SH.minInclusive, SH.maxInclusive) and _is_number(value):
            return Bound(Decimal(_text(value)), path == SH.maxInclusive)
        if path == SH.minLength:
            return MinLength(int(_text(value)))
        if path == SH["in"]:
            return In(tuple(self._list((value,))))
        if path == SH["or"]:
            every = [self._constraints(dict(self._text[_node(each)])) for each in self._items(value)]
            return Or(tuple(every))
        raise self._refuse(f"{path.value} {value}")

    def _one(self, values: tuple[Term, ...]) -> NamedNode | Literal | None:
        if len(values) > 1:
            raise self._refuse(f"two values where one is expected: {values[0]}, {values[1]}")
        return values[0] if values and isinstance(values[0], NamedNode | Literal) else None

    def _items(self, head: Term) -> list[Term]:
        found = []
        while head != RDF.nil:
            cell = self._text[_node(head)]
            found.append(cell[RDF.first][0])
            head = cell[RDF.rest][0]
        return found

    def _list(self, values: tuple[Term, ...]) -> list[NamedNode]:
        return [_iri(item) for value in values for item in self._items(value)]

    def _members(self, target: Term) -> frozenset[NamedNode]:
        found: set[NamedNode] = set()
        open_ = [_iri(target)]
        while open_:
            each = open_.pop()
            if each not in found:
                found.add(each)
                open_.extend(node for node in self._below[each] if isinstance(node, NamedNode))
        return frozenset(found)

    def _label(self, term: NamedNode | Literal) -> str:
        labels = self._terms.get(_iri(term), {}).get(RDFS.label, ())
        return _text(labels[0]) if labels else local(_iri(term))

    def _refuse(self, what: str) -> TinycError:
        return TinycError(f"SHACL that is not supported: {what}", where=self._where)


def _text(term: Term | None) -> str:
    return term.value if isinstance(term, Literal) else ""


def _is_number(term: Term) -> bool:
    return isinstance(term, Literal) and term.datatype in (XSD.integer, XSD.decimal)


def _iri(term: Term) -> NamedNode:
    if not isinstance(term, NamedNode):
        raise TinycError(f"SHACL that is not supported: {term} where an IRI is expected")
    return term


def _node(term: Term) -> Node:
    if not isinstance(term, NamedNode | BlankNode):
        raise TinycError(f"SHACL that is not supported: {term} where a node is expected")
    return term
