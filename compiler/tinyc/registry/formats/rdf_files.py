"""Reading RDF from files, streamed: errors have file, line and column, and nothing is ever fetched."""

from __future__ import annotations

import hashlib
import re
import xml.parsers.expat
from collections.abc import Callable, Iterator
from pathlib import Path

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Triple, parse

from tinyc.errors import TinycError
from tinyc.registry.names import BASE, hashed

SUFFIXES: dict[str, RdfFormat] = {
    ".ttl": RdfFormat.TURTLE,
    ".nt": RdfFormat.N_TRIPLES,
    ".nq": RdfFormat.N_QUADS,
    ".trig": RdfFormat.TRIG,
    ".rdf": RdfFormat.RDF_XML,
    ".owl": RdfFormat.RDF_XML,
    ".xml": RdfFormat.RDF_XML,
    ".jsonld": RdfFormat.JSON_LD,
}
_NO_CONTEXTS = re.compile("LoadDocumentCallback|remote context", re.IGNORECASE)
_CHUNK = 1 << 20


def format_of(path: Path) -> RdfFormat:
    """The format by the name of the file. Raises TinycError for a name that tells none."""
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise TinycError(
            "its name does not tell what it holds",
            where=str(path),
            allowed=f"{', '.join(SUFFIXES)}, or .json with Thing Descriptions",
        )
    return found


def quads_of(path: Path, graph: NamedNode | None = None, *, skolem: bool = False) -> Iterator[Quad]:
    """The quads of a file in its order. `graph` takes those that the file puts in none.

    Blank nodes are named by the content of the file and their place in it, so that the same file twice is the
    file once; with `skolem` they are IRIs, for stores that forget the names of blank nodes. Relative IRIs are
    relative to the name of the file alone.
    Raises TinycError for a file that cannot be read or is malformed, at the place where it is.
    """
    format = format_of(path)
    where = str(path)
    try:
        key = _digest(path)
        if format == RdfFormat.RDF_XML:
            _check_xml(path)
        blanks: dict[str, BlankNode | NamedNode] = {}
        kind = _skolem if skolem else BlankNode
        # Blank nodes without a name get one at random, but always in the order of the file.
        for quad in parse(path=str(path), format=format, base_iri=_base(path)):
            yield _named(quad, graph, key, blanks, kind)
    except SyntaxError as error:
        raise _malformed(error, where) from error
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TinycError(f"cannot be read: {said}", where=where) from error


def _base(path: Path) -> str:
    from urllib.parse import quote

    return f"file:///{quote(path.name, safe='')}"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _skolem(name: str) -> NamedNode:
    return NamedNode(f"{BASE}blank:{name}")


def _named(
    quad: Quad,
    graph: NamedNode | None,
    key: str,
    blanks: dict[str, BlankNode | NamedNode],
    kind: Callable[[str], BlankNode | NamedNode],
) -> Quad:
    def term(value: object) -> object:
        if isinstance(value, BlankNode):
            if value.value not in blanks:
                blanks[value.value] = kind(hashed(key, str(len(blanks))))
            return blanks[value.value]
        if isinstance(value, Triple):
            return Triple(term(value.subject), value.predicate, term(value.object))  # type: ignore[arg-type]
        return value

    name = quad.graph_name
    plain = isinstance(quad.subject, NamedNode) and isinstance(quad.object, NamedNode | Literal)
    if plain and (graph is None or isinstance(name, NamedNode)) and not isinstance(name, BlankNode):
        return quad
    if isinstance(name, DefaultGraph) and graph is not None:
        name = graph
    return Quad(term(quad.subject), quad.predicate, term(quad.object), term(name))  # type: ignore[arg-type]


def _malformed(error: SyntaxError, where: str) -> TinycError:
    text = str(error.msg)
    if _NO_CONTEXTS.search(text):
        return TinycError(
            "refers to a JSON-LD context elsewhere, and none is ever fetched",
            where=where,
            allowed="contexts that stand in the file, or Thing Descriptions",
        )
    # "Parser error at line 3 column 7: what" has the place twice.
    what = re.sub(r"^Parser error (at|between) [^:]*: ", "", text)
    place = f"{where}:{error.lineno}:{error.offset}" if error.lineno else where
    return TinycError(f"is malformed: {what[:1].lower()}{what[1:]}", where=place)


def _check_xml(path: Path) -> None:
    """Where XML is not well formed the RDF parser does not say where; entities could be bombs.

    Raises SyntaxError with the place.
    """
    parser = xml.parsers.expat.ParserCreate()

    def refuse(name: str, *_: object) -> None:
        raise _at(parser, f"declares the entity `{name}`, and entities are not read")

    parser.EntityDeclHandler = refuse
    try:
        with path.open("rb") as stream:
            parser.ParseFile(stream)
    except xml.parsers.expat.ExpatError as error:
        raise _at(parser, xml.parsers.expat.errors.messages[error.code]) from error


def _at(parser: xml.parsers.expat.XMLParserType, what: str) -> SyntaxError:
    place = (None, parser.ErrorLineNumber, parser.ErrorColumnNumber + 1, None)
    return SyntaxError(what, place)
