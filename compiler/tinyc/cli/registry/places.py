"""Where a new registry goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.files import STATE_FOLDER
from tinyc.registry.location import FOLDER, Location, find


def new_location(path: Path | None, graph: str | None) -> Location:
    """The folder to make: as told, else as tinyc.toml says, else here. Raises TinycError."""
    from pyoxigraph import NamedNode

    if path is not None:
        location = Location(folder=path, told_by="PATH")
    else:
        location = find() or Location(folder=Path.cwd() / STATE_FOLDER / FOLDER, told_by="default")
    if graph is None:
        return location
    try:
        return replace(location, graph=NamedNode(graph))
    except ValueError as error:
        raise TinycError(f"is no IRI: {graph!r}", where="--graph") from error
