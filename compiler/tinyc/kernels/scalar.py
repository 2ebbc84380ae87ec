"""Kernels for cores that multiply one pair of numbers at a time: Cortex-M0, Cortex-M0+, RV32IM.

The input offset is folded into the bias, weights lie in the order in which they are read, behind
bias, multiplier and shift of their channel. Convolutions take two pixels at a time by one
multiplication: both products and their sums fit into the halves of a word as long as the weights of
a group of four taps are 255 altogether at most, since no input is beyond 128. Weights that are too
many for their group come on their own. Requantization needs no 64-bit product, which is exact for
accumulators of 30 bits; a layer that may have larger ones takes the portable kernel.
"""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.kernels import portable_convolution, portable_fully_connected
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.layer_constants import narrow_requantization, round_up, weight_rows
from tinyc.kernels.work import FittedWork

_REQUIRES = frozenset({"scalar"})
_ACCUMULATOR_LIMIT = 2**29
# Sums of |weight| times 128 must stay below 2^15.
_GROUP_LIMIT = 255
_PANEL = ("include/tinyc_scalar.h", "include/tinyc_scalar_panel.h")


def _is_narrow(op: Op, graph: Graph) -> bool:
    """Whether no input leads to an accumulator beyond the limit, and all shifts are to the right."""
    bias, multiplier, right = narrow_requantization(op, graph)
    if right.min() < 1 or right.max() > 31 or multiplier.min() < 0:
        return False
    rows = weight_rows(op, graph).astype(np.int64)
    zero_point = graph.operands(op)[0].zero_point
    reach = np.abs(rows).sum(1) * (128 + abs(zero_point)) + np.abs(bias)
    return bool(reach.max() < _ACCUMULATOR_LIMIT)


def _words(rows: Array) -> Array:
    """[channels, taps] int8 as words of four taps, the first in the lowest byte, filled with zeros."""
    channels, taps = rows.shape
    padded = np.zeros((channels, round_up(taps, 4)), np.uint8)
    padded[:, :taps] = rows.view(np.uint8)
    shifts = np.array([0, 8, 16, 24], np.uint32)
    return np.asarray((padded.reshape(channels, -1, 4).astype(np.uint32) << shifts).sum(2))


def _split(row: Array) -> tuple[Array, list[int]]:
    """One channel's weights without those that are too many for their groups, and these as extras."""
    left, extras = row.copy(), []
    magnitudes = np.abs(row.astype(np.int64))
    for first in range(0, len(row), 4):
        group = magnitudes[first : first + 4]
        while group.sum() > _GROUP_LIMIT:
            tap = first + int(group.argmax())
            extras.append(tap << 8 | int(row[tap]) & 0xFF)
            left[tap] = magnitudes[tap] = 0
    return left, extras


def _extras(op: Op, graph: Graph) -> int:
    return sum(len(_split(row)[1]) for row in weight_rows(op, graph))


def _stream(op: Op, graph: Graph) -> Array:
    """All channels one behind the other: head, words of weights, extras. See `tinyc_scalar_panel.h`."""
    in_groups = isinstance(op, Conv2D)
    rows = np.ascontiguousarray(weight_rows(op, graph))
    if isinstance(op, DepthwiseConv2D):  # taps in threes
        rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 3)))
    bias, multiplier, right = narrow_requantization(op, graph)
    folded = bias - graph.operands(op)[0].zero_point * rows.astype(np.int64).sum(1)
    columns = (np.broadcast_to(column, len(rows)) for column in (folded, multiplier, right))
    parts: list[int] = []
    for row, offset, factor, shift in zip(rows, *columns, strict=True):
        left, extras = _split(row) if in_groups else (row, [])
        parts += [int(offset), int(factor), int(shift) | len(extras) << 8]
        parts += [int(word) for word in _words(left[None])[0]] + extras
    return (np.array(parts, np.int64) & 0xFFFFFFFF).astype(np.uint32)


def _range(op: Conv2D | DepthwiseConv2D | FullyConnected, graph: Graph) -> tuple[int, int, int]:
    """The fields of `struct tinyc_scalar_range`."""
    (result,) = graph.results(op)
    return (result.zero_point, *activation_range(op.activation, result))


def _accepts_fully_connected(op: Op, graph: Graph) -> bool:
    return portable_fully_connected.accepts(op, graph) and _is_narrow(op, graph)


