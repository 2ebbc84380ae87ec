"""The MLPerf Tiny models on cores without multiply-accumulate: portable kernels beside the scalar ones.

    python benchmarks/scalar_cores.py [FOLDER OF MODELS] [--toolchain zig]

Cortex-M0: the emulated micro:bit with 1 MB of memory, with a fast and with a slow multiplier;
instructions are counted, cycles are estimated from the core's published timings. RV32IMC: QEMU's
`virt`, whose cycle counter counts instructions, and whose outputs must equal the NumPy reference.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cortex_m4 import MODELS
from tinyc import frontends, interpreter, passes, pipeline, profiling
from tinyc.boards import Board, load_board
from tinyc.cli import output
from tinyc.device.client import DeviceClient
from tinyc.emulator.qemu import QemuMachine
from tinyc.ir.graph import Graph
from tinyc.program import Program
from tinyc.verification import random_vectors


def roomy(name: str, features: str) -> Board:
    board = load_board(name)
    memory = replace(board.memory, flash=max(board.memory.flash, 1 << 20), ram=max(board.memory.ram, 1 << 20))
    return replace(board, memory=memory, features=frozenset(features.split()))


def program(graph: Graph, name: str, board: Board, kernels: str) -> Program:
    """`portable` kernels are those of the same board without its feature `scalar`."""
    chosen = board if kernels == "scalar" else replace(board, features=board.features - {"scalar"})
    return replace(pipeline.compile_graph(graph, chosen, name=name), board=board)


def counted(program: Program, elf: Path) -> tuple[int, int | None]:
    """Instructions of one inference, and estimated cycles where the chip is emulated here."""
    board, graph = program.board, program.graph
    if board.soc == "nrf51822":
        result = profiling.profile(program, elf)
        return result["instructions"], result["cycles_estimated"]
    (vector,) = random_vectors(graph, 1, 0)
    with QemuMachine(elf, board) as qemu:
        client = DeviceClient(qemu.transport)
        client.set_inputs(b"".join(array.tobytes() for array in vector))
        instructions = client.invoke()
        expected = b"".join(array.tobytes() for array in interpreter.run(graph, vector))
        assert client.outputs() == expected, program.name
    return instructions, None


def rows(models: Path, toolchain: str) -> Iterator[tuple[str, ...]]:
    boards = {
        "Cortex-M0": roomy("microbit", "scalar fast_multiplier"),
        "Cortex-M0, slow multiplier": roomy("microbit", "scalar"),
        "RV32IMC": roomy("qemu_riscv32", "scalar fast_multiplier"),
    }
    for name, file in MODELS.items():
        if not (models / file).is_file():
            output.talk(f"{models / file} is not here: skipped")
            continue
        graph = passes.legalize(passes.run(frontends.load(models / file)))
        for core, board in boards.items():
            for kernels in ("portable", "scalar"):
                with tempfile.TemporaryDirectory() as folder:
                    built = program(graph, name, board, kernels)
                    firmware = pipeline.build(built, Path(folder), toolchain)
                    instructions, cycles = counted(built, firmware.elf)
                yield (
                    name,
                    core,
                    kernels,
                    f"{instructions:,}",
                    f"{cycles:,}" if cycles else "",
                    f"{instructions / graph.macs():.2f}",
                    f"{firmware.sizes.flash:,}",
                    f"{built.plan.arena_size:,}",
                )


def main() -> None:
    default = Path(os.environ.get("TINYC_SHARED", Path(__file__).parents[2] / "shared")) / "models"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=Path, nargs="?", default=default)
    parser.add_argument("--toolchain", default="zig")
    options = parser.parse_args()
    columns = ("model", "core", "kernels", "instructions>", "cycles (estimate)>", "instructions/MAC>")
    output.table(
        f"MLPerf Tiny, one inference, toolchain {options.toolchain}",
        (*columns, "flash>", "arena>"),
        list(rows(options.models, options.toolchain)),
    )


if __name__ == "__main__":
    main()
