"""`tinyc boards`: what tinyc can build for."""

from __future__ import annotations

from tinyc.boards import board_names, load_board
from tinyc.cli import output
from tinyc.cli.options import Json


def command(json: Json = False) -> None:
    """List the boards."""
    boards = [load_board(name) for name in board_names()]
    if json:
        output.as_json(
            [
                {
                    "name": board.name,
                    "title": board.title,
                    "soc": board.soc,
                    "core": board.core,
                    "features": sorted(board.features),
                    "clock_hz": board.clock_hz,
                    "flash": board.memory.application_flash,
                    "ram": board.memory.ram,
                    "flash_methods": list(board.flashing.methods),
                    "usb": list(board.usb.ids),
                }
                for board in boards
            ]
        )
        return
    output.table(
        "",
        ("board", "title", "soc", "core", "MHz>", "flash>", "RAM>", "flashed by"),
        (
            (
                board.name,
                board.title,
                board.soc,
                board.core,
                f"{board.clock_hz / 1e6:g}",
                output.bytes_text(board.memory.application_flash),
                output.bytes_text(board.memory.ram),
                ", ".join(board.flashing.methods),
            )
            for board in boards
        ),
    )
