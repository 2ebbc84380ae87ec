"""Weights, bias and multipliers of convolutions and fully connected layers, as kernels want them."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import channel_multipliers
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.quantize.fixed_point import multiply_by_quantized_multiplier

_ACCUMULATOR_LIMIT = 2**30
# Larger than any int8 value minus any zero point.
_BEYOND = 1024


def round_up(count: int, multiple: int) -> int:
    """The least multiple that is not below `count`."""
    return -(-count // multiple) * multiple


def weight_rows(op: Op, graph: Graph) -> Array:
    """The weights as [output channels, products per output], int8."""
    weights = graph.operands(op)[1].constant
    if isinstance(op, DepthwiseConv2D):
        return np.ascontiguousarray(weights.reshape(-1, weights.shape[3]).T)
    return weights.reshape(weights.shape[0], -1)


def layer_bias(op: Op, graph: Graph, channels: int) -> Array:
    """The bias as int64, zeros where the layer has none."""
    operands = graph.operands(op)
    if len(operands) > 2:
        return operands[2].constant.reshape(-1).astype(np.int64)
    return np.zeros(channels, np.int64)


def right_multipliers(op: Op, graph: Graph) -> tuple[Array, Array]:
    """(multiplier, right shift), one per channel or one for all; a multiplier of 0 gives 0 with any shift."""
    x, weights = graph.operands(op)[:2]
    (result,) = graph.results(op)
    fused = isinstance(op, FullyConnected)
    multiplier, shift = channel_multipliers(x, weights, result, fused_product=fused)
    return multiplier, np.where(multiplier == 0, 1, -shift)


def narrow_requantization(op: Op, graph: Graph) -> tuple[Array, Array, Array]:
    """(bias, multiplier, right shift), where channels without any weight have harmless ones.

    Training leaves channels whose weights are all zero. Their scales are tiny and their biases
    huge, but their output is one constant, which other numbers give as well.
    """
    rows = weight_rows(op, graph)
    bias = layer_bias(op, graph, len(rows))
    multiplier, right = right_multipliers(op, graph)
    constant = ~rows.any(axis=1)
    if len(multiplier) != len(rows) or not constant.any():
        return bias, multiplier, right
    value = multiply_by_quantized_multiplier(bias[constant], multiplier[constant], -right[constant])
    # Beyond the reach of any zero point the output is clamped in any case. 4 * value * 2^-2 is exact.
    bias, multiplier, right = bias.copy(), multiplier.copy(), right.copy()
    bias[constant] = 4 * np.clip(value, -_BEYOND, _BEYOND)
    multiplier[constant], right[constant] = 2**30, 1
    return bias, multiplier, right


def is_narrow(op: Op, graph: Graph) -> bool:
    """Whether accumulators fit 31 bits and multipliers are below 0.5 with the numbers above."""
    bias, _, right = narrow_requantization(op, graph)
    if right.min() < 1:
        return False
    zero_point = graph.operands(op)[0].zero_point
    rows = weight_rows(op, graph).astype(np.int64)
    positive, negative = np.maximum(rows, 0).sum(1), np.minimum(rows, 0).sum(1)
    low, high = -128 - zero_point, 127 - zero_point
    highest = bias + positive * high + negative * low
    lowest = bias + positive * low + negative * high
    return bool(highest.max() < _ACCUMULATOR_LIMIT and lowest.min() > -_ACCUMULATOR_LIMIT)
