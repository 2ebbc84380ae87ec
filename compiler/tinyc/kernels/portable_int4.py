"""Portable kernels of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED that keep two weights in a byte.

They take int8 layers whose weights fit four bits, whatever file or pass these come from, and give what the
kernels with a byte for each weight give: half the constants against more instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.kernels import features, portable_convolution, portable_fully_connected
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork

LOWEST, HIGHEST = -8, 7


def fits(op: Op, graph: Graph) -> bool:
    """Whether the weights, a constant, fit four bits."""
    weights = graph.operands(op)[1].constant
    return bool(weights.min() >= LOWEST and weights.max() <= HIGHEST)


def nibbles(values: Array) -> Array:
    """int8 [ceil(n / 2)] of n numbers of four bits in memory order, the first of two in the low half."""
    flat = values.reshape(-1).astype(np.uint8)
    pairs = np.append(flat, np.zeros(flat.size % 2, np.uint8)).reshape(-1, 2) & 15
    packed: Array = (pairs[:, 0] | pairs[:, 1] << 4).view(np.int8)
    return packed


def _accepting(accepts: Callable[[Op, Graph], bool]) -> Callable[[Op, Graph], bool]:
    return lambda op, graph: accepts(op, graph) and fits(op, graph)


def _lowering(lower: Callable[[Op, Graph], Lowered]) -> Callable[[Op, Graph], Lowered]:
    def lowered(op: Op, graph: Graph) -> Lowered:
        found = lower(op, graph)
        weights = nibbles(graph.operands(op)[1].constant)
        return replace(found, fields={**found.fields, "weights": weights})

    return lowered


KERNELS = tuple(
    Kernel(
        symbol=f"tinyc_{name}_s4__portable",
        op=op,
        source=f"portable/{name}_s4.c",
        headers=("include/nibbles.h", header),
        accepts=_accepting(plain.accepts),
        lower=_lowering(plain.lower),
        work=FittedWork(f"tinyc_{name}_s4__portable", counts),
    )
    for name, op, plain, header, counts in (
        ("conv_2d", Conv2D, portable_convolution, "include/conv_2d.h", features.portable_convolution),
        (
            "depthwise_conv_2d",
            DepthwiseConv2D,
            portable_convolution,
            "include/conv_2d.h",
            features.portable_convolution,
        ),
        (
            "fully_connected",
            FullyConnected,
            portable_fully_connected,
            "include/fully_connected.h",
            features.fully_connected,
        ),
    )
)
