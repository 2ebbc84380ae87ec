"""What weights of four bits cost on a Cortex-M4: instructions and constants of single layers.

    python benchmarks/int4_layers.py [--update-docs]

Each layer runs on the emulated nRF52840 (toolchain `zig`) with the portable kernel and the fastest Cortex-M4
kernel for weights of four bits, and with the fastest Cortex-M4 kernels for weights of eight bits, in C and of
all. Instructions are exact; which kernel is the fastest goes by its prediction. `--update-docs` writes the
table into docs/concepts/int4-weights.md.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cortex_m4_tables import replace_block
from fit_work import measured
from tinyc.boards import load_board
from tinyc.cli import output
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, FullyConnected, Padding
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.kernels.catalogue import candidates
from tinyc.kernels.kernel import Kernel

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from strategies.common import single_op_graph

PAGE = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "int4-weights.md"
BLOCK = "benchmarks/int4_layers.py --update-docs"


def layer(op: type[Conv2D | FullyConnected], x: tuple[int, ...], filters: tuple[int, ...]) -> Graph:
    """One layer with weights of four bits, a scale for each channel and outputs that use their range."""
    rng = np.random.default_rng(0)
    units, products = filters[0], math.prod(filters[1:])
    scales = tuple(float(scale) for scale in rng.uniform(0.01, 0.03, units).astype(np.float32))
    zeros = (0,) * units
    weights = rng.integers(-7, 8, filters).astype(np.int8)
    bias = rng.normal(0, 1000, units).astype(np.int32)
    bias_scales = tuple(0.05 * scale for scale in scales)
    tensors = [
        Tensor("x", x, DType.INT8, Quantization((0.05,), (-128,))),
        Tensor("weights", filters, DType.INT8, Quantization(scales, zeros, 0), weights),
        Tensor("bias", (units,), DType.INT32, Quantization(bias_scales, zeros, 0), bias),
    ]
    names = tuple(tensor.name for tensor in tensors)
    same = {"padding": Padding.SAME} if op is Conv2D else {}
    made = op(name="layer", inputs=names, outputs=("y",), **same)  # type: ignore[arg-type]
    (shape,) = made.output_shapes(tensors)
    result = Tensor("y", shape, DType.INT8, Quantization((0.05 * 0.1 * products**0.5,), (0,)))
    graph: Graph = single_op_graph(made, [*tensors, result])
    return graph


LAYERS = {
    "fully connected, 256 → 64": layer(FullyConnected, (1, 256), (64, 256)),
    "fully connected, 640 → 128": layer(FullyConnected, (1, 640), (128, 640)),
    "fully connected, 16 rows of 64 → 64": layer(FullyConnected, (16, 64), (64, 64)),
    "1x1, 10 x 10 x 64 → 64": layer(Conv2D, (1, 10, 10, 64), (64, 1, 1, 64)),
    "3x3, 16 x 16 x 16 → 32": layer(Conv2D, (1, 16, 16, 16), (32, 3, 3, 16)),
    "10x4, 49 x 10 x 1 → 64": layer(Conv2D, (1, 49, 10, 1), (64, 10, 4, 1)),
}
_IN_C = {
    f"cortex_m4/{name}.c.j2" for name in ("fully_connected", "fully_connected_row", "conv_2d_1x1", "conv_2d")
}
KINDS: dict[str, Callable[[Kernel], bool]] = {
    "int4, portable": lambda kernel: kernel.weight_bits == 4 and kernel.isa == "portable",
    "int4, Cortex-M4": lambda kernel: kernel.weight_bits == 4 and kernel.isa == "cortex_m4",
    "int8, Cortex-M4 in C": lambda kernel: kernel.weight_bits == 8 and kernel.source in _IN_C,
    "int8, Cortex-M4": lambda kernel: kernel.weight_bits == 8 and kernel.isa == "cortex_m4",
}


def fastest(graph: Graph, suits: Callable[[Kernel], bool]) -> Kernel:
    """By predicted cycles."""
    (op,) = graph.ops

    def cycles(kernel: Kernel) -> int:
        assert kernel.work is not None
        return kernel.work(op, graph).cycles

    return min(filter(suits, candidates(op, graph, load_board("nrf52840_bare").features)), key=cycles)


def rows() -> list[tuple[str, ...]]:
    """Of each layer: MACs, then instructions and bytes of constants of each kind of kernel."""
    jobs = [(fastest(graph, suits), graph) for graph in LAYERS.values() for suits in KINDS.values()]
    texts = []
    for kernel, graph, instructions, _ in measured(jobs):
        (op,) = graph.ops
        texts.append(f"{instructions:,} ({kernel.lower(op, graph).constant_bytes():,} B)")
    size = len(KINDS)
    found = []
    for index, (name, graph) in enumerate(LAYERS.items()):
        (op,) = graph.ops
        macs = op.macs(graph.operands(op), graph.results(op))
        found.append((name, f"{macs:,}", *texts[size * index : size * (index + 1)]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--update-docs", action="store_true", help="write the table into the documentation")
    options = parser.parse_args()
    found = rows()
    columns = ("layer", "MACs", *KINDS)
    if options.update_docs:
        lines = [columns, ("---", *["---:"] * (len(columns) - 1)), *found]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(replace_block(text, BLOCK, table), encoding="utf-8")
    output.table("", ("layer", *(f"{name}>" for name in columns[1:])), found)


if __name__ == "__main__":
    main()
