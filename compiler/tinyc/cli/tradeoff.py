"""`--tradeoff` of `check` and `build`: what other choices of kernels would cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output

if TYPE_CHECKING:
    from tinyc.tradeoff import Point

Tradeoff = Annotated[
    bool,
    typer.Option(
        "--tradeoff",
        help="Print what the choices of kernels cost that no other one beats in arena, work and flash.",
    ),
]


def print_tradeoff(title: str, points: Sequence[Point]) -> None:
    """A row per choice, smallest arena first; the chosen one is marked."""
    output.table(
        title,
        ("", "arena>", "instructions>", "cycles>", "flash>", "--optimize"),
        (
            (
                "*" if point.chosen else "",
                f"{point.arena:,} B",
                _count(point.instructions),
                _count(point.cycles),
                f"{point.flash:,} B",
                point.optimize,
            )
            for point in points
        ),
        "* what was asked for. The arena is exact; work is predicted for a Cortex-M4, flash estimated.\n"
        "To build a row: --optimize time --max-arena ARENA --max-flash FLASH",
    )


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
