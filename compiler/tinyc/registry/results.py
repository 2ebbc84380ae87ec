"""Answers as text: the W3C's formats of results, graphs, and cells of a table.

Rows and truths become JSON, XML, CSV or TSV as the SPARQL 1.1 recommendations have them, graphs Turtle,
N-Triples or JSON-LD. Everything is written as it is read, so an answer of any length takes little memory.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, cast
from xml.sax.saxutils import escape, quoteattr

import pyoxigraph
from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple

from tinyc.errors import TinycError, nearest
from tinyc.registry.store.base import Answer, Rows, Term, Triples, Truth
from tinyc.registry.vocabulary import PREFIXES

ROW_FORMATS = ("json", "xml", "csv", "tsv")
GRAPH_FORMATS = ("turtle", "ntriples", "jsonld")
_XSD = "http://www.w3.org/2001/XMLSchema#"
_RDF_FORMATS = {
    "turtle": RdfFormat.TURTLE,
    "ntriples": RdfFormat.N_TRIPLES,
    "jsonld": RdfFormat.JSON_LD,
}
# What XML 1.0 cannot hold in any form.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def encode(answer: Answer, format: str) -> bytes:
    """The whole answer. Raises as `pieces` does."""
    return b"".join(pieces(answer, format))


def pieces(answer: Answer, format: str, prefixes: Mapping[str, str] = PREFIXES) -> Iterator[bytes]:
    """The answer in a format, piece by piece. Raises TinycError for a format that does not suit it."""
    allowed = GRAPH_FORMATS if isinstance(answer, Triples) else ROW_FORMATS
    if format not in allowed:
        what = "a graph" if isinstance(answer, Triples) else "rows"
        raise TinycError(f"{what} cannot be written as {format}", allowed=nearest(format, allowed))
    if isinstance(answer, Triples):
        return _graph(answer, _RDF_FORMATS[format], prefixes)
    writers: dict[str, Callable[[Rows | Truth], Iterator[str]]] = {
        "json": _json,
        "xml": _xml,
        "csv": _csv,
        "tsv": _tsv,
    }
    return (text.encode() for text in writers[format](answer))


def _graph(answer: Triples, format: RdfFormat, prefixes: Mapping[str, str]) -> Iterator[bytes]:
    named = dict(prefixes) if format is RdfFormat.TURTLE or str(format) == str(RdfFormat.TURTLE) else None
    buffer = io.BytesIO()
    pyoxigraph.serialize(answer.triples, cast(IO[bytes], buffer), format, prefixes=named)
    yield buffer.getvalue()


def _json(answer: Rows | Truth) -> Iterator[str]:
    if isinstance(answer, Truth):
        yield json.dumps({"head": {}, "boolean": answer.value})
        return
    yield f'{{"head": {{"vars": {json.dumps(answer.variables)}}}, "results": {{"bindings": ['
    comma = "\n"
    for row in answer.rows:
        bound = {
            name: json_term(term)
            for name, term in zip(answer.variables, row, strict=True)
            if term is not None
        }
        yield comma + json.dumps(bound, ensure_ascii=False)
        comma = ",\n"
    yield "\n]}}\n"


def json_term(term: Term) -> dict[str, object]:
    """A term as the JSON format of results has it."""
    if isinstance(term, NamedNode):
        return {"type": "uri", "value": term.value}
    if isinstance(term, BlankNode):
        return {"type": "bnode", "value": term.value}
    if isinstance(term, Triple):
        parts = {"subject": term.subject, "predicate": term.predicate, "object": term.object}
        return {"type": "triple", "value": {name: json_term(part) for name, part in parts.items()}}
    found: dict[str, object] = {"type": "literal", "value": term.value}
    if term.language:
        found["xml:lang"] = term.language
    elif term.datatype.value != f"{_XSD}string":
        found["datatype"] = term.datatype.value
    return found


def _xml(answer: Rows | Truth) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<sparql xmlns="http://www.w3.org/2005/sparql-results#">\n'
    if isinstance(answer, Truth):
        yield f"<head/>\n<boolean>{str(answer.value).lower()}</boolean>\n</sparql>\n"
        return
    names = "".join(f"<variable name={quoteattr(name)}/>" for name in answer.variables)
    yield f"<head>{names}</head>\n<results>\n"
    for row in answer.rows:
        bound = (
            f"<binding name={quoteattr(name)}>{_xml_term(term)}</binding>"
            for name, term in zip(answer.variables, row, strict=True)
            if term is not None
        )
        yield f"<result>{''.join(bound)}</result>\n"
    yield "</results>\n</sparql>\n"


def _xml_term(term: Term) -> str:
    if isinstance(term, NamedNode):
        return f"<uri>{_xml_text(term.value)}</uri>"
    if isinstance(term, BlankNode):
        return f"<bnode>{_xml_text(term.value)}</bnode>"
    if isinstance(term, Triple):
        parts = (("subject", term.subject), ("predicate", term.predicate), ("object", term.object))
        return f"<triple>{''.join(f'<{name}>{_xml_term(part)}</{name}>' for name, part in parts)}</triple>"
    kind = ""
    if term.language:
        kind = f" xml:lang={quoteattr(term.language)}"
    elif term.datatype.value != f"{_XSD}string":
        kind = f" datatype={quoteattr(term.datatype.value)}"
    return f"<literal{kind}>{_xml_text(term.value)}</literal>"


def _xml_text(text: str) -> str:
    # A bare carriage return would be read as a line feed.
    return escape(_NOT_XML.sub("\ufffd", text), {"\r": "&#13;"})


def _csv(answer: Rows | Truth) -> Iterator[str]:
    """Values only: an IRI and a string look alike. Lines end as RFC 4180 has it."""
    if isinstance(answer, Truth):
        # The recommendation has no CSV for ASK: one cell without a name.
        yield f"{str(answer.value).lower()}\r\n"
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in _with_head(answer):
        writer.writerow(row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _with_head(answer: Rows) -> Iterator[Iterable[str]]:
    yield answer.variables
    for row in answer.rows:
        yield ["" if term is None else _csv_term(term) for term in row]


def _csv_term(term: Term) -> str:
    return str(term) if isinstance(term, BlankNode | Triple) else term.value


def _tsv(answer: Rows | Truth) -> Iterator[str]:
    """Terms in Turtle's syntax; numbers bare."""
    if isinstance(answer, Truth):
        yield f"{str(answer.value).lower()}\n"
        return
    yield "\t".join(f"?{name}" for name in answer.variables) + "\n"
    for row in answer.rows:
        yield "\t".join("" if term is None else _tsv_term(term) for term in row) + "\n"


