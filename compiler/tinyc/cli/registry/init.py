"""`tinyc registry init`: a new registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json


def command(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of the registry. Default: `[registry] at` of tinyc.toml, else .tinyc/registry here.",
            show_default=False,
        ),
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option("--graph", help="IRI of the graph that facts go to.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Make a registry in a folder, and write down the boards that tinyc knows. What is there stays."""
    from tinyc.cli.registry.places import new_location
    from tinyc.registry.boards import board_facts
    from tinyc.registry.registry import Registry

    location = new_location(path, graph)
    with output.busy("making the registry"), Registry.create(location) as registry:
        boards = registry.apply_all(board_facts())
        count = registry.store.count()
    if json:
        output.as_json({"registry": str(location), "boards": len(boards), "triples": count})
        return
    output.data(f"{location}: {len(boards)} boards, {count} triples")
