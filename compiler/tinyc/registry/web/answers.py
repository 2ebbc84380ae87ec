"""An answer of a store as bytes in a media type, cut at the server's bound of rows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from pyoxigraph import RdfFormat, serialize

from tinyc.registry import results
from tinyc.registry.store.base import Answer, Rows, Triples, Truth
from tinyc.registry.store.errors import LimitReached
from tinyc.registry.vocabulary import PREFIXES

T = TypeVar("T")

ROWS = {
    "application/sparql-results+json": "json",
    "application/json": "json",
    "application/sparql-results+xml": "xml",
    "application/xml": "xml",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
}
TRUTHS = {media: format for media, format in ROWS.items() if format in ("json", "xml")}
GRAPHS = {
    "text/turtle": RdfFormat.TURTLE,
    "application/n-triples": RdfFormat.N_TRIPLES,
    "application/rdf+xml": RdfFormat.RDF_XML,
    "application/ld+json": RdfFormat.JSON_LD,
    "application/json": RdfFormat.JSON_LD,
    "text/plain": RdfFormat.N_TRIPLES,
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """`cut` is at how many rows or triples the answer was cut, None when it is whole."""

    body: bytes
    media: str
    cut: int | None = None


def offers(answer: Answer) -> list[str]:
    """The media types of an answer of this kind, the default first."""
    if isinstance(answer, Truth):
        return list(TRUTHS)
    return list(GRAPHS) if isinstance(answer, Triples) else list(ROWS)


def render(answer: Answer, media: str, bound: int | None) -> Rendered:
    """The answer in `media`, with `bound` rows or triples at most. Raises LimitReached when time runs out."""
    if isinstance(answer, Triples):
        triples, cut = _take(answer.triples, bound)
        out = io.BytesIO()
        # RDF/XML and Turtle need no prefixes to be right, but are read by people.
        serialize(triples, out, GRAPHS[media], prefixes=PREFIXES)
        return Rendered(out.getvalue(), media, cut)
    if isinstance(answer, Rows):
        rows, cut = _take(answer.rows, bound)
        answer = Rows(answer.variables, iter(rows))
        return Rendered(results.encode(answer, ROWS[media]), media, cut)
    return Rendered(results.encode(answer, ROWS[media]), media)


def _take(items: Iterator[T], bound: int | None) -> tuple[list[T], int | None]:
    found: list[T] = []
    try:
        for item in items:
            if bound is not None and len(found) == bound:
                return found, bound
            found.append(item)
    except LimitReached:
        if bound is None or len(found) < bound:
            raise
        return found, bound
    return found, None
