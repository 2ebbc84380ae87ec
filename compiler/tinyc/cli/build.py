"""`tinyc build`: model → firmware."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tinyc.cli import output
from tinyc.cli.options import (
    BoardName,
    Calibration,
    EmbeddingBits,
    Json,
    MaxDrop,
    Model,
    Optimize,
    Out,
    Toolchain,
)


def command(
    model: Model = None,
    board: BoardName = None,
    out: Out = None,
    toolchain: Toolchain = "zig",
    optimize: Optimize = None,
    calibration: Calibration = None,
    max_drop: MaxDrop = None,
    embedding_bits: EmbeddingBits = None,
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Print the bytes of every function and array, largest first.")
    ] = False,
    json: Json = False,
) -> None:
    """Compile a model and build its firmware with PlatformIO."""
    from tinyc.cli import target

    found = target.built(model, board, out, toolchain, calibration, optimize, max_drop, embedding_bits)
    report = found.report
    if json:
        elf = str(found.folder / str(report["elf"]))
        output.as_json({**report, "elf": elf, "folder": str(found.folder)})
        return
    target.say_built(found)
    if sizes:
        _print_sizes(report["symbols"])
        return
    output.table(
        "",
        ("file", "path"),
        ((kind, found.folder / path) for kind, path in report["files"].items()),
    )


def _print_sizes(symbols: list[dict[str, Any]]) -> None:
    totals: dict[str, int] = {}
    for symbol in symbols:
        totals[symbol["kind"]] = totals.get(symbol["kind"], 0) + symbol["bytes"]
    rows = [(symbol["name"], symbol["kind"], f"{symbol['bytes']:,}") for symbol in symbols]
    rows += [("total", kind, f"{total:,}") for kind, total in totals.items()]
    note = "Flash holds code, constants and data, RAM data and bss; the reserved stack is not listed."
    output.table("", ("symbol", "kind", "bytes>"), rows, note)
