"""Any SPARQL 1.1 endpoint as a store: queries and updates over HTTP, as forms, which every server takes.

What differs between servers and matters here:
- Oxigraph's default graph is not the union of all graphs unless a request asks for that, as these do.
Virtuoso's
  always is; it has no default graph to write to, so `graph` names one that stands for it, also for DESCRIBE.
- Virtuoso runs a request of several operations one by one: when one fails, those before it stay. It also
keeps
  values, not texts: `+00:00` of a time comes back as `Z`, `1.50` as `1.5`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pyoxigraph
from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, RdfFormat

from tinyc.registry.store import faults, http_answers, syntax
from tinyc.registry.store.base import EVERYTHING, NO_LIMITS, Answer, Limits, Rows, Scope, Term, too_slow
from tinyc.registry.store.errors import StoreFailed

if TYPE_CHECKING:
    import rdflib

_CONNECT = 10.0
_SILENCE = 600.0
"""Seconds that a server without a limit may take between two pieces of an answer."""
_TRIES = 3
_AGAIN = frozenset({502, 503, 504})
_BATCH = 2000
"""Quads of one INSERT DATA of a bulk load; Virtuoso's compiler takes no more than a few thousand."""
_VIRTUOSO_GRAPHS = ("http://www.openlinksw.com/", "http://localuriqaserver/", "http://www.w3.org/ns/ldp#")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server takes queries, updates and whole graphs; without `store`, bulk loads are updates."""

    query: str
    update: str
    store: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str, *, token: str = "") -> Addresses:
        """From one address: that of the endpoint (`…/sparql`, `…/query`), or of an Oxigraph server."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        bare = url.rstrip("/")
        if urlsplit(bare).scheme not in ("http", "https") or not urlsplit(bare).netloc:
            raise StoreFailed(
                f"`{url}` is no address of a SPARQL endpoint", hint="it begins with http:// or https://"
            )
        if bare.endswith("/query"):
            bare = bare.removesuffix("/query")
        elif urlsplit(bare).path not in ("", "/"):
            return cls(bare, bare, "", headers)
        return cls(f"{bare}/query", f"{bare}/update", f"{bare}/store?no_transaction", headers)


