"""`tinyc registry import`: RDF, published descriptions and Thing Descriptions into the registry."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Json
from tinyc.cli.registry.options import RegistryAt, opened
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from pyoxigraph import NamedNode


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Files (.ttl .nt .nq .trig .rdf .jsonld, .json with Thing Descriptions), folders of them, "
            "or the URL of a Thing Description directory.",
        ),
    ],
    graph: Annotated[
        str | None,
        typer.Option(
            "--graph",
            help="IRI of the graph for triples that are in none. Default: that of the registry; published "
            "descriptions have one of their own.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Where there can be one value, that of the files replaces the registry's."
        ),
    ] = False,
    registry: RegistryAt = None,
    json: Json = False,
) -> None:
    """Take over files and directories. All is read and checked first; with a mistake nothing is written."""
    from datetime import UTC, datetime

    from tinyc.registry.formats.importing import import_all

    with opened(registry, writable=True) as opening, output.busy("importing"):
        done = import_all(
            opening.store,
            sources,
            now=datetime.now(UTC),
            graph=_graph(graph),
            facts=opening.graph,
            replace=replace,
        )
    if json:
        output.as_json(asdict(done))
        return
    for note in done.notes:
        output.talk(note)
    output.table(
        "",
        ("quads>", "boards>", "models>", "devices>"),
        [(f"{done.quads:,}", done.boards, done.models, done.devices)],
    )


def _graph(text: str | None) -> NamedNode | None:
    from pyoxigraph import NamedNode

    try:
        return NamedNode(text) if text is not None else None
    except ValueError as error:
        raise TinycError(f"is no IRI: {text!r}", where="--graph") from error
