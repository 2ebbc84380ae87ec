"""DEPTHWISE_CONV_2D of int8 for vectors of Armv8.1-M (MVE): see `tinyc_mve_depthwise.h`."""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.tensor import Array
from tinyc.kernels import features, portable_convolution
from tinyc.kernels.helium import REQUIRES, first_inputs, required, vector_work
from tinyc.kernels.helium_rounding import rounding
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Overlap, Work
from tinyc.kernels.layer_constants import round_up, weight_rows

_BLOCK = 16
# Channels of a block in the lanes of its four vectors.
_LANES = np.array([[0, 4, 8, 12], [2, 6, 10, 14], [1, 5, 9, 13], [3, 7, 11, 15]])


def _accepts(op: Op, graph: Graph) -> bool:
    """One filter a channel, and no two taps that are added in int16 have both a weight of -128."""
    x, filters = graph.operands(op)[:2]
    if filters.shape[3] != x.shape[3] or not portable_convolution.accepts(op, graph):
        return False
    rows = weight_rows(op, graph)
    pairs = rows[:, rows.shape[1] % 2 :]
    both = (pairs[:, 0::2] == -128) & (pairs[:, 1::2] == -128)
    return not both.any() and rounding(op, graph) is not None


def _tile(channels: int) -> int:
    """Pixels whose channels fill whole vectors."""
    return _BLOCK // math.gcd(channels, _BLOCK)


def _accepts_rows(op: Op, graph: Graph) -> bool:
    """Neighbouring windows are neighbours in memory; constants grow to twice as much at most."""
    assert isinstance(op, DepthwiseConv2D)
    operands = graph.operands(op)
    window, channels = op.window(operands), operands[0].shape[3]
    return (
        (window.stride[1], window.dilation[0]) == (1, 1)
        and channels * _tile(channels) <= 2 * round_up(channels, _BLOCK)
        and _accepts(op, graph)
    )


def _blocks(values: Array) -> Array:
    """[channels, ...] as [blocks, 16, ...], with zeros behind the last channel."""
    missing = -len(values) % _BLOCK
    padded = np.pad(values, ((0, missing), *((0, 0) for _ in values.shape[1:])))
    return padded.reshape(-1, _BLOCK, *values.shape[1:])


def _lower(op: Op, graph: Graph) -> Lowered:
    return _lowered(op, graph, 1)


def _lower_rows(op: Op, graph: Graph) -> Lowered:
    return _lowered(op, graph, _tile(graph.operands(op)[0].shape[3]))


def _lowered(op: Op, graph: Graph, pixels: int) -> Lowered:
    """Weights and constants of so many pixels."""
    assert isinstance(op, DepthwiseConv2D)
    found = required(op, graph)
    channels = np.tile(np.arange(graph.operands(op)[0].shape[3]), pixels)
    numbers = [found.multiplier, found.constant, *([] if found.right is None else [found.right])]
    bias = _blocks(found.bias[channels])[:, _LANES].reshape(-1, _BLOCK)
    # [blocks, vectors, numbers, lanes]
    vectors = np.stack([_blocks(values[channels])[:, _LANES] for values in numbers], axis=2)
    constants = np.concatenate([bias, vectors.reshape(len(bias), -1)], axis=1)
    weights = np.ascontiguousarray(_blocks(weight_rows(op, graph)[channels]).transpose(0, 2, 1))
    geometry = portable_convolution.geometry(op, graph)
    del geometry["depth"]
    fields: dict[str, FieldValue] = {
        **geometry,
        "padding": graph.operands(op)[0].zero_point,
        "weights": weights.reshape(-1),
        "constants": constants.reshape(-1),
        "tile": weights.size,
        "shift": -found.shift,
        "low": found.low,
        "high": found.high,
    }
    return Lowered("tinyc_mve_depthwise", fields, constants.nbytes)


def _scratch(op: Op, graph: Graph) -> int:
    """Room for pointers of this machine, which may have 8 bytes."""
    _, height, width, channels = graph.operands(op)[1].shape
    return 8 * height * width + channels


def _rows_scratch(op: Op, graph: Graph) -> int:
    assert isinstance(op, DepthwiseConv2D)
    operands, (result,) = graph.operands(op), graph.results(op)
    x, window = operands[0], op.window(operands)
    pitch = (result.shape[2] + (window.kernel[1] - 1) * window.dilation[1]) * x.shape[3]
    last = (result.shape[1] - 1) * window.stride[0] - window.pads[0] + window.kernel[0]
    is_padded = window.pads[0] > 0 or last > x.shape[1]
    return 8 * window.kernel[0] * window.kernel[1] + (window.kernel[0] + is_padded) * pitch


