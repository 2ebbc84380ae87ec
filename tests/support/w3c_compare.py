"""What the W3C's tests expect, and whether something else is the same.

Blank nodes are compared by isomorphism, numbers and times by value, rows as a bag.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyoxigraph
from pyoxigraph import (
    BlankNode,
    CanonicalizationAlgorithm,
    Dataset,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    RdfFormat,
)

BASE = "http://www.w3.org/2009/sparql/docs/tests/data-sparql11/"
RS = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#"
TYPE = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
XSD = "http://www.w3.org/2001/XMLSchema#"


@cache
def parsed(path: Path, base: str) -> tuple[Quad, ...]:
    format = {".ttl": RdfFormat.TURTLE, ".rdf": RdfFormat.RDF_XML, ".nt": RdfFormat.N_TRIPLES}[path.suffix]
    return tuple(pyoxigraph.parse(path.read_bytes(), format, base_iri=base))


def expected(path: Path) -> Any:
    """A truth, variables and rows, or the quads of a graph."""
    formats = {
        ".srx": QueryResultsFormat.XML,
        ".srj": QueryResultsFormat.JSON,
        ".tsv": QueryResultsFormat.TSV,
    }
    if path.suffix in formats:
        found = pyoxigraph.parse_query_results(path.read_bytes(), formats[path.suffix])
        if isinstance(found, QueryBoolean):
            return bool(found)
        return tuple(each.value for each in found.variables), [tuple(row) for row in found]
    quads = list(parsed(path, f"{BASE}{path.parent.name}/{path.name}"))
    values = [quad for quad in quads if quad.predicate.value == f"{RS}resultVariable"]
    truths = [quad for quad in quads if quad.predicate.value == f"{RS}boolean"]
    if truths:
        return truths[0].object.value == "true"  # type: ignore[union-attr]
    if not values and not any(quad.object == NamedNode(f"{RS}ResultSet") for quad in quads):
        return quads
    variables = tuple(str(quad.object.value) for quad in values)  # type: ignore[union-attr]
    rows = []
    for solution in [quad.object for quad in quads if quad.predicate.value == f"{RS}solution"]:
        bound = {}
        for binding in [
            q.object for q in quads if q.subject == solution and q.predicate.value == f"{RS}binding"
        ]:
            parts = {q.predicate.value: q.object for q in quads if q.subject == binding}
            bound[parts[f"{RS}variable"].value] = parts[f"{RS}value"]  # type: ignore[union-attr]
        rows.append(tuple(bound.get(name) for name in variables))
    return variables, rows


def as_quads(variables: tuple[str, ...], rows: list[Any]) -> Iterator[Quad]:
    """Rows as a graph, so that blank nodes are compared by what is said of them."""
    for row in rows:
        node = BlankNode()
        yield Quad(node, TYPE, NamedNode("urn:row"))
        for name, term in zip(variables, row, strict=True):
            if term is not None:
                yield Quad(node, NamedNode(f"urn:variable:{name}"), term)


def difference(got: list[Quad], expected: list[Quad], what: str = "triples") -> str:
    if _canonical(got) == _canonical(expected):
        return ""
    if len(got) == len(expected):
        return f"other {what} than expected"
    if what == "rows":
        count = [sum(quad.predicate == TYPE for quad in each) for each in (got, expected)]
        return f"{count[0]} rows, {count[1]} expected" if count[0] != count[1] else "other rows than expected"
    return f"{len(got)} triples, {len(expected)} expected"


def _canonical(quads: list[Quad]) -> set[Quad]:
    dataset = Dataset(Quad(q.subject, q.predicate, _value(q.object), q.graph_name) for q in quads)
    dataset.canonicalize(CanonicalizationAlgorithm.UNSTABLE)
    return set(dataset)


def _value(term: Any) -> Any:
    """A literal with the canonical text of its value."""
    if not isinstance(term, Literal):
        return term
    kind = term.datatype.value.removeprefix(XSD)
    try:
        if kind in ("decimal", "integer"):
            text = format(Decimal(term.value).normalize(), "f")
        elif kind in ("double", "float"):
            text = repr(float(term.value))
        elif kind == "dateTime":
            text = datetime.fromisoformat(term.value.replace("Z", "+00:00")).isoformat()
        elif kind == "boolean":
            text = {"1": "true", "0": "false"}.get(term.value, term.value)
        else:
            return term
    except (ArithmeticError, ValueError):
        return term
    return Literal(text, datatype=term.datatype)


def records(text: str) -> Counter[frozenset[tuple[str, str]]]:
    """The lines of a CSV: columns by name, blank nodes unnamed, numbers by value."""

    def value(cell: str) -> str:
        try:
            return str(float(cell))
        except ValueError:
            return re.sub(r"_:\w+", "_:", cell)

    reader = csv.DictReader(io.StringIO(text, newline=""))
    return Counter(frozenset((name, value(cell)) for name, cell in row.items()) for row in reader)
