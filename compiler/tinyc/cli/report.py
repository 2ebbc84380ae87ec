"""`tinyc report`: a build as one web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.artifact import Artifact, open_artifact
from tinyc.cli import output
from tinyc.errors import TinycError

PAGE = "report.html"


def command(
    build: Annotated[Path, typer.Argument(help="A build folder.")],
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Another build folder, to compare with.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where the page goes. Default: BUILD/report.html.", show_default=False
        ),
    ] = None,
    predicted: Annotated[
        bool,
        typer.Option(
            "--predicted",
            help="Take instructions and cycles from predictions; run nothing on the emulated chip.",
        ),
    ] = False,
) -> None:
    """Show a build as one web page: graph, layers, memory, sizes, quantization, and what changed.

    The page is a file that needs no network and no other file.
    """
    found = open_artifact(build)
    other = None if against is None else open_artifact(against)
    path = write_page(found, other, out, predicted=predicted)
    output.data(str(path))


def write_page(
    found: Artifact, other: Artifact | None = None, out: Path | None = None, *, predicted: bool = False
) -> Path:
    """Write the page of a build and return its path. Raises TinycError where it cannot be written.

    Costs are counted where an emulated chip can count those of all builds, else predicted.
    """
    from tinyc.build_page.collect import can_count, collect
    from tinyc.build_page.compare import compare
    from tinyc.build_page.render import render
    from tinyc.build_page.view import CostSource, Page
    from tinyc.files import write_if_changed

    builds = [found] if other is None else [found, other]
    counted = not predicted and all(map(can_count, builds))
    costs = CostSource.COUNTED if counted else CostSource.PREDICTED
    with output.busy("counting on the emulated chip" if counted else "reading the build"):
        build, *others = (collect(each, costs) for each in builds)
    page = Page(build, compare(build, others[0]) if others else None)
    path = out or found.folder / PAGE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_if_changed(path, render(page).encode(errors="replace"))
    except OSError as error:
        raise TinycError(f"cannot write: {error.strerror}", where=str(path)) from error
    return path
