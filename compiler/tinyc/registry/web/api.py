"""The JSON view: devices, models, figures, named queries. Errors are JSON too: `{"error": TEXT}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tinyc.registry.asking import ask, bound
from tinyc.registry.queries import NamedQuery
from tinyc.registry.web import answers, body, fleet, named, sparql, things
from tinyc.registry.web.body import Refused
from tinyc.registry.web.read import Reader
from tinyc.registry.web.work import service, workplace


async def _json(request: Request, make: Callable[[Reader], Any]) -> Response:
    reader: Reader = request.app.state.reader
    return JSONResponse(await workplace(request).run(lambda: make(reader)))


async def devices(request: Request) -> Response:
    """`?board= model= version= site= drift= state= text= limit= cursor=`; `total=1` counts the matches."""
    given = body.query_string(request)
    names = ("board", "model", "version", "site", "drift", "state", "text", "limit", "cursor", "total")
    unknown = [key for key, _ in given.pairs if key not in names]
    if unknown:
        raise Refused(400, f"`{unknown[0]}` is no filter; allowed: {', '.join(names)}")
    chosen = {name: given.one(name) or "" for name in names}
    limit = chosen["limit"] or str(fleet.PAGE)
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 6):
        raise Refused(400, "limit is a number of devices")

    def make(reader: Reader) -> dict[str, Any]:
        wanted = fleet.Filter.of(chosen)
        page = fleet.devices(reader, wanted, cursor=chosen["cursor"], limit=int(limit))
        heartbeats = service(request).heartbeats
        if heartbeats is not None:
            things.add_health(heartbeats, page["devices"])
        return page | ({"total": fleet.count(reader, wanted)} if chosen["total"] else {})

    return await _json(request, make)


async def device(request: Request) -> Response:
    heartbeats = service(request).heartbeats
    return await _json(request, lambda reader: things.device(reader, request.path_params["id"], heartbeats))


async def models(request: Request) -> Response:
    return await _json(request, lambda reader: {"models": fleet.models(reader)})


async def model(request: Request) -> Response:
    return await _json(request, lambda reader: things.model(reader, request.path_params["id"]))


async def stats(request: Request) -> Response:
    return await _json(request, fleet.stats)


async def history(request: Request) -> Response:
    return await _json(request, lambda reader: {"months": fleet.history(reader)})


async def queries(request: Request) -> Response:
    return JSONResponse({"queries": [named.entry(query) for query in service(request).named.values()]})


async def query_text(request: Request) -> Response:
    """The text of a named query with its parameters, as SPARQL to look at and change."""
    query, given = _named(request)
    served = service(request)
    text = await workplace(request).run(lambda: bound(query, given, served.store, served.heartbeats))
    return JSONResponse({"name": query.name, "text": text})


async def query(request: Request) -> Response:
    """Run a named query: `?PARAMETER=value`. Answers as /sparql does."""
    chosen, given = _named(request)
    served = service(request)
    media = sparql.choose(request, list(answers.ROWS))

    def run() -> answers.Rendered:
        found = ask(chosen, given, served.store, served.heartbeats, limits=served.settings.limits)
        return answers.render(found, media, served.settings.rows)

    return sparql.respond(await workplace(request).run(run))


def _named(request: Request) -> tuple[NamedQuery, dict[str, str]]:
    found = service(request).named.get(request.path_params["name"])
    if found is None:
        raise Refused(404, f"there is no query named {request.path_params['name']!r}")
    given = body.query_string(request)
    return found, {key: given.one(key) or "" for key, _ in given.pairs}
