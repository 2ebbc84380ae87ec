"""Reading whole graphs: GET and HEAD of the SPARQL 1.1 Graph Store protocol at /graphs."""

from __future__ import annotations

from itertools import chain

from pyoxigraph import NamedNode
from starlette.requests import Request
from starlette.responses import Response

from tinyc.registry.store.base import Scope, Triples
from tinyc.registry.web import answers, body, sparql
from tinyc.registry.web.body import Refused
from tinyc.registry.web.work import service, workplace


async def read(request: Request) -> Response:
    """`?default` or `?graph=IRI`; 404 for a graph without triples."""
    given = body.query_string(request)
    wanted, default = given.one("graph"), given.one("default")
    if (wanted is None) == (default is None):
        raise Refused(400, "which graph: ?default or ?graph=IRI")
    scope, pattern = Scope(union=False), "?s ?p ?o"
    if wanted is not None:
        try:
            pattern = f"GRAPH {NamedNode(wanted)} {{ ?s ?p ?o }}"
        except ValueError:
            raise Refused(400, f"{wanted!r} is no IRI of a graph") from None
    media = sparql.choose(request, list(answers.GRAPHS))
    served = service(request)

    def run() -> answers.Rendered:
        text = f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ {pattern} }}"
        found = served.store.query(text, limits=served.settings.limits, scope=scope)
        if not isinstance(found, Triples):
            raise TypeError("a CONSTRUCT gave no triples")
        first = next(found.triples, None)
        if first is None and wanted is not None:
            raise Refused(404, "there is no such graph")
        triples = found.triples if first is None else chain([first], found.triples)
        return answers.render(Triples(triples), media, served.settings.rows)

    return sparql.respond(await workplace(request).run(run))
