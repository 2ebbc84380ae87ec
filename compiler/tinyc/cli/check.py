"""`tinyc check`: does it compile, and does it fit? Needs no toolchain."""

from __future__ import annotations

from dataclasses import asdict

from tinyc.cli import output
from tinyc.cli.options import BoardName, Calibration, Json, Model, Optimize


def command(
    model: Model = None,
    board: BoardName = None,
    optimize: Optimize = None,
    calibration: Calibration = None,
    json: Json = False,
) -> None:
    """Say what a model takes of a board's flash and RAM, by layer, before anything is built."""
    from tinyc import variants
    from tinyc.cli import target
    from tinyc.memory.budget import budget

    _, _, program = target.compiled(model, board, calibration, optimize)
    found = budget(program)
    work = variants.total(program)
    if json:
        sums = {"flash": found.flash, "ram": found.ram, "macs": found.macs, "digest": program.digest}
        sums |= {
            "optimize": program.optimize.value,
            "instructions_predicted": work.instructions if work else None,
            "cycles_predicted": work.cycles if work else None,
        }
        output.as_json({**sums, **asdict(found), "fits": not found.problems()})
    else:
        output.table(
            f"{found.model} on {found.board}",
            ("#>", "layer", "op", "kernel", "MACs>", "weights>", "alive in arena>", "scratch>"),
            (
                (
                    layer.index,
                    layer.name,
                    layer.op,
                    layer.kernel,
                    f"{layer.macs:,}",
                    f"{layer.weights:,} B",
                    f"{layer.live:,} B",
                    f"{layer.scratch:,} B",
                )
                for layer in found.layers
            ),
        )
        tables = ("tokenizer tables in flash", f"{found.tokenizer:,}", "exact")
        tokenizer = [tables] if found.tokenizer else []
        output.table(
            "",
            ("memory", "bytes>", "how known"),
            (
                ("weights in flash", f"{found.weights:,}", "exact"),
                *tokenizer,
                ("layer parameters in flash", f"{found.params:,}", "estimate"),
                ("code in flash", f"{found.code:,}", "estimate"),
                ("flash", f"{found.flash:,}", f"of {found.flash_available:,}"),
                ("arena", f"{found.arena:,}", f"exact; lower bound {found.lower_bound:,}"),
                ("stack", f"{found.stack:,}", "reserved by the board"),
                ("other RAM", f"{found.runtime_ram:,}", "estimate"),
                ("RAM", f"{found.ram:,}", f"of {found.ram_available:,}"),
            ),
        )
        if work is not None and not program.board.is_host:
            clock = program.board.clock_hz
            output.talk(
                f"predicted: {work.instructions:,} instructions, {work.cycles:,} cycles, "
                f"{work.cycles / clock * 1000:.4g} ms at {clock / 1e6:g} MHz per inference"
            )
    found.require_fit()