class EndpointStore:
    """`graph`: the graph that stands for the default graph where the server has none; needed on Virtuoso.

    `seconds`: how long the server may be silent when a query has no limit of its own. Safe to use from
    threads.
    """

    def __init__(
        self, addresses: Addresses, *, graph: NamedNode | None = None, seconds: float = _SILENCE
    ) -> None:
        self.addresses = addresses
        self.graph = graph
        self._seconds = seconds
        self._client = httpx.Client(
            headers=dict(addresses.headers), timeout=httpx.Timeout(seconds, connect=_CONNECT)
        )
        self._server = ""

    def query(
        self,
        text: str,
        *,
        limits: Limits = NO_LIMITS,
        prefixes: Mapping[str, str] | None = None,
        scope: Scope = EVERYTHING,
    ) -> Answer:
        if limits.seconds is not None and limits.seconds <= 0:
            raise too_slow(limits.seconds)
        added = syntax.prologue(text, prefixes or {})
        fields: dict[str, str | list[str]] = {"query": added + text}
        if scope.default or scope.named:
            fields["default-graph-uri"] = [graph.value for graph in scope.default]
            fields["named-graph-uri"] = [graph.value for graph in scope.named]
        elif scope.union:
            fields["union-default-graph"] = "true"
        form = syntax.form(text)
        if form == "describe" and self.graph is not None and "Virtuoso" in self._server:
            fields.setdefault("default-graph-uri", self.graph.value)
        graphs = form in ("construct", "describe")
        accept = http_answers.GRAPH_TYPES if graphs else http_answers.ROW_TYPES
        request = self._client.build_request(
            "POST",
            self.addresses.query,
            data=fields,
            headers={"Accept": accept},
            timeout=httpx.Timeout(limits.seconds or self._seconds, connect=_CONNECT),
        )
        response = self._send(request, safe=True, limits=limits)
        if response.status_code != 200:
            raise self._refused(response, text, prefixes, len(added))
        return http_answers.read(response, limits, self.addresses.query)

    def update(self, text: str, *, prefixes: Mapping[str, str] | None = None) -> None:
        added = syntax.prologue(text, prefixes or {})
        fields = {"update": added + text}
        if self.graph is not None:
            # As Virtuoso understands it: the default graph of patterns and of templates.
            fields["default-graph-uri"] = self.graph.value
        request = self._client.build_request("POST", self.addresses.update, data=fields)
        response = self._send(request, safe=False)
        if not response.is_success:
            raise self._refused(response, text, prefixes, len(added))
        response.close()

    def insert(self, quads: Iterable[Quad]) -> None:
        """One request. Blank nodes become new ones."""
        together = list(quads)
        if together:
            self.update(insert_data(together, self.graph))

    def load(self, path: Path, format: RdfFormat, *, graph: NamedNode | None = None) -> None:
        """Through the graph store where there is one; otherwise in batches, blank nodes together in the
        last."""
        target = graph or self.graph
        if self.addresses.store:
            self._post(path, format, target)
            return
        batch: list[Quad] = []
        blank: list[Quad] = []
        try:
            with path.open("rb") as file:
                for quad in pyoxigraph.parse(file, format):
                    if target is not None and isinstance(quad.graph_name, DefaultGraph):
                        quad = Quad(quad.subject, quad.predicate, quad.object, target)
                    own = isinstance(quad.subject, BlankNode) or isinstance(quad.object, BlankNode)
                    (blank if own else batch).append(quad)
                    if len(batch) == _BATCH:
                        self.insert(batch)
                        batch = []
        except SyntaxError as error:
            raise StoreFailed(f"not valid {format.name}: {error.msg}", where=str(path)) from None
        except OSError as error:
            raise faults.failure(str(error), str(path)) from error
        self.insert(batch)
        self.insert(blank)

    def count(self) -> int:
        text = "SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g"
        counted = 0
        for graph, count in _rows(self.query(text)):
            system = isinstance(graph, NamedNode) and graph.value.startswith(_VIRTUOSO_GRAPHS)
            counted += 0 if system else int(count.value)  # type: ignore[union-attr]
        if "Virtuoso" in self._server:
            return counted
        default = "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }"
        ((count,),) = _rows(self.query(default, scope=Scope(union=False)))
        return counted + int(count.value)  # type: ignore[union-attr]

    @property
    def system_graphs(self) -> tuple[str, ...]:
        """How the names of those graphs begin that the server keeps for itself. A server that has some has no
        default graph: it takes its named ones together for it. Known after the first query."""
        return _VIRTUOSO_GRAPHS if "Virtuoso" in self._server else ()

    def pages(
        self, text: str, order: str, *, size: int = 10_000, prefixes: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Term | None, ...]]:
        """All rows of a SELECT, `size` at a time, for servers that cap their answers.

        `order` are the variables that order the rows fully, such as `?device ?version`. The pages are those
        of the sub-select, so that Virtuoso's limit on sorted rows with an offset does not apply.
        """
        added = syntax.prologue(text, prefixes or {})
        start = 0
        while True:
            paged = (
                f"{added}SELECT * WHERE {{ {{ SELECT * WHERE {{ {{ {text}\n}} }} ORDER BY {order} }} }} "
                f"OFFSET {start} LIMIT {size}"
            )
            count = 0
            for row in _rows(self.query(paged)):
                count += 1
                yield row
            if count < size:
                return
            start += size

    def as_rdflib(self) -> rdflib.Dataset:
        """The endpoint behind rdflib's API. Each write is a request of its own."""
        from tinyc.registry.store.rdflib_view import endpoint_dataset

        return endpoint_dataset(self.addresses)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> EndpointStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, path: Path, format: RdfFormat, graph: NamedNode | None) -> None:
        url = httpx.URL(self.addresses.store)
        if graph is not None:
            url = url.copy_set_param("graph", graph.value)
        elif not format.supports_datasets:
            url = url.copy_set_param("default", "")
        try:
            with path.open("rb") as file:
                request = self._client.build_request(
                    "POST", url, content=file, headers={"Content-Type": format.media_type}
                )
                response = self._send(request, safe=False)
        except OSError as error:
            raise faults.failure(str(error), str(path)) from error
        if not response.is_success:
            words = http_answers.words(response)
            raise StoreFailed(f"the endpoint did not take the file: {words}", where=str(path))
        response.close()

    def _send(self, request: httpx.Request, *, safe: bool, limits: Limits = NO_LIMITS) -> httpx.Response:
        """Once more when nothing was sent, and, if `safe`, when the server was in the way of itself."""
        where = str(request.url.copy_with(query=None))
        for attempt in range(1, _TRIES + 1):
            last = attempt == _TRIES
            try:
                response = self._client.send(request, stream=True)
            except httpx.TimeoutException as error:
                if limits.seconds is not None and not isinstance(error, httpx.ConnectTimeout):
                    raise too_slow(limits.seconds) from None
                raise StoreFailed(
                    "the endpoint does not answer", where=where, hint="is it running?"
                ) from error
            except httpx.ConnectError as error:
                if last:
                    raise StoreFailed(
                        f"the endpoint cannot be reached: {error}", where=where, hint="is it running?"
                    ) from error
            except httpx.TransportError as error:
                # A kept connection that the server has closed meanwhile: an update may have been done.
                if last or not safe:
                    raise StoreFailed(
                        f"the endpoint broke off: {error or 'no answer'}", where=where
                    ) from error
            except (httpx.InvalidURL, httpx.HTTPError, ValueError) as error:
                raise StoreFailed(f"the endpoint cannot be asked: {error}", where=where) from error
            else:
                self._server = response.headers.get("Server", "")
                if not (safe and response.status_code in _AGAIN and not last):
                    return response
                response.close()
            time.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")

    def _refused(
        self, response: httpx.Response, text: str, prefixes: Mapping[str, str] | None, shift: int
    ) -> Exception:
        """The error for an answer that is none, with the server's words."""
        words = http_answers.words(response)
        status = response.status_code
        where = str(response.request.url.copy_with(query=None))
        if status in (401, 403):
            return StoreFailed(f"the endpoint refuses: {words}", where=where, hint="it may need a token")
        if status == 404:
            return StoreFailed(f"there is no endpoint here: {words}", where=where)
        if status == 400 or "syntax error" in words:
            error = syntax.syntax_error(words, text, prefixes, shift=shift)
            if error.line or "compiler" not in words:
                return error
        return StoreFailed(f"the endpoint answers {status}: {words}", where=where)


def insert_data(quads: Iterable[Quad], graph: NamedNode | None) -> str:
    """One INSERT. Every term is in N-Triples' form, so nothing of a value becomes syntax.

    Virtuoso takes no blank nodes in INSERT DATA; a template of a pattern with one solution makes the same.
    """
    by_graph: dict[str, list[str]] = {}
    blank = False
    for quad in quads:
        blank = blank or isinstance(quad.subject, BlankNode) or isinstance(quad.object, BlankNode)
        name = graph if isinstance(quad.graph_name, DefaultGraph) else quad.graph_name
        by_graph.setdefault(str(name) if name is not None else "", []).append(f"{quad.triple} .")
    parts = [
        "\n".join(lines) if not name else f"GRAPH {name} {{\n" + "\n".join(lines) + "\n}"
        for name, lines in by_graph.items()
    ]
    body = "{\n" + "\n".join(parts) + "\n}"
    return f"INSERT {body} WHERE {{ }}" if blank else f"INSERT DATA {body}"


def _rows(answer: Answer) -> Iterator[tuple[Term | None, ...]]:
    if not isinstance(answer, Rows):
        raise StoreFailed("the endpoint gave no rows for a SELECT")
    return answer.rows
