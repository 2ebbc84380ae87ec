"""Answers of an endpoint, read as they arrive."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import IO, TypeVar, cast

import httpx
import pyoxigraph
from pyoxigraph import (
    Literal,
    NamedNode,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolutions,
    RdfFormat,
)

from tinyc.registry.store.base import Answer, Limits, Rows, Term, Triples, Truth, capped, too_slow
from tinyc.registry.store.errors import LimitReached, StoreFailed

T = TypeVar("T")
ROW_TYPES = "application/sparql-results+json, application/sparql-results+xml;q=0.8"
GRAPH_TYPES = "application/n-triples, text/turtle;q=0.8, application/rdf+xml;q=0.5"
_BOOLEAN = "http://www.w3.org/2001/XMLSchema#boolean"
_WORDS = 400
"""Characters of a server's explanation that are shown."""


class _Body(io.RawIOBase):
    """The body of a response as a file. The time that is waited for it counts, not the reader's own."""

    def __init__(self, response: httpx.Response, limits: Limits, where: str) -> None:
        self._response = response
        self._pieces = response.iter_bytes()
        self._rest = b""
        self._limits = limits
        self._waited = response.elapsed.total_seconds() if response.is_closed else 0.0
        self.failed: Exception | None = None
        self._where = where

        # Virtuoso names blank nodes by what is no name of one.
        self._rename = "Virtuoso" in response.headers.get("Server", "")
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At least a byte unless the end is reached; a parser asks again."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(65536), b""))
        if not self._rest:
            self._rest = self._renamed() if self._rename else self._next()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def _renamed(self) -> bytes:
        """Whole lines, so that no name is cut; a quote inside of a literal has a backslash before it."""
        while True:
            piece = self._next()
            self._held += piece
            end = self._held.rfind(b"\n") + 1 if piece else len(self._held)
            if end or not piece:
                whole, self._held = self._held[:end], self._held[end:]
                return whole.replace(b'"bnode", "value": "nodeID://', b'"bnode", "value": "')

    def _next(self) -> bytes:
        started = time.monotonic()
        try:
            piece = next(self._pieces, b"")
        except httpx.TimeoutException:
            self.failed = (
                too_slow(self._limits.seconds)
                if self._limits.seconds is not None
                else StoreFailed("the endpoint stopped in its answer", where=self._where)
            )
            raise OSError("timeout") from None
        except httpx.HTTPError as error:
            self.failed = StoreFailed(f"the answer of the endpoint is cut off: {error}", where=self._where)
            raise OSError("cut off") from None
        self._waited += time.monotonic() - started
        if self._limits.seconds is not None and self._waited > self._limits.seconds:
            self.failed = too_slow(self._limits.seconds)
            raise OSError("timeout")
        return piece


def read(response: httpx.Response, limits: Limits, where: str) -> Answer:
    """The answer in a response of status 200; reading it on may raise `StoreFailed` or `LimitReached`."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    results = QueryResultsFormat.from_media_type(kind) if kind else None
    # Virtuoso calls N-Triples plain text.
    graph = RdfFormat.from_media_type(kind.replace("text/plain", "application/n-triples")) if kind else None
    body = _Body(response, limits, where)
    if results is None and graph is None:
        text = words(response)
        raise StoreFailed(f"the endpoint answers with `{kind or 'nothing'}`: {text}", where=where)
    most = response.headers.get("X-SPARQL-MaxRows", "")
    if results is None:
        assert graph is not None
        triples = pyoxigraph.parse(cast(IO[bytes], body), graph)
        return Triples(_whole((quad.triple for quad in triples), response, body, limits))
    try:
        found = pyoxigraph.parse_query_results(cast(IO[bytes], body), results)
    except (SyntaxError, ValueError, OSError) as error:
        response.close()
        raise _broken(error, body, where) from None
    if isinstance(found, QueryBoolean):
        response.close()
        return Truth(bool(found))
    assert isinstance(found, QuerySolutions)
    names = tuple(variable.value for variable in found.variables)
    rows = _uncut(
        (tuple(_term(term) for term in row) for row in found), int(most) if most.isdigit() else None
    )
    return Rows(names, _whole(rows, response, body, limits))


def _whole(items: Iterator[T], response: httpx.Response, body: _Body, limits: Limits) -> Iterator[T]:
    try:
        yield from capped(items, limits)
    except (SyntaxError, ValueError, OSError) as error:
        raise _broken(error, body, str(response.request.url.copy_with(query=None))) from None
    finally:
        response.close()


def _broken(error: Exception, body: _Body, where: str) -> Exception:
    if body.failed is not None:
        return body.failed
    return StoreFailed(f"the answer of the endpoint cannot be read: {error}", where=where)


def _uncut(rows: Iterator[T], most: int | None) -> Iterator[T]:
    """Virtuoso tells the most rows that it gives, and gives no more: a full answer may then be a part."""
    count = 0
    for row in rows:
        count += 1
        yield row
    if most is not None and count >= most:
        raise LimitReached(
            f"the endpoint gives at most {most} rows", limit="rows", hint="ask in pages, or raise its limit"
        )


def _term(term: Term | None) -> Term | None:
    """Booleans as RDF writes them: Virtuoso has 1 and 0."""
    if isinstance(term, Literal) and term.value in ("0", "1") and term.datatype.value == _BOOLEAN:
        return Literal("true" if term.value == "1" else "false", datatype=NamedNode(_BOOLEAN))
    return term


def _told(body: bytes) -> str:
    """The beginning of the text, or the `error` of an answer in JSON."""
    if body.lstrip().startswith(b"{"):
        try:
            told = json.loads(body).get("error")
        except ValueError:
            told = None
        if isinstance(told, str):
            return told
    return body[:4096].decode("utf-8", "replace")


def words(response: httpx.Response) -> str:
    """What the server says, shortened; reads and closes the response."""
    try:
        text = _told(response.read()).strip()
    except httpx.HTTPError:
        text = ""
    finally:
        response.close()
    # Virtuoso repeats the query.
    text = text.partition("\n\nSPARQL query:")[0]
    if text.lstrip().startswith("<"):
        text = f"a page of HTML (status {response.status_code})"
    text = text or f"status {response.status_code}"
    return text if len(text) <= _WORDS else text[:_WORDS] + "…"
