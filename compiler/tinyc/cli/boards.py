"""`tinyc boards`: what tinyc can build for, and which of it a model is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tinyc.boards import board_names, load_board
from tinyc.cli import output
from tinyc.cli.options import AllowFloat, Calibration, Json, Model, Optimize
from tinyc.errors import DoesNotFit, TinycError
from tinyc.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinyc.fit import Fit

app = typer.Typer(help="List the boards, or rank them for a model.", invoke_without_command=True)


@app.callback()
def boards(context: typer.Context, json: Json = False) -> None:
    """List the boards: core, clock, memory, features, what runs their firmware here, ways of flashing."""
    if context.invoked_subcommand is not None:
        return
    from tinyc.emulator.available import emulators

    known = [load_board(name) for name in board_names()]
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
                    "application_ram": board.memory.application_ram,
                    "stack": board.memory.stack,
                    "sensors": list(board.sensors),
                    "radio": board.radio or None,
                    "emulators": list(emulators(board)),
                    "flash_methods": list(board.flashing.methods),
                    "usb": list(board.usb.ids),
                }
                for board in known
            ]
        )
        return
    output.table(
        "",
        ("board", "title", "core", "features", "MHz>", "flash>", "RAM>", "runs here in", "flashed by"),
        (
            (
                board.name,
                board.title,
                board.core,
                ", ".join(sorted(board.features)),
                f"{board.clock_hz / 1e6:g}",
                output.bytes_text(board.memory.application_flash),
                output.bytes_text(board.memory.application_ram),
                ", ".join(emulators(board)),
                ", ".join(board.flashing.methods),
            )
            for board in known
        ),
        note="Flash and RAM are what a bootloader leaves to the firmware.",
    )


@app.command()
def fit(
    model: Model = None,
    optimize: Optimize = None,
    calibration: Calibration = None,
    allow_float: AllowFloat = None,
    json: Json = False,
) -> None:
    """Rank the boards for a model: whether it fits, by how many bytes not, arena and predicted time."""
    from tinyc import fit as fitting
    from tinyc import pipeline
    from tinyc.source import resolve

    source = resolve(model, calibration=calibration, allow_float=allow_float)
    objective = optimize or source.optimize
    if objective is Objective.TUNED:
        raise TinycError("`tuned` needs counts of each board", hint="choose another --optimize")
    with output.stages("preparing") as progress:
        graph = pipeline.prepare(source, progress=progress).graph
    known = [board for board in map(load_board, board_names()) if not board.is_host]
    with output.stages("compiling") as progress:
        found = []
        for at, each in enumerate(fitting.fits(graph, source, known, objective)):
            progress(each.board.name, (at + 1) / len(known))
            found.append(each)
    ranked = fitting.ranked(found)
    if json:
        output.as_json([each.to_json() for each in ranked])
    else:
        _print(source.name, ranked)
    if source.config is not None and (source.config.learn or source.config.lowpan):
        output.talk("[learn] and [sixlowpan] of tinyc.toml are not counted here; `tinyc check` counts them")
    if not any(each.fits for each in ranked):
        raise DoesNotFit(f"model `{source.name}` fits on no board", hint="use a smaller model or input")


def _print(model: str, ranked: Sequence[Fit]) -> None:
    output.table(
        f"{model}, best board first",
        ("#>", "board", "core", "fits", "flash>", "RAM>", "arena>", "cycles>", "ms>"),
        ((place, *_row(each)) for place, each in enumerate(ranked, 1)),
        note="Code in flash and other RAM are estimates, the arena is exact. Cycles are without wait states. "
        "~: fitted to a Cortex-M4, not to this core. ?: no figures for this core.",
    )
    reasons = [(each.board.name, problem.where, problem.what) for each in ranked for problem in each.problems]
    if reasons:
        output.table("why not", ("board", "where", "what"), reasons)


def _row(fit: Fit) -> tuple[str, ...]:
    found, time = fit.budget, fit.milliseconds
    if found is None:
        return (fit.board.name, fit.board.core, "cannot run it", "", "", "", "", "")
    short = [
        f"{size:,} B of {what}" for size, what in ((fit.flash_short, "flash"), (fit.ram_short, "RAM")) if size
    ]
    about = "~" if fit.of_another_core else ""
    return (
        fit.board.name,
        fit.board.core,
        f"lacks {' and '.join(short)}" if short else "yes",
        f"{found.flash:,} of {found.flash_available:,}",
        f"{found.ram:,} of {found.ram_available:,}",
        f"{found.arena:,}",
        "?" if fit.cycles is None else f"{about}{fit.cycles:,}",
        "?" if time is None else f"{about}{time:.4g}",
    )
