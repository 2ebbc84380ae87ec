"""Portable kernels of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED that keep two weights in a byte.

They take int8 layers whose weights fit four bits, whatever file or pass these come from, and give what the
kernels with a byte for each weight give: half the constants against more instructions.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array
from tinyc.kernels import portable_convolution, portable_fully_connected
from tinyc.kernels.int4 import narrowed


def nibbles(values: Array) -> Array:
    """int8 [ceil(n / 2)] of n numbers of four bits in memory order, the first of two in the low half."""
    flat = values.reshape(-1).astype(np.uint8)
    pairs = np.append(flat, np.zeros(flat.size % 2, np.uint8)).reshape(-1, 2) & 15
    packed: Array = (pairs[:, 0] | pairs[:, 1] << 4).view(np.int8)
    return packed


def _pack(op: Op, graph: Graph) -> Array:
    return nibbles(graph.operands(op)[1].constant)


KERNELS = tuple(
    narrowed(base, ("include/nibbles.h", *base.headers), _pack)
    for base in (*portable_convolution.KERNELS, *portable_fully_connected.KERNELS)
)
