"""What the verbs of `tinyc federate` share: where a run's state is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SUFFIX = ".run"

RunConfig = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to run.", show_default=False)]
RunFile = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="State of a run, or its CONFIG.toml beside it.", show_default=False),
]
StateFile = Annotated[
    Path | None,
    typer.Option(
        "--state", help="State of the run. Default: CONFIG.run beside CONFIG.toml.", show_default=False
    ),
]


def state_of(path: Path) -> Path:
    """The state's file of a configuration, or the file itself."""
    return path.with_suffix(SUFFIX) if path.suffix == ".toml" else path
