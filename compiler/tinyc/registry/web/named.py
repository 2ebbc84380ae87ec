"""Named queries over HTTP: what they are called, and their parameters."""

from __future__ import annotations

from typing import Any

from tinyc.registry.queries import NamedQuery


def entry(query: NamedQuery) -> dict[str, Any]:
    """A named query as JSON. A parameter whose default is None must be given."""
    return {
        "name": query.name,
        "description": query.description,
        "parameters": [
            {"name": one.name, "type": one.type, "default": one.default, "what": one.description}
            for one in query.parameters
        ],
        "text": query.text,
    }
