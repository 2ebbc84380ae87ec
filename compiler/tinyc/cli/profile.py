"""`tinyc profile`: what each layer costs on the chip."""

from __future__ import annotations

from typing import Any

from tinyc.cli import output
from tinyc.cli.options import BoardName, Json, Model, Seed, Toolchain
from tinyc.errors import TinycError


def command(
    model: Model = None,
    board: BoardName = None,
    toolchain: Toolchain = "zig",
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Count the instructions of one inference, layer by layer, on the emulated chip."""
    from tinyc import profiling
    from tinyc.cli import target

    found = target.built(model, board, toolchain=toolchain)
    if found.program.board.is_host:
        raise TinycError("the host board has no emulated chip to count on", hint="pass --board nrf52840")
    result = profiling.profile(found.program, found.elf, seed)
    if json:
        output.as_json(result)
        return
    output.table(
        f"{result['model']} on the emulated {result['soc']}, one inference",
        (
            "#>",
            "layer",
            "op",
            "kernel",
            "MACs>",
            "instructions>",
            "cycles>",
            "cycles/MAC>",
            "ms>",
            "weights>",
        ),
        [_row(layer) for layer in [*result["layers"], _total(result)]],
        note=f"Cycles are estimated from the core's published timings, zero wait states; ms at "
        f"{found.program.board.clock_hz / 1e6:g} MHz.",
    )


def _row(layer: dict[str, Any]) -> tuple[str, ...]:
    macs, cycles = layer["macs"], layer["cycles_estimated"]
    return (
        str(layer["layer"]),
        layer["name"],
        layer["op"],
        layer["kernel"],
        f"{macs:,}" if macs else "",
        f"{layer['instructions']:,}",
        f"{cycles:,}",
        f"{cycles / macs:.2f}" if macs else "",
        f"{layer['milliseconds_estimated']:.2f}",
        f"{layer['weights']:,}",
    )


def _total(result: dict[str, Any]) -> dict[str, Any]:
    keys = ("macs", "instructions", "cycles_estimated", "milliseconds_estimated", "weights")
    return {"layer": "", "name": "total", "op": "", "kernel": ""} | {key: result[key] for key in keys}
