"""Measures the machine code of every kernel: the sizes in `compiler/tinyc/kernels/code.toml`.

    python benchmarks/measure_code.py [KERNEL ...]

Kernels that are not named keep their sizes.
Each kernel is compiled for the nRF52840, in a program of a few random layers (toolchain `zig`); for the
nRF51822 where it is for cores without multiply-accumulate, for the MPS3 AN547 where it is for Helium. The
functions of the ELF that come from its sources are listed with their bytes; of kernels that are made by
shape, only those that all shapes share.
"""

from __future__ import annotations

import argparse
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tinyc import pipeline
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.emit.kernel_files import kernel_files
from tinyc.ir.graph import Graph
from tinyc.ir.ops import PatchStage, SequenceLength, TokenBlock
from tinyc.ir.ops.base import Op
from tinyc.kernels import code_sizes
from tinyc.kernels.catalogue import CATALOGUE, candidates
from tinyc.kernels.kernel import Kernel
from tinyc.memory import planner
from tinyc.program import Program, Step
from tinyc.token_blocks import with_blocks
from tinyc.toolchain.size_table import size_table
from work_layers import layers_of, sentence_layers, side_by_side

_LAYERS = 4
_ROOM = 1 << 20


def functions(kernel: Kernel) -> Iterator[tuple[str, int]]:
    """(name, bytes) of each function that the kernel brings."""
    if kernel.op is PatchStage:  # brings one that it states, and calls those of other kernels
        return
    special = {"scalar": "microbit", "helium": "mps3_an547"}
    board = load_board(next((special[name] for name in kernel.requires if name in special), "nrf52840_bare"))
    board = replace(board, memory=replace(board.memory, flash=_ROOM, ram=_ROOM))
    if kernel.op in (TokenBlock, SequenceLength):
        graph = with_blocks(sentence_layers())
        steps = tuple(_token_step(index, op, kernel, graph) for index, op in enumerate(graph.ops))
    else:
        graph = side_by_side(layers_of(kernel, _LAYERS, 0))
        steps = tuple(Step.of(index, op, kernel, graph) for index, op in enumerate(graph.ops))
    program = Program("layers", graph, steps, planner.plan(graph, steps), board)
    text = "".join(file.text for file in kernel_files([program]))
    with tempfile.TemporaryDirectory() as folder:
        firmware = pipeline.build(program, Path(folder))
        table = size_table(firmware.elf)
    for entry in table:
        own = entry.name.startswith(kernel.symbol)
        if kernel.op is SequenceLength and not own:
            continue
        ours = entry.kind == "code" and entry.name.startswith("tinyc_") and f" {entry.name}(" in text
        if ours and not (own and kernel.is_specialized):
            yield entry.name, entry.bytes


def _token_step(index: int, op: Op, kernel: Kernel, graph: Graph) -> Step:
    """`kernel` where it fits, else the first one that does."""
    fits = kernel if kernel.op is type(op) else candidates(op, graph, frozenset())[0]
    return Step.of(index, op, fits, graph)


def as_toml(tables: dict[str, dict[str, int]]) -> str:
    lines = [
        "# Made by benchmarks/measure_code.py; do not edit. Per kernel: function = bytes of machine code."
    ]
    for symbol, sizes in sorted(tables.items()):
        lines += ["", f"[{symbol}]", *(f"{name} = {size}" for name, size in sorted(sizes.items()))]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kernels", nargs="*", help="symbols; default: all")
    names = set(parser.parse_args().kernels)
    chosen = [kernel for kernel in CATALOGUE if not names or kernel.symbol in names]
    known = {kernel.symbol for kernel in CATALOGUE} - {kernel.symbol for kernel in chosen}
    measured = tomllib.loads(code_sizes.TABLE.read_text(encoding="utf-8"))
    tables: dict[str, dict[str, int]] = {name: sizes for name, sizes in measured.items() if name in known}
    for kernel in output.progress("measuring", chosen):
        tables.setdefault(kernel.symbol, {}).update(functions(kernel))
    code_sizes.TABLE.write_text(as_toml(tables), encoding="utf-8")
    rows = [(symbol, len(sizes), sum(sizes.values())) for symbol, sizes in sorted(tables.items())]
    output.table("", ("kernel", "functions>", "bytes>"), rows)


if __name__ == "__main__":
    main()
