"""Layers for the Helium kernels whose sums sit on every kind of rounding."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from strategies.common import activation as activation_of
from strategies.common import constant, single_op_graph
from strategies.convolution import random_bias, random_filters, random_output
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array, DType, Quantization, Tensor
from tinyc.kernels.helium_rounding import rounding

_CHANNELS = 22
_PIXELS = 256
_CLAMPS = ((Activation.NONE, 5), (Activation.RELU, -128), (Activation.RELU, 5))
# Real multipliers, with biases that spread the outputs over all of int8 and beyond.
_RATIOS = ((0.25, 300), (2.0**-7, 9000), (0.3, 200), (2.0**-20, 1 << 27))


@dataclass(frozen=True, slots=True)
class RoundingLayer:
    """A layer of one product an output over 256 pixels, and the kernel that is to compute it."""

    graph: Graph
    symbol: str

    def every_input(self) -> Array:
        """Each pixel has another value, the same in all of its channels."""
        shape = self.graph[self.graph.inputs[0]].shape
        values = np.arange(-128, 128, dtype=np.int8).reshape(1, 1, _PIXELS, 1)
        return np.ascontiguousarray(np.broadcast_to(values, shape))


def _layer(op: Op, weights: Array, ratio: float, reach: int, depth: int, zero_point: int) -> Graph:
    """`ratio` of the scales: a power of two makes many ties; biases lie within `reach`."""
    rng = np.random.default_rng(3)
    bias = rng.integers(-reach, reach + 1, _CHANNELS).astype(np.int32)
    tensors = [
        Tensor("x", (1, 1, _PIXELS, depth), DType.INT8, Quantization((1.0,), (0,))),
        constant("w", weights, Quantization((0.01,), (0,))),
        constant("b", bias),
        Tensor("y", (1, 1, _PIXELS, _CHANNELS), DType.INT8, Quantization((0.01 / ratio,), (zero_point,))),
    ]
    return single_op_graph(op, tensors)


def rounding_layers() -> list[RoundingLayer]:
    """Pointwise and depthwise in turn, with both forms of the rounding."""
    rng = np.random.default_rng(4)
    found: list[RoundingLayer] = []
    for (ratio, reach), (activation, zero_point) in product(_RATIOS, _CLAMPS):
        names = {"inputs": ("x", "w", "b"), "outputs": ("y",)}
        weights = rng.choice([-128, -127, -3, -1, 1, 2, 127], _CHANNELS).astype(np.int8)
        if len(found) % 2:
            op: Op = DepthwiseConv2D(name="d", activation=activation, **names)
            shape, depth, symbol = (1, 1, 1, _CHANNELS), _CHANNELS, "tinyc_depthwise_conv_2d_s8__helium"
        else:
            op = Conv2D(name="c", activation=activation, **names)
            shape, depth, symbol = (_CHANNELS, 1, 1, 1), 1, "tinyc_fully_connected_s8__helium"
        graph = _layer(op, weights.reshape(shape), ratio, reach, depth, zero_point)
        assert rounding(op, graph) is not None
        found.append(RoundingLayer(graph, symbol))
    return found


# (rows, depth, channels): more channels than one part, all remainders, every length of row in registers.
_WIDE = (
    *((3, 40, 125), (4, 33, 126), (5, 16, 127), (6, 32, 129), (1, 200, 253)),
    *((4, 31, 2), (3, 48, 3), (1, 7, 1), (7, 65, 4)),
)


def wide_layers() -> list[Graph]:
    """Fully connected layers at the bounds of the parts in which a matrix is multiplied."""
    rng = np.random.default_rng(8)
    found = []
    for rows, depth, units in _WIDE:
        x = activation_of(rng, "x", (rows, depth))
        weights = random_filters(rng, (units, depth), 0)
        tensors = [x, weights, random_bias(rng, x, weights, units)]
        fused = (Activation.NONE, Activation.RELU)[len(found) % 2]
        op = FullyConnected(name="f", inputs=tuple(t.name for t in tensors), outputs=("y",), activation=fused)
        graph = single_op_graph(op, [*tensors, random_output(rng, (rows, units), x, weights, fused)])
        assert rounding(op, graph) is not None, (rows, depth, units)
        found.append(graph)
    return found
