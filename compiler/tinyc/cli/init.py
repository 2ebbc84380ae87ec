"""`tinyc init`: a commented tinyc.toml to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyc.cli import output
from tinyc.cli.options import Calibration


def command(
    model: Annotated[Path, typer.Argument(help="The model to compile.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where tinyc.toml goes.")] = Path(),
    board: Annotated[str, typer.Option("--board", "-b", help="Default board.")] = "nrf52840",
    audio: Annotated[bool, typer.Option("--audio", help="The input is sound.")] = False,
    calibration: Calibration = None,
) -> None:
    """Write a tinyc.toml for a model. An existing one is never overwritten."""
    from tinyc.boards import load_board
    from tinyc.scaffold import scaffold

    path = scaffold(folder, model, board=load_board(board).name, audio=audio, calibration=calibration)
    output.talk(f"wrote {path}; next: tinyc check")