def _lower_fully_connected(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, FullyConnected)
    x, weights = graph.operands(op)[:2]
    units, depth = weights.shape
    fields: dict[str, FieldValue] = {"rows": x.elements // depth, "depth": depth, "units": units}
    fields |= {"range": _range(op, graph), "words": _stream(op, graph)}
    return Lowered("tinyc_scalar_fully_connected", fields)


def _accepts_conv_2d(op: Op, graph: Graph) -> bool:
    return portable_convolution.accepts(op, graph) and _is_narrow(op, graph)


def _accepts_depthwise(op: Op, graph: Graph) -> bool:
    x, filters = graph.operands(op)[:2]
    return filters.shape[3] == x.shape[3] and _accepts_conv_2d(op, graph)


def _lower_conv_2d(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    fields = portable_convolution.geometry(op, graph)
    fields |= {"input_zero": graph.operands(op)[0].zero_point, "range": _range(op, graph)}
    fields |= {"words": _stream(op, graph)}
    return Lowered("tinyc_scalar_conv_2d", fields)


def _conv_2d_scratch(op: Op, graph: Graph) -> int:
    """The panel, a word per tap, and the padding."""
    return 4 * round_up(weight_rows(op, graph).shape[1], 4) + graph.operands(op)[1].shape[3]


def _depthwise_scratch(op: Op, graph: Graph) -> int:
    """Room for pointers of this machine, which may have 8 bytes."""
    _, height, width, channels = graph.operands(op)[1].shape
    return 8 * round_up(height * width, 3) + channels


def _fully_connected_features(op: Op, graph: Graph) -> Features:
    """Two rows at a time: packed, then four inputs of one unit at a time."""
    assert isinstance(op, FullyConnected)
    units, depth = graph.operands(op)[1].shape
    rows = graph.operands(op)[0].elements // depth
    packed = {"packed": math.ceil(rows / 2) * depth}
    return {"calls": 1, **packed, **_two_at_a_time(op, graph, 1, rows, units * math.ceil(depth / 4))}


def _convolution_features(op: Op, graph: Graph) -> Features:
    """Two pixels at a time: their windows packed, then four products of one channel at a time."""
    assert isinstance(op, Conv2D)
    (x, filters), (result,) = graph.operands(op)[:2], graph.results(op)
    channels, height, width, depth = filters.shape
    groups = x.shape[3] // depth
    pixels = result.shape[1] * result.shape[2]
    taps = result.shape[0] * math.ceil(pixels / 2) * groups * height * width
    gathered = {"rows": taps // width, "taps": taps, "packed": taps * depth}
    words = channels * math.ceil(height * width * depth / 4)
    return {"calls": 1, **gathered, **_two_at_a_time(op, graph, result.shape[0], pixels, words)}


def _two_at_a_time(op: Op, graph: Graph, batches: int, count: int, words: int) -> Features:
    """`tinyc_scalar_two_pixels` over `count` rows or pixels of each batch; a last one may be alone."""
    channels, extras = graph.results(op)[0].shape[-1], _extras(op, graph)
    found: dict[str, float] = {}
    for name, times in (("pair", batches * (count // 2)), ("single", batches * (count % 2))):
        found |= {f"{name}s": times, f"{name}_channels": times * channels}
        found |= {f"{name}_words": times * words, f"{name}_extras": times * extras}
    return found


def _depthwise_features(op: Op, graph: Graph) -> Features:
    """Pointers to the taps of every pixel, then three taps of one channel at a time."""
    assert isinstance(op, DepthwiseConv2D)
    (_, height, width, channels), (result,) = graph.operands(op)[1].shape, graph.results(op)
    pixels = result.elements // channels
    return {
        "calls": 1,
        "pixels": pixels,
        "window_rows": pixels * height,
        "taps": pixels * height * width,
        "outputs": result.elements,
        "threes": result.elements * math.ceil(height * width / 3),
    }


KERNELS = (
    Kernel(
        symbol="tinyc_fully_connected_s8__scalar",
        op=FullyConnected,
        source="scalar/fully_connected_s8.c",
        headers=("include/tinyc_scalar.h", "include/scalar_fully_connected.h"),
        requires=_REQUIRES,
        accepts=_accepts_fully_connected,
        lower=_lower_fully_connected,
        work=FittedWork("tinyc_fully_connected_s8__scalar", _fully_connected_features),
    ),
    Kernel(
        symbol="tinyc_conv_2d_s8__scalar",
        op=Conv2D,
        source="scalar/conv_2d_s8.c",
        headers=(*_PANEL, "include/scalar_conv_2d.h"),
        requires=_REQUIRES,
        accepts=_accepts_conv_2d,
        lower=_lower_conv_2d,
        scratch=_conv_2d_scratch,
        work=FittedWork("tinyc_conv_2d_s8__scalar", _convolution_features),
    ),
    Kernel(
        symbol="tinyc_depthwise_conv_2d_s8__scalar",
        op=DepthwiseConv2D,
        source="scalar/depthwise_conv_2d_s8.c",
        headers=("include/tinyc_scalar.h", "include/scalar_conv_2d.h"),
        requires=_REQUIRES,
        accepts=_accepts_depthwise,
        lower=_lower_conv_2d,
        scratch=_depthwise_scratch,
        work=FittedWork("tinyc_depthwise_conv_2d_s8__scalar", _depthwise_features),
    ),
)
