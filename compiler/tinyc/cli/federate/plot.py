"""`tinyc federate plot`: a run's rounds as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.federate.options import RunFile, state_of


def command(
    run: RunFile,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page. Default: RUN.html.", show_default=False),
    ] = None,
) -> None:
    """Write curves of the rounds as one HTML page that needs nothing else."""
    from tinyc.errors import TinycError
    from tinyc.files import write_together
    from tinyc.learning.federation.plot import page
    from tinyc.learning.federation.state import RunState

    path = state_of(run)
    with RunState(path) as state:
        progress, records, tallies = state.progress(), state.records(), state.tallies()
    if progress is None:
        raise TinycError("the run has no checkpoint yet", where=str(path))
    target = out or path.with_suffix(".html")
    try:
        write_together({target: page(path.stem, progress, records, tallies).encode()})
    except OSError as error:
        raise TinycError(f"cannot be written: {error}", where=str(target)) from error
    output.data(str(target))
