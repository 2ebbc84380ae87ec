"""Prints what the choices of kernels cost that no other one beats, for the MLPerf Tiny models.

    python benchmarks/tradeoffs.py FOLDER [--board nrf52840 ...] [--model vww ...] [--count]

FOLDER holds the models as the benchmark publishes them. First a table of the arenas and predicted cycles of
`--optimize time` and `ram`, with the stages that are computed in patches, then each trade-off. `--count` says
instead how many instructions the portable kernels execute on the emulated nRF52840, with and without patches.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tinyc import pipeline, profiling
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.cli.tradeoff import print_tradeoff
from tinyc.ir.graph import Graph
from tinyc.objective import Objective
from tinyc.patches import patches_of
from tinyc.program import Program
from tinyc.source import resolve
from tinyc.tradeoff import tradeoff
from tinyc.variants import total

MODELS = {
    "ad": "ad01_int8.tflite",
    "ic": "pretrainedResnet_quant.tflite",
    "kws": "kws_ref_model.tflite",
    "sww": "str_ww_ref_model.tflite",
    "vww": "vww_96_int8.tflite",
}
BOARDS = ("host", "qemu_riscv32", "nrf52840")


def compiled(graph: Graph, name: str, board: str, objective: Objective) -> Program:
    return pipeline.compile_graph(graph, load_board(board), name=name, optimize=objective)


def row(name: str, board: str, graph: Graph) -> tuple[object, ...]:
    time, ram = (compiled(graph, name, board, each) for each in (Objective.TIME, Objective.RAM))
    before, after = total(time), total(ram)
    more = f"{100 * (after.cycles / before.cycles - 1):+.2f} %" if before and after else ""
    arenas = (f"{time.plan.arena_size:,} B", f"{ram.plan.arena_size:,} B")
    return name, board, *arenas, more, len(patches_of(ram.graph))


def counted(name: str, graph: Graph, objective: Objective) -> tuple[object, ...]:
    """What the choice for `host`, which has the portable kernels, executes on the emulated chip."""
    portable = compiled(graph, name, "host", objective)
    program = pipeline.compile_graph(
        graph,
        load_board("nrf52840_bare"),
        name=name,
        kernels=[step.kernel.symbol for step in portable.steps],
        patches=patches_of(portable.graph),
    )
    with tempfile.TemporaryDirectory() as folder:
        firmware = pipeline.build(program, Path(folder))
        *_, (instructions, cycles) = profiling.counts(program, firmware.elf)
    return name, objective.value, f"{program.plan.arena_size:,} B", f"{instructions:,}", f"{cycles:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--board", action="append", choices=BOARDS)
    parser.add_argument("--model", action="append", choices=MODELS)
    parser.add_argument("--count", action="store_true")
    options = parser.parse_args()
    boards, models = options.board or BOARDS, options.model or MODELS
    graphs = {name: pipeline.prepare(resolve(options.folder / MODELS[name])).graph for name in models}
    if options.count:
        jobs = [(name, objective) for name in models for objective in (Objective.TIME, Objective.RAM)]
        rows = [counted(name, graphs[name], each) for name, each in output.progress("counting", jobs)]
        output.table("", ("model", "--optimize", "arena>", "instructions>", "cycles>"), rows)
        return
    pairs = [(name, board) for name in models for board in boards]
    rows = [row(name, board, graphs[name]) for name, board in output.progress("compiling", pairs)]
    columns = ("model", "board", "arena, time>", "arena, ram>", "cycles>", "stages>")
    output.table("", columns, rows)
    for name, board in pairs:
        program = compiled(graphs[name], name, board, Objective.BALANCED)
        print_tradeoff(f"{name} on {board}", tradeoff(program))


if __name__ == "__main__":
    main()