_BARE = {
    f"{_XSD}integer": re.compile(r"[+-]?\d+"),
    f"{_XSD}decimal": re.compile(r"[+-]?\d*\.\d+"),
    f"{_XSD}double": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+"),
}


def _tsv_term(term: Term) -> str:
    if isinstance(term, Literal):
        bare = _BARE.get(term.datatype.value)
        if bare and bare.fullmatch(term.value):
            return term.value
    # N-Triples' form leaves tabs as they are.
    return _n_triples(term).replace("\t", "\\t")


def _n_triples(term: Term) -> str:
    if isinstance(term, NamedNode):
        return f"<{term.value}>"
    if isinstance(term, BlankNode):
        return f"_:{term.value}"
    if isinstance(term, Triple):
        return f"<<( {_n_triples(term.subject)} {_n_triples(term.predicate)} {_n_triples(term.object)} )>>"
    text = json.dumps(term.value, ensure_ascii=False)
    if term.language:
        return f"{text}@{term.language}"
    return text if term.datatype.value == f"{_XSD}string" else f"{text}^^<{term.datatype.value}>"


def cell(term: Term | None, prefixes: Mapping[str, str] = PREFIXES) -> str:
    """A term for people: prefixes instead of long IRIs, values without their types."""
    if term is None:
        return ""
    if isinstance(term, NamedNode):
        return shortened(term.value, prefixes)
    if isinstance(term, Triple):
        return " ".join(cell(part, prefixes) for part in (term.subject, term.predicate, term.object))
    return str(term) if isinstance(term, BlankNode) else term.value


def shortened(iri: str, prefixes: Mapping[str, str] = PREFIXES) -> str:
    """`prefix:name` where a prefix fits and the rest is a name; the IRI otherwise."""
    best = max((start for start in prefixes.values() if iri.startswith(start)), key=len, default="")
    rest = iri[len(best) :]
    if best and re.fullmatch(r"[A-Za-z_][\w.-]*", rest):
        return next(f"{prefix}:{rest}" for prefix, start in prefixes.items() if start == best)
    return iri


def numeric(term: Term | None) -> bool:
    """Whether a term is a number: such columns are aligned to the right."""
    return isinstance(term, Literal) and term.datatype.value in {*_BARE, f"{_XSD}float"}
