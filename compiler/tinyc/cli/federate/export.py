"""`tinyc federate export`: what a run learned, as a file."""

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
        typer.Option("--output", "-o", help="The .npz. Default: RUN.npz.", show_default=False),
    ] = None,
) -> None:
    """Write the parameters of the last checkpoint, with the network they are for, as an .npz."""
    from tinyc.errors import TinycError
    from tinyc.learning.federation.export import write_npz
    from tinyc.learning.federation.state import RunState

    path = state_of(run)
    with RunState(path) as state:
        progress = state.progress()
    if progress is None:
        raise TinycError("the run has no checkpoint yet", where=str(path))
    target = out or path.with_suffix(".npz")
    write_npz(target, progress)
    output.data(str(target))
