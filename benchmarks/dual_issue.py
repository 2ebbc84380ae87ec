"""Cycles of the inner loop of a convolution on a Cortex-M7, by LLVM's scheduling model of that core.

    python benchmarks/dual_issue.py [--depth 64]

A pointwise convolution is rendered for a Cortex-M7 with each of its kernels, and `llvm-mca` (Debian: llvm)
runs over what is unrolled for one word after the other: two inputs of four pixels times two channels, 16
MACs. Arm publishes no timings of the core; the model is the compiler's, was never held against a chip, and
takes an LDM of four words for one cycle, which flatters kernels that use it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.emit.kernel_files import kernel_files
from tinyc.errors import TinycError
from tinyc.ir.ops import Activation, Conv2D
from tinyc.kernels import cortex_m4_blocks
from tinyc.memory import planner
from tinyc.program import Program, Step

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from strategies.common import activation, single_op_graph
from strategies.convolution import random_bias, random_filters, random_output

_TIMES = 100
_LINE = re.compile(r'^\s*"([a-z].*?)\\n\\t"')


def unrolled(symbol: str, depth: int) -> list[str]:
    """The instructions between the first and the last multiplication of a rendered block."""
    rng = np.random.default_rng(0)
    x = activation(rng, "x", (1, 4, 4, depth))
    filters = random_filters(rng, (8, 1, 1, depth), 0)
    tensors = [x, filters, random_bias(rng, x, filters, 8)]
    op = Conv2D(
        name="layer",
        inputs=tuple(tensor.name for tensor in tensors),
        outputs=("y",),
        activation=Activation.RELU,
    )
    graph = single_op_graph(op, [*tensors, random_output(rng, (1, 4, 4, 8), x, filters, op.activation)])
    kernel = next(kernel for kernel in cortex_m4_blocks.KERNELS if kernel.symbol == symbol)
    steps = (Step.of(0, graph.ops[0], kernel, graph),)
    program = Program("layer", graph, steps, planner.plan(graph, steps), load_board("mps2_an500"))
    text = next(file.text for file in kernel_files([program]) if file.path.startswith(symbol))
    lines = [found[1] for line in text.splitlines() if (found := _LINE.match(line))]
    places = [at for at, line in enumerate(lines) if line.startswith("smlad")]
    return lines[places[0] : places[-1] + 1]


def cycles(lines: list[str]) -> float:
    command = ["llvm-mca", "-mtriple=thumbv7em-none-eabihf", "-mcpu=cortex-m7", f"-iterations={_TIMES}"]
    text = ".syntax unified\n.thumb\n" + "\n".join(lines) + "\n"
    try:
        answer = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise TinycError("cannot run llvm-mca", hint="on Debian: apt install llvm") from error
    found = re.search(r"Total Cycles:\s+(\d+)", answer)
    assert found is not None
    return int(found[1]) / _TIMES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--depth", type=int, default=64, help="input channels, even, at most 64")
    options = parser.parse_args()
    rows = []
    for tile in ("1x1_2x4", "1x1_2x4_core", "1x1_2x4_dual"):
        symbol = f"tinyc_conv_2d_s8_{tile}__cortex_m4"
        lines, words = unrolled(symbol, options.depth), options.depth // 2
        count = cycles(lines)
        rows.append(
            (symbol, f"{len(lines) / words:.2f}", f"{count / words:.2f}", f"{count / words / 16:.2f}")
        )
    columns = ("kernel", "instructions a word>", "cycles a word (model)>", "cycles/MAC>")
    output.table("Cortex-M7, LLVM's scheduling model", columns, rows)


if __name__ == "__main__":
    try:
        main()
    except TinycError as error:
        output.report_error(error)
        sys.exit(1)
