"""What a streaming model costs beside the model over all of its time: for reports and `tinyc check`."""

from __future__ import annotations

from typing import Any

from tinyc import pipeline, variants
from tinyc.ir.graph import Graph
from tinyc.objective import Objective
from tinyc.program import Program


def streaming_entry(program: Program, batch: Graph) -> dict[str, Any]:
    """The stream of `program`, and its work and memory per inference beside those of `batch`.

    `batch` is compiled for the same board; work is null where a kernel does not predict it.
    """
    told = program.graph.stream
    if told is None:
        raise ValueError(f"{program.name} does not stream")
    optimize = Objective.BALANCED if program.optimize is Objective.TUNED else program.optimize
    whole = pipeline.compile_graph(batch, program.board, name=program.name, optimize=optimize)
    return {
        "axis": told.axis,
        "frames": told.frames,
        "warm_up": told.warm_up,
        "lags": list(told.lags),
        **_cost(program),
        "batch": {"frames": told.batch_frames, **_cost(whole)},
    }


def _cost(program: Program) -> dict[str, int | None]:
    work = variants.total(program)
    return {
        "macs": program.graph.macs(),
        "arena": program.plan.arena_size,
        "state": program.graph.state_bytes(),
        "instructions_predicted": work.instructions if work else None,
        "cycles_predicted": work.cycles if work else None,
    }