def _run(op: Op, graph: Graph, blocks: int, in_tail: bool) -> tuple[float, float, float]:
    """`tinyc_mve_depthwise_run`, without its beginning."""
    _, height, width, _ = graph.operands(op)[1].shape
    pairs, odd = divmod(height * width, 2)
    is_one = required(op, graph).right is None
    paired = blocks * (9 * pairs + 4 * odd + (16 if is_one else 20))
    vector = blocks * (10 * pairs + 9 * odd + (17 if is_one else 29))
    return blocks * (16 + 3 * (pairs + odd)), paired, vector + in_tail * 2 * pairs


def _work(op: Op, graph: Graph) -> Work:
    assert isinstance(op, DepthwiseConv2D)
    operands, (result,) = graph.operands(op), graph.results(op)
    window, channels = op.window(operands), operands[0].shape[3]
    taps, pixels = window.kernel[0] * window.kernel[1], result.elements // channels
    inside = [features.positions_inside(window, operands[0].shape, axis) for axis in (0, 1)]
    rows, columns = (np.asarray(axis.all(axis=1)) for axis in inside)
    # A pixel whose window and that of the one before lie inside has its pointers moved, others new ones.
    moved = result.shape[0] * int(rows.sum()) * int((columns[1:] & columns[:-1]).sum())
    run = _run(op, graph, math.ceil(channels / _BLOCK), channels % _BLOCK > 0)
    scalar, paired, vector = (pixels * count for count in run)
    scalar += 60 + pixels * 45 + (pixels - moved) * (10 + 12 * taps) + moved * (4 + math.ceil(taps / 4))
    return vector_work(scalar, paired, vector + moved * 3 * math.ceil(taps / 4))


def _rows_work(op: Op, graph: Graph) -> Work:
    assert isinstance(op, DepthwiseConv2D)
    operands, (result,) = graph.operands(op), graph.results(op)
    x, window = operands[0], op.window(operands)
    count, rows = result.shape[2] * x.shape[3], result.shape[0] * result.shape[1]
    copies, steps = x.shape[0] * x.shape[1], math.ceil(x.shape[2] * x.shape[3] / 16)
    run = _run(op, graph, math.ceil(count / _BLOCK), count % _BLOCK > 0)
    scalar, paired, vector = (rows * part for part in run)
    scalar += 100 + rows * (60 + window.kernel[0] * (12 + 6 * window.kernel[1])) + copies * (15 + steps)
    return vector_work(scalar, paired, vector + copies * 2 * steps)


def _rows_overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """The rows under a row of outputs have been copied before it is written."""
    assert isinstance(op, DepthwiseConv2D)
    operands, (result,) = graph.operands(op), graph.results(op)
    x, window = operands[0], op.window(operands)
    batch, y = np.divmod(np.arange(result.shape[0] * result.shape[1]), result.shape[1])
    unread = np.clip(y * window.stride[0] - window.pads[0] + window.kernel[0], 0, x.shape[1])
    first = (batch * x.shape[1] + unread) * x.shape[2] * x.shape[3]
    written = np.arange(1, len(y) + 1) * result.shape[2] * result.shape[3]
    return (Overlap(0, "output", int((written - first).max())),)


def _overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """A pixel's outputs are written block by block, while its inputs are read."""
    assert isinstance(op, DepthwiseConv2D)
    first, channels = first_inputs(op, graph), graph.results(op)[0].shape[3]
    behind = (np.arange(len(first)) + 1) * channels - first
    return (Overlap(0, "output", int(behind.max())),)


def _code(op: Op, graph: Graph) -> int:
    return 1000


KERNELS = (
    Kernel(
        symbol="tinyc_depthwise_conv_2d_s8__helium",
        op=DepthwiseConv2D,
        source="helium/depthwise_conv_2d_s8.c",
        headers=("include/tinyc_mve_depthwise.h",),
        requires=REQUIRES,
        accepts=_accepts,
        lower=_lower,
        scratch=_scratch,
        overlaps=_overlaps,
        work=_work,
        code=_code,
    ),
    Kernel(
        symbol="tinyc_depthwise_conv_2d_s8_rows__helium",
        op=DepthwiseConv2D,
        source="helium/depthwise_conv_2d_s8_rows.c",
        headers=("include/tinyc_mve_depthwise.h",),
        requires=REQUIRES,
        accepts=_accepts_rows,
        lower=_lower_rows,
        scratch=_rows_scratch,
        overlaps=_rows_overlaps,
        work=_rows_work,
        code=_code,
    ),
)
