"""The MLPerf Tiny models on cores besides the Cortex-M4: kernels made for the core beside the others.

    python benchmarks/other_cores.py [FOLDER OF MODELS] [--core cortex-m55] [--toolchain zig]

cortex-m0: the emulated micro:bit with 1 MB of memory, with a fast and with a slow multiplier;
instructions are counted, cycles are estimated from the core's published timings. rv32imc: QEMU's
`virt`, whose cycle counter counts instructions. cortex-m55: QEMU's `mps3-an547`, whose system counter
ticks at 32 MHz while QEMU executes an instruction a nanosecond: counts to within 32 instructions.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Core:
    """`special` is the feature that the kernels made for the core need; `plain` names the others."""

    title: str
    board: str
    features: str
    special: str
    plain: str


CORES = {
    "cortex-m0": (
        Core("Cortex-M0", "microbit", "scalar fast_multiplier", "scalar", "portable"),
        Core("Cortex-M0, slow multiplier", "microbit", "scalar", "scalar", "portable"),
    ),
    "rv32imc": (Core("RV32IMC", "qemu_riscv32", "scalar fast_multiplier", "scalar", "portable"),),
    "cortex-m55": (Core("Cortex-M55", "mps3_an547", "dsp fpu helium", "helium", "cortex_m4"),),
}


def roomy(core: Core) -> Board:
    board = load_board(core.board)
    memory = board.memory
    if board.soc == "nrf51822":
        memory = replace(memory, flash=1 << 20, ram=1 << 20)
    return replace(board, memory=memory, features=frozenset(core.features.split()))


def program(graph: Graph, name: str, core: Core, kernels: str) -> Program:
    """The `plain` kernels are those of the same board without its special feature."""
    board = roomy(core)
    chosen = board if kernels == core.special else replace(board, features=board.features - {core.special})
    return replace(pipeline.compile_graph(graph, chosen, name=name), board=board)


def counted(program: Program, elf: Path) -> tuple[int, int | None, bool | None]:
    """Instructions of one inference, cycles on the emulated chip, and whether QEMU gave the right outputs."""
    board, graph = program.board, program.graph
    if board.soc == "nrf51822":
        result = profiling.profile(program, elf)
        return result["instructions"], result["cycles_estimated"], None
    (vector,) = random_vectors(graph, 1, 0)
    with QemuMachine(elf, board) as qemu:
        client = DeviceClient(qemu.transport)
        client.set_inputs(b"".join(array.tobytes() for array in vector))
        ticks = client.invoke()
        expected = b"".join(array.tobytes() for array in interpreter.run(graph, vector))
        exact = client.outputs() == expected
    counts_instructions = board.core == "rv32imc"
    return ticks if counts_instructions else ticks * 10**9 // board.clock_hz, None, exact


def rows(models: Path, toolchain: str, cores: list[Core]) -> Iterator[tuple[str, ...]]:
    for name, file in MODELS.items():
        if not (models / file).is_file():
            output.talk(f"{models / file} is not here: skipped")
            continue
        graph = passes.legalize(passes.run(frontends.load(models / file)))
        for core in cores:
            for kernels in (core.plain, core.special):
                with tempfile.TemporaryDirectory() as folder:
                    built = program(graph, name, core, kernels)
                    firmware = pipeline.build(built, Path(folder), toolchain)
                    instructions, cycles, exact = counted(built, firmware.elf)
                yield (
                    name,
                    core.title,
                    kernels,
                    f"{instructions:,}",
                    f"{cycles:,}" if cycles else "",
                    f"{instructions / graph.macs():.2f}",
                    f"{firmware.sizes.flash:,}",
                    f"{built.plan.arena_size:,}",
                    {True: "yes", False: "no", None: ""}[exact],
                )


def main() -> None:
    default = Path(os.environ.get("TINYC_SHARED", Path(__file__).parents[2] / "shared")) / "models"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=Path, nargs="?", default=default)
    parser.add_argument("--core", choices=sorted(CORES), help="this one alone")
    parser.add_argument("--toolchain", default="zig")
    options = parser.parse_args()
    chosen = [core for name, cores in CORES.items() if options.core in (None, name) for core in cores]
    columns = ("model", "core", "kernels", "instructions>", "cycles (estimate)>", "instructions/MAC>")
    output.table(
        f"MLPerf Tiny, one inference, toolchain {options.toolchain}",
        (*columns, "flash>", "arena>", "exact"),
        list(rows(options.models, options.toolchain, chosen)),
    )


if __name__ == "__main__":
    main()
