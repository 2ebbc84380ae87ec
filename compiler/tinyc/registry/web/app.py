"""The application: routes, static files and errors."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tinyc.errors import TinycError
from tinyc.registry.checked import CheckedUpdates
from tinyc.registry.web import api, graphs, openapi, sparql
from tinyc.registry.web.body import Refused
from tinyc.registry.web.guard import Guard
from tinyc.registry.web.read import Reader
from tinyc.registry.web.settings import Service
from tinyc.registry.web.work import Workplace, refusal

STATIC = Path(__file__).resolve().parent / "static"


class _Static(StaticFiles):
    """Files that a browser keeps and asks about: a new version of tinyc has new ones under the same names."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers["cache-control"] = "no-cache"
        return response


async def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html", media_type="text/html")


async def _about(request: Request) -> Response:
    """What the page needs to know of its server."""
    served: Service = request.app.state.service
    return JSONResponse(
        {
            "title": served.title,
            "writable": served.settings.token is not None,
            "heartbeats": served.heartbeats is not None,
            "seconds": served.settings.seconds,
            "rows": served.settings.rows,
        }
    )


async def _openapi(request: Request) -> Response:
    return JSONResponse(openapi.description())


ROUTES = (
    Route("/", _page),
    Route("/sparql", sparql.query, methods=["GET", "POST"]),
    Route("/update", sparql.update, methods=["POST"]),
    Route("/graphs", graphs.read),
    Route("/api/about", _about),
    Route("/api/openapi.json", _openapi),
    Route("/api/devices", api.devices),
    Route("/api/devices/{id:path}", api.device),
    Route("/api/models", api.models),
    Route("/api/models/{id:path}", api.model),
    Route("/api/stats", api.stats),
    Route("/api/history", api.history),
    Route("/api/queries", api.queries),
    Route("/api/queries/{name}/text", api.query_text),
    Route("/api/queries/{name}", api.query),
    Mount("/static", _Static(directory=STATIC)),
)


def application(service: Service) -> ASGIApp:
    """The ASGI application that serves `service`."""
    app = Starlette(
        routes=list(ROUTES),
        exception_handlers={
            Refused: _refused,
            TinycError: _mistake,
            HTTPException: _http,
            Exception: _bug,
        },
    )
    app.state.service = service
    app.state.updates = CheckedUpdates(service.store)
    app.state.reader = Reader(service.store, service.settings.limits)
    app.state.workplace = Workplace(service.settings.queries)
    return Guard(app, service.settings)


def _say(request: Request, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": text}, status_code=status, headers=headers)
    return PlainTextResponse(text + "\n", status_code=status, headers=headers)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    if error.details:
        body = {"error": error.text, **error.details}
        return JSONResponse(body, status_code=error.status, headers=error.headers)
    return _say(request, error.status, error.text, error.headers)


def _mistake(request: Request, error: Exception) -> Response:
    assert isinstance(error, TinycError)
    return _refused(request, refusal(error))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _say(request, error.status_code, error.detail.lower(), error.headers)


def _bug(request: Request, error: Exception) -> Response:
    traceback.print_exception(error, file=sys.stderr)
    return _say(request, 500, "this is a bug in tinyc: the server's log has the lines to report")
