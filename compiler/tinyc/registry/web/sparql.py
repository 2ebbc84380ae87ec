"""The SPARQL 1.1 protocol: queries at /sparql, updates at /update.

Errors are plain text: that is what clients of endpoints show. An update that contradicts the shapes gets JSON
with the violations. A cut answer is a valid one, and the header
`tinyc-truncated` says at how many rows it was cut.
"""

from __future__ import annotations

import hmac

from pyoxigraph import NamedNode
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tinyc.registry.checked import CheckedUpdates
from tinyc.registry.store.base import Scope
from tinyc.registry.vocabulary import PREFIXES
from tinyc.registry.web import answers, body, description, negotiate
from tinyc.registry.web.body import FORM, Parameters, Refused
from tinyc.registry.web.outward import refused
from tinyc.registry.web.work import service, workplace

QUERY, UPDATE = "application/sparql-query", "application/sparql-update"
TRUNCATED = "tinyc-truncated"
_LONGEST = 1 << 20
"""Bytes of the text of a query."""


async def query(request: Request) -> Response:
    """GET and POST /sparql."""
    settings = service(request).settings
    given = body.query_string(request)
    if request.method == "POST":
        kind = body.media_type(request)
        if kind == UPDATE:
            return await update(request)
        if kind == QUERY:
            text: str | None = await body.read_text(request, _LONGEST, settings.body_seconds)
        elif kind == FORM:
            given = body.parameters(await body.read(request, settings.body, settings.body_seconds))
            text = given.one("query")
            if text is None and (change := given.one("update")) is not None:
                return await _update(request, change, given)
        else:
            raise Refused(415, f"a query comes as {QUERY} or {FORM}", {"accept-post": f"{QUERY}, {FORM}"})
        if text is None:
            raise Refused(400, "there is no parameter `query`")
    else:
        text = given.one("query")
        if text is None:
            return _introduction(request)
    return await answer(request, text, scope_of(given, settings.union))


def _introduction(request: Request) -> Response:
    media = choose(request, [*description.FORMATS, "text/html"])
    if media == "text/html":
        return RedirectResponse("/#/query", status_code=303)
    url = str(request.url.replace(query=""))
    return Response(description.describe(url, service(request).settings.union, media), media_type=media)


async def answer(request: Request, text: str, scope: Scope) -> Response:
    """Run a query and answer in what the client takes."""
    if len(text) > _LONGEST:
        raise Refused(413, f"the text of a query may have {_LONGEST:,} characters")
    why = refused(text)
    if why:
        raise Refused(403, why)
    served = service(request)

    def run() -> answers.Rendered:
        found = served.store.query(text, limits=served.settings.limits, prefixes=PREFIXES, scope=scope)
        media = choose(request, answers.offers(found))
        return answers.render(found, media, served.settings.rows)

    return respond(await workplace(request).run(run))


def choose(request: Request, offers: list[str]) -> str:
    """The media type to answer in. Raises Refused when the client takes none of these."""
    media = negotiate.choose(request.headers.get("accept"), offers)
    if media is None:
        raise Refused(406, f"this comes as {', '.join(offers)}")
    return media


def respond(rendered: answers.Rendered) -> Response:
    headers = {"vary": "accept"}
    if rendered.cut is not None:
        headers[TRUNCATED] = f"rows={rendered.cut}"
    text = rendered.media.startswith("text/")
    media = f"{rendered.media}; charset=utf-8" if text else rendered.media
    return Response(rendered.body, headers={**headers, "content-type": media})


async def update(request: Request) -> Response:
    """POST /update, and updates at /sparql: only with the token that the server was started with."""
    settings = service(request).settings
    _authorize(request, settings.token)
    given = body.query_string(request)
    kind = body.media_type(request)
    most, seconds = settings.body, settings.body_seconds
    if kind == UPDATE:
        text: str | None = await body.read_text(request, most, seconds)
    elif kind == FORM:
        given = body.parameters(await body.read(request, most, seconds))
        text = given.one("update")
    else:
        raise Refused(415, f"an update comes as {UPDATE} or {FORM}", {"accept-post": f"{UPDATE}, {FORM}"})
    if text is None:
        raise Refused(400, "there is no parameter `update`")
    return await _update(request, text, given)


async def _update(request: Request, text: str, given: Parameters) -> Response:
    served = service(request)
    _authorize(request, served.settings.token)
    if given.all("using-graph-uri") or given.all("using-named-graph-uri"):
        raise Refused(400, "using-graph-uri is not understood: write USING in the update")
    why = refused(text, update=True)
    if why:
        raise Refused(403, why)

    def run() -> None:
        if served.settings.checked:
            checked: CheckedUpdates = request.app.state.updates
            checked.update(text, PREFIXES)
        else:
            served.store.update(text, prefixes=PREFIXES)

    await workplace(request).run(run)
    return Response(status_code=204)


def _authorize(request: Request, token: str | None) -> None:
    if token is None:
        raise Refused(403, "this server only reads: start it with --write-token-file to let it write")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Refused(
            401, "a write needs the server's token: `Authorization: Bearer …`", {"www-authenticate": "Bearer"}
        )


def scope_of(given: Parameters, union: bool) -> Scope:
    """The graphs of a query: the protocol's parameters, and `union-default-graph=true|false`."""
    default = tuple(_graph(text) for text in given.all("default-graph-uri"))
    named = tuple(_graph(text) for text in given.all("named-graph-uri"))
    word = given.one("union-default-graph")
    if word is not None:
        # Without a value it means true, as in Oxigraph's server.
        if word not in ("", "true", "false"):
            raise Refused(400, "union-default-graph is true or false")
        union = word != "false"
    return Scope(union=union, default=default, named=named)


def _graph(text: str) -> NamedNode:
    try:
        return NamedNode(text)
    except ValueError:
        raise Refused(400, f"{text!r} is no IRI of a graph") from None
