"""`tinyc profile`: what each layer costs on the chip."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tinyc.boards import Board
from tinyc.cli import output
from tinyc.cli.options import (
    AllowFloat,
    BoardName,
    Json,
    MaxArena,
    MaxFlash,
    Model,
    Optimize,
    Port,
    Seed,
    Streaming,
    Toolchain,
)
from tinyc.cores import timings
from tinyc.errors import TinycError
from tinyc.objective import Limits

_COSTS = ("instructions", "cycles", "scratch", "constants")


def command(
    model: Model = None,
    board: BoardName = None,
    toolchain: Toolchain = "zig",
    optimize: Optimize = None,
    streaming: Streaming = None,
    allow_float: AllowFloat = None,
    max_arena: MaxArena = None,
    max_flash: MaxFlash = None,
    kernels: Annotated[
        bool, typer.Option("--kernels", help="Show the chosen and the rejected kernels of each layer.")
    ] = False,
    port: Port = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Count the instructions of one inference, layer by layer, on the emulated chip.

    With --port a board measures its CPU cycles instead.
    """
    from tinyc import profiling
    from tinyc.cli import target

    limits = Limits(max_arena, max_flash)
    found = target.built(
        model,
        board,
        toolchain=toolchain,
        optimize=optimize,
        limits=limits,
        allow_float=allow_float,
        streaming=streaming,
    )
    if found.program.board.is_host:
        raise TinycError("the host board has no emulated chip to count on", hint="pass --board nrf52840")
    if found.split is not None:
        raise TinycError(
            "the layers of a split build have no functions of their own to count",
            where=str(found.folder),
            hint="profile the model without --split-model: its kernels are the same",
        )
    if port is not None:
        from tinyc.device.client import DeviceClient
        from tinyc.device.transport import SerialTransport

        with SerialTransport(port) as line:
            result = profiling.measure(found.program, DeviceClient(line), seed)
    else:
        result = profiling.profile(found.program, found.elf, seed)
    if json:
        output.as_json(result)
        return
    if port is None:
        _show_counted(result, found.program.board)
    else:
        _show_measured(result, port)
    if kernels:
        _show_kernels(result)


def _show_measured(result: dict[str, Any], port: str) -> None:
    total = {"layer": "", "name": "total", "op": "", "kernel": ""}
    total |= {key: result[key] for key in ("macs", "cycles", "milliseconds", "weights")}
    output.table(
        f"{result['model']} on the board on {port}, one inference",
        ("#>", "layer", "op", "kernel", "MACs>", "cycles>", "cycles/MAC>", "ms>", "weights>"),
        [
            (
                *(str(layer[key]) for key in ("layer", "name", "op", "kernel")),
                f"{layer['macs']:,}" if layer["macs"] else "",
                f"{layer['cycles']:,}",
                f"{layer['cycles'] / layer['macs']:.2f}" if layer["macs"] else "",
                f"{layer['milliseconds']:.2f}",
                f"{layer['weights']:,}",
            )
            for layer in [*result["layers"], total]
        ],
        note="Cycles are those of the board's own counter; the total is that of a run of all layers at once.",
    )


def _show_counted(result: dict[str, Any], board: Board) -> None:
    output.table(
        f"{result['model']} on the emulated {result['soc']}, one inference",
        (
            "#>",
            "layer",
            "op",
            "kernel",
            "MACs>",
            "instructions>",
            "predicted>",
            "cycles>",
            "cycles/MAC>",
            "ms>",
            "weights>",
        ),
        [_row(layer) for layer in [*result["layers"], _total(result)]],
        note=counted_note(board),
    )


def counted_note(board: Board) -> str:
    """What the columns of a count on the emulated chip are, and whose instructions are predicted."""
    from tinyc.kernels.work import FITTED_CORE

    fitted = "" if board.core == FITTED_CORE else f" of a {FITTED_CORE}, not of this core"
    return (
        f"Predicted: instructions{fitted}, and how far they are from the counted ones. Cycles are estimated "
        f"from {timings(board.core)}, zero wait states; ms at {board.clock_hz / 1e6:g} MHz."
    )


def _show_kernels(result: dict[str, Any]) -> None:
    output.table(
        f"kernels, optimized for `{result['optimize']}`",
        ("#>", "op", "kernel", "instructions>", "cycles>", "scratch>", "constants>", "verdict"),
        [
            (
                layer["layer"],
                layer["op"],
                row["kernel"],
                *("" if row[key] is None else f"{row[key]:,}" for key in _COSTS),
                "chosen" if row["chosen"] else row["reason"],
            )
            for layer in result["layers"]
            for row in layer["variants"]
        ],
        note="Costs are predicted; what a verdict names is compared with the chosen kernel, or with two "
        "where one would compute this layer and the next.",
    )


def _predicted(layer: dict[str, Any]) -> str:
    predicted, counted = layer["instructions_predicted"], layer["instructions"]
    if predicted is None or not counted:
        return ""
    return f"{predicted:,} ({100 * (predicted - counted) / counted:+.1f} %)"


def _row(layer: dict[str, Any]) -> tuple[str, ...]:
    macs, cycles = layer["macs"], layer["cycles_estimated"]
    return (
        str(layer["layer"]),
        layer["name"],
        layer["op"],
        layer["kernel"],
        f"{macs:,}" if macs else "",
        f"{layer['instructions']:,}",
        _predicted(layer),
        f"{cycles:,}",
        f"{cycles / macs:.2f}" if macs else "",
        f"{layer['milliseconds_estimated']:.2f}",
        f"{layer['weights']:,}",
    )


def _total(result: dict[str, Any]) -> dict[str, Any]:
    keys = ("macs", "instructions", "cycles_estimated", "milliseconds_estimated", "weights")
    predictions = [layer["instructions_predicted"] for layer in result["layers"]]
    return (
        {"layer": "", "name": "total", "op": "", "kernel": ""}
        | {key: result[key] for key in keys}
        | {"instructions_predicted": None if None in predictions else sum(predictions)}
    )
