"""Reference pages of the registry, made from `ontology/`: the terms and shapes, and the named queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyoxigraph import Literal, NamedNode, RdfFormat, parse

from tinyc.registry.constraints import Bound, Class, Constraint, Datatype, In, Or, local
from tinyc.registry.queries import named_queries
from tinyc.registry.results import shortened
from tinyc.registry.shacl import Node, NodeShape, PropertyShape, described, standard_shapes
from tinyc.registry.store.base import Term
from tinyc.registry.vocabulary import OWL, PREFIXES, QUDT, RDF, RDFS, SCHEMA, TINYC
from tinyc.resources import data_folder

Paths = Mapping[NamedNode, tuple[Term, ...]]
TERMS = described(
    quad.triple for quad in parse(path=str(data_folder("ontology") / "tinyc.ttl"), format=RdfFormat.TURTLE)
)


def _name(term: Term) -> str:
    return f"`{shortened(term.value, PREFIXES)}`" if isinstance(term, NamedNode) else str(term)


def _names(terms: tuple[Term, ...]) -> str:
    return ", ".join(sorted(map(_name, terms)))


def _text(paths: Paths, path: NamedNode) -> str:
    (only,) = paths[path]
    assert isinstance(only, Literal)
    return only.value


def _own(kind: NamedNode) -> Iterator[tuple[NamedNode, Paths]]:
    """The terms of tinyc that are of a kind, by name."""
    found = [(node, paths) for node, paths in TERMS.items() if kind in paths.get(RDF.type, ())]
    for node, paths in sorted(found, key=lambda each: str(each[0])):
        if isinstance(node, NamedNode) and node.value.startswith(TINYC.iri):
            yield node, paths


def _demand(constraint: Constraint) -> str:
    if isinstance(constraint, Datatype):
        return _name(constraint.datatype)
    if isinstance(constraint, Class):
        return f"a {constraint.name}"
    if isinstance(constraint, In):
        return "one of " + ", ".join(_name(each) for each in constraint.allowed)
    if isinstance(constraint, Bound):
        return f"{'at most' if constraint.upper else 'at least'} {constraint.value:f}"
    if isinstance(constraint, Or):
        return " or ".join(_demand(each) for every in constraint.alternatives for each in every)
    return ""


def _rule(each: PropertyShape) -> str:
    told = [each.must_be, *(_demand(constraint) for constraint in each.constraints)]
    return ", ".join(dict.fromkeys(filter(None, told)))


def _number(each: PropertyShape) -> str:
    if each.maximum == 0:
        return "none"
    return {(1, 1): "1", (0, 1): "0 or 1", (1, None): "1 or more"}.get((each.minimum, each.maximum), "any")


def _shape(shape: NodeShape) -> list[str]:
    lines = [shape.description]
    if shape.allowed is not None:
        lines[0] += " It has no other properties."
    lines += ["", "| property | how many | value |", "|---|---|---|"]
    return lines + [f"| {_name(each.path)} | {_number(each)} | {_rule(each)} |" for each in shape.properties]


def ontology_page(note: str) -> str:
    shapes = {shape.iri: shape for shape in standard_shapes()}
    lines = ["# Ontology of the registry", "", note]
    lines += [
        "Made from `ontology/tinyc.ttl` and `ontology/shapes.ttl`. The namespace is `urn:tinyc:ns#`: it",
        "names things and leads nowhere. [The registry](../concepts/registry.md) says why it is as it is.",
        "",
        "## Classes",
        "",
    ]
    for node, paths in _own(OWL.Class):
        lines += [f"### {_name(node)}", "", _text(paths, RDFS.comment)]
        if RDFS.subClassOf in paths:
            lines += ["", f"A kind of {_names(paths[RDFS.subClassOf])}."]
        shape = shapes.pop(NamedNode(f"urn:tinyc:shape#{local(node)}"), None)
        lines += ["", *_shape(shape), ""] if shape else [""]
    lines += ["## Things of other vocabularies", ""]
    for shape in sorted(shapes.values(), key=lambda each: each.iri.value):
        warning = all(each.warning for each in shape.properties)
        lines += [f"### {local(shape.iri)}", "", *_shape(shape), ""]
        if warning:
            lines[-2:] = [
                lines[-2],
                "",
                "What disagrees is a warning: such descriptions are imported as they are.",
                "",
            ]
    lines += ["## Properties", "", "| property | meaning | of | value | unit |", "|---|---|---|---|---|"]
    for kind in (OWL.DatatypeProperty, OWL.ObjectProperty):
        for node, paths in _own(kind):
            of = _names((*paths.get(RDFS.domain, ()), *paths.get(SCHEMA.domainIncludes, ())))
            unit = _names(paths.get(QUDT.hasUnit, ()))
            meaning = _text(paths, RDFS.comment)
            if RDFS.subPropertyOf in paths:
                meaning += f" A kind of {_names(paths[RDFS.subPropertyOf])}."
            lines.append(f"| {_name(node)} | {meaning} | {of} | {_names(paths[RDFS.range])} | {unit} |")
    lines += ["", "## Values", "", "| value | kind | meaning |", "|---|---|---|"]
    for node, paths in sorted(TERMS.items(), key=lambda each: str(each[0])):
        kinds = set(paths.get(RDF.type, ())) - {
            OWL.Class,
            OWL.DatatypeProperty,
            OWL.ObjectProperty,
            OWL.Ontology,
        }
        if kinds and _is_own(node):
            lines.append(f"| {_name(node)} | {_names(tuple(kinds))} | {_text(paths, RDFS.comment)} |")
    lines += ["", "## Prefixes", "", "Every query may use them without declaring them.", ""]
    lines += ["| prefix | namespace |", "|---|---|"]
    lines += [f"| `{prefix}:` | `{iri}` |" for prefix, iri in PREFIXES.items()]
    return "\n".join(lines) + "\n"


def _is_own(node: Node) -> bool:
    return isinstance(node, NamedNode) and node.value.startswith(TINYC.iri)


def queries_page(note: str) -> str:
    lines = ["# Named queries of the registry", "", note]
    lines += [
        "Made from `ontology/queries/*.rq`. `tinyc registry ask` lists them, `ask NAME KEY=VALUE`",
        "asks one, `--sparql` prints what is asked. `limit` is how many rows there are at most.",
        "",
        "| type | a value |",
        "|---|---|",
        "| board, site | its name, or an IRI |",
        "| device | `BOARD:CHIP`, the chip number where only one device has it, or an IRI |",
        "| model | its name, `NAME@VERSION`, its digest or the first 8 digits or more of it, or an IRI |",
        "| version | a semantic version |",
        "| firmware | its identity or the beginning of it, or an IRI |",
        "| dateTime | `2026-10-01` or `2026-10-01T09:00:00+02:00`; without an offset it is UTC |",
        "| boolean | true or false |",
        "| integer, count, decimal, text, iri | what they say |",
        "",
        "`*` is any where it is the default. A name that the registry does not know",
        "is an error, with the nearest name.",
        "",
    ]
    for name, query in named_queries().items():
        lines += [f"## {name}", "", query.description, ""]
        if query.parameters:
            lines += ["| parameter | type | default | meaning |", "|---|---|---|---|"]
            lines += [
                f"| `{each.name}` | {each.type} | {'' if each.default is None else f'`{each.default}`'} "
                f"| {each.description} |"
                for each in query.parameters
            ]
            lines.append("")
        if query.heartbeat:
            lines += ["Heartbeats are joined: `last_seen`, `free_ram`, `uptime`, `errors`.", ""]
    return "\n".join(lines).rstrip() + "\n"
