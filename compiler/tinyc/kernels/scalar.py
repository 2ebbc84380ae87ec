"""Kernels for cores that multiply one pair of numbers at a time: Cortex-M0, Cortex-M0+, RV32IM.

The input offset is folded into the bias, weights lie in the order in which they are read, behind
bias, multiplier and shift of their channel. Convolutions take two pixels at a time by one
multiplication: both products and their sums fit into the halves of a word as long as a group of
taps has weights of at most 255 altogether, since no input is beyond 128. Requantization needs no
64-bit product, which is exact for accumulators of 30 bits; a layer that may have larger ones takes
the portable kernel.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.kernels import portable_convolution, portable_fully_connected
from tinyc.kernels.cortex_m4 import _requantization, _rows
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered

_REQUIRES = frozenset({"scalar"})
_ACCUMULATOR_LIMIT = 2**29
# Sums of |weight| times 128 must stay below 2^15.
_GROUP_LIMIT = 255
_PAIRS = 256


def _round_up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _is_narrow(op: Op, graph: Graph) -> bool:
    """Whether no input leads to an accumulator, or to a partial sum, beyond the limit."""
    bias, multiplier, right = _requantization(op, graph)
    if right.min() < 0 or right.max() > 31 or multiplier.min() < 0:
        return False
    rows = _rows(op, graph).astype(np.int64)
    zero_point = graph.operands(op)[0].zero_point
    reach = np.abs(rows).sum(1) * (128 + abs(zero_point)) + np.abs(bias)
    return bool(reach.max() < _ACCUMULATOR_LIMIT)


def _heads(op: Op, graph: Graph) -> Array:
    """[channels, 3] words: folded bias, multiplier, right shift."""
    rows = _rows(op, graph).astype(np.int64)
    bias, multiplier, right = _requantization(op, graph)
    folded = bias - graph.operands(op)[0].zero_point * rows.sum(1)
    return np.stack([np.broadcast_to(column, len(rows)) for column in (folded, multiplier, right)], axis=1)


def _as_words(rows: Array) -> Array:
    """[channels, taps] int8 as little-endian words, the last of each row filled with zeros."""
    channels, taps = rows.shape
    padded = np.zeros((channels, _round_up(taps, 4)), np.int8)
    padded[:, :taps] = rows
    words: Array = padded.view(np.dtype("<i4")).astype(np.int64)
    return words


def _flat(heads: Array, words: Array) -> Array:
    """Head and weights of each channel one behind the other, as the C type uint32_t."""
    return (np.concatenate([heads, words], axis=1).reshape(-1) & 0xFFFFFFFF).astype(np.uint32)


def _fits_in_fours(rows: Array) -> Array:
    """Of each channel, whether all groups of four taps stay within 16 bits."""
    channels, taps = rows.shape
    padded = np.zeros((channels, _round_up(taps, 4)), np.int64)
    padded[:, :taps] = np.abs(rows.astype(np.int64))
    return padded.reshape(channels, -1, 4).sum(2).max(1) <= _GROUP_LIMIT


def _accepts_fully_connected(op: Op, graph: Graph) -> bool:
    return portable_fully_connected.accepts(op, graph) and _is_narrow(op, graph)


def _lower_fully_connected(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, FullyConnected)
    x, weights = graph.operands(op)[:2]
    (result,) = graph.results(op)
    units, depth = weights.shape
    low, high = activation_range(op.activation, result)
    even = _round_up(units, 2)
    heads, rows = np.zeros((even, 3), np.int64), np.zeros((even, depth), np.int8)
    heads[:units], rows[:units] = _heads(op, graph), _rows(op, graph)
    turns = np.ascontiguousarray(rows.reshape(-1, 2, depth).transpose(0, 2, 1)).reshape(even // 2, -1)
    return Lowered(
        "tinyc_scalar_fully_connected",
        {
            "rows": x.elements // depth,
            "depth": depth,
            "units": units,
            "output_offset": result.zero_point,
            "low": low,
            "high": high,
            "words": _flat(heads.reshape(even // 2, 6), _as_words(turns)),
        },
    )


def _fits_in_pairs(rows: Array) -> bool:
    """Two weights of -128 with two inputs of -128 would be one too many."""
    channels, taps = rows.shape
    padded = np.zeros((channels, _round_up(taps, 2)), np.int64)
    padded[:, :taps] = np.abs(rows.astype(np.int64))
    return bool(padded.reshape(channels, -1, 2).sum(2).max() <= _GROUP_LIMIT)


def _accepts_conv_2d(op: Op, graph: Graph) -> bool:
    return (
        portable_convolution.accepts(op, graph) and _is_narrow(op, graph) and _fits_in_pairs(_rows(op, graph))
    )


def _geometry(op: Conv2D | DepthwiseConv2D, graph: Graph, words: Array) -> Lowered:
    (result,) = graph.results(op)
    low, high = activation_range(op.activation, result)
    fields: dict[str, FieldValue] = {
        **portable_convolution.geometry(op, graph),
        "input_zero": graph.operands(op)[0].zero_point,
        "output_offset": result.zero_point,
        "low": low,
        "high": high,
        "words": words,
    }
    return Lowered("tinyc_scalar_conv_2d", fields)


def _lower_conv_2d(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Conv2D)
    rows, heads = _rows(op, graph), _heads(op, graph)
    heads[:, 2] += np.where(_fits_in_fours(rows), 0, _PAIRS)
    return _geometry(op, graph, _flat(heads, _as_words(rows)))


def _conv_2d_scratch(op: Op, graph: Graph) -> int:
    filters = graph.operands(op)[1]
    return 4 * _round_up(_rows(op, graph).shape[1], 4) + filters.shape[3]


def _accepts_depthwise(op: Op, graph: Graph) -> bool:
    x, filters = graph.operands(op)[:2]
    return (
        portable_convolution.accepts(op, graph) and filters.shape[3] == x.shape[3] and _is_narrow(op, graph)
    )


def _lower_depthwise(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, DepthwiseConv2D)
    return _geometry(op, graph, _flat(_heads(op, graph), _as_words(_rows(op, graph))))


def _depthwise_scratch(op: Op, graph: Graph) -> int:
    _, height, width, channels = graph.operands(op)[1].shape
    return 8 * height * width + channels


KERNELS = (
    Kernel(
        symbol="tinyc_fully_connected_s8__scalar",
        op=FullyConnected,
        source="scalar/fully_connected_s8.c",
        headers=("include/tinyc_scalar.h", "include/scalar_fully_connected.h"),
        requires=_REQUIRES,
        accepts=_accepts_fully_connected,
        lower=_lower_fully_connected,
    ),
    Kernel(
        symbol="tinyc_conv_2d_s8__scalar",
        op=Conv2D,
        source="scalar/conv_2d_s8.c",
        headers=("include/tinyc_scalar.h", "include/scalar_conv_2d.h"),
        requires=_REQUIRES,
        accepts=_accepts_conv_2d,
        lower=_lower_conv_2d,
        scratch=_conv_2d_scratch,
    ),
    Kernel(
        symbol="tinyc_depthwise_conv_2d_s8__scalar",
        op=DepthwiseConv2D,
        source="scalar/depthwise_conv_2d_s8.c",
        headers=("include/tinyc_scalar.h", "include/scalar_conv_2d.h"),
        requires=_REQUIRES,
        accepts=_accepts_depthwise,
        lower=_lower_depthwise,
        scratch=_depthwise_scratch,
    ),
)
