"""The OpenAPI description of the JSON view, at /api/openapi.json."""

from __future__ import annotations

from typing import Any

import tinyc
from tinyc.registry.web.fleet import DRIFTS, LONGEST_PAGE, PAGE, STATES

_TEXT = {"type": "string"}


def _parameter(
    name: str, what: str, schema: dict[str, Any] | None = None, place: str = "query"
) -> dict[str, Any]:
    found = {"name": name, "in": place, "description": what, "schema": schema or _TEXT}
    return found | {"required": True} if place == "path" else found


_FILTERS = [
    _parameter("board", "Name of a board."),
    _parameter("model", "Name of a model."),
    _parameter("version", "Version of a model."),
    _parameter("site", "Name of a site."),
    _parameter("drift", "What the device says of drift.", {"type": "string", "enum": list(DRIFTS)}),
    _parameter("state", "What is known of the device.", {"type": "string", "enum": list(STATES)}),
    _parameter("text", "Words that occur in the board, chip, site or model."),
    _parameter(
        "limit",
        "Devices of one page.",
        {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE},
    ),
    _parameter("cursor", "`next` of the page before."),
    _parameter("total", "Count all that match, too.", {"type": "string", "enum": ["1"]}),
]
_NAME = _parameter("name", "Name of a query.", place="path")
PATHS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "/api/about": ("What this server allows.", []),
    "/api/devices": ("Devices, a page at a time.", _FILTERS),
    "/api/devices/{id}": (
        "One device: BOARD:CHIP, or its IRI.",
        [_parameter("id", "The device.", place="path")],
    ),
    "/api/models": ("Models, their versions, and on how many devices each runs.", []),
    "/api/models/{id}": (
        "One version: NAME:VERSION:DIGEST, or its IRI.",
        [_parameter("id", "The model.", place="path")],
    ),
    "/api/stats": ("Figures over the fleet.", []),
    "/api/history": ("Deployments of each version by month.", []),
    "/api/queries": ("The named queries and their parameters.", []),
    "/api/queries/{name}": ("The answer of a named query; its parameters are those of the query.", [_NAME]),
    "/api/queries/{name}/text": ("The SPARQL of a named query with its parameters.", [_NAME]),
    "/api/openapi.json": ("This description.", []),
}


def description() -> dict[str, Any]:
    """OpenAPI 3.1."""
    error = {
        "description": "What is wrong, in a sentence.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"error": _TEXT}, "required": ["error"]}
            }
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "tinyc registry", "version": tinyc.__version__},
        "paths": {
            path: {
                "get": {
                    "summary": summary,
                    "parameters": parameters,
                    "responses": {
                        "200": {"description": summary, "content": {"application/json": {}}},
                        "default": error,
                    },
                }
            }
            for path, (summary, parameters) in PATHS.items()
        },
    }
