"""`tinyc tune`: every kernel that takes a layer, measured; the fastest kept for later builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyc.cli import output
from tinyc.cli.options import AllowFloat, BoardName, Calibration, Json, Model, Seed, Streaming, Toolchain
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.ir.graph import Graph
    from tinyc.tuning import Tuning


def command(
    model: Model = None,
    board: BoardName = None,
    toolchain: Toolchain = "zig",
    calibration: Calibration = None,
    streaming: Streaming = None,
    allow_float: AllowFloat = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Count what each kernel executes in each layer, on the emulated chip, for `--optimize tuned`."""
    from tinyc import pipeline, tuning
    from tinyc.cli import target
    from tinyc.cores import timings
    from tinyc.source import resolve

    source = resolve(model, calibration=calibration, allow_float=allow_float, streaming=streaming)
    chosen = target.board_of(board, source)
    if chosen.is_host:
        raise TinycError("the host board has no emulated chip to count on", hint="pass --board nrf52840")
    with output.stages("preparing") as progress:
        graph = pipeline.prepare(source, progress=progress).graph
    with output.stages("tuning") as progress:
        found = tuning.tune(
            graph, chosen, name=source.name, toolchain=toolchain, seed=seed, progress=progress
        )
    rows = _rows(graph, found)
    if json:
        output.as_json(
            {
                "model": source.name,
                "digest": graph.digest(),
                "board": chosen.name,
                "toolchain": toolchain,
                "arena": found.program.plan.arena_size,
                "weights": found.program.weight_bytes,
                "variants": rows,
            }
        )
        return
    output.table(
        f"{source.name} on the emulated {chosen.soc}, one inference",
        ("#>", "layer", "op", "kernel", "instructions>", "cycles>", "winner"),
        [
            (
                row["layer"],
                row["name"],
                row["op"],
                row["kernel"],
                "" if row["instructions"] is None else f"{row['instructions']:,}",
                "" if row["cycles_estimated"] is None else f"{row['cycles_estimated']:,}",
                "winner" if row["winner"] else "" if row["instructions"] is not None else "does not fit",
            )
            for row in rows
        ],
        note=f"Cycles are estimated from {timings(chosen.core)}, zero wait states.",
    )
    output.talk("kept; `--optimize tuned` uses it")


def _rows(graph: Graph, found: Tuning) -> list[dict[str, Any]]:
    from tinyc.fusion import fusible
    from tinyc.kernels.catalogue import CATALOGUE

    pairs = fusible(graph)
    fused = {kernel.symbol for kernel in CATALOGUE if kernel.op in set(map(type, pairs.values()))}
    rows: list[dict[str, Any]] = []
    for layer, symbol in sorted([*found.measured, *found.skipped]):
        work = found.measured.get((layer, symbol))
        op = pairs[layer] if symbol in fused else graph.ops[layer]
        rows.append(
            {
                "layer": layer,
                "name": op.name,
                "op": op.kind,
                "kernel": symbol,
                "instructions": work.instructions if work else None,
                "cycles_estimated": work.cycles if work else None,
                "winner": found.winner(layer) == symbol,
            }
        )
    return rows
