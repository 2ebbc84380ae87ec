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
from tinyc.kernels.layer_constants import weight_rows

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


def _blocks(values: Array) -> Array:
    """[channels, ...] as [blocks, 16, ...], with zeros behind the last channel."""
    missing = -len(values) % _BLOCK
    padded = np.pad(values, ((0, missing), *((0, 0) for _ in values.shape[1:])))
    return padded.reshape(-1, _BLOCK, *values.shape[1:])


def _lower(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, DepthwiseConv2D)
    found = required(op, graph)
    numbers = [found.multiplier, found.constant, *([] if found.right is None else [found.right])]
    bias = _blocks(found.bias)[:, _LANES].reshape(-1, _BLOCK)
    # [blocks, vectors, numbers, lanes]
    vectors = np.stack([_blocks(values)[:, _LANES] for values in numbers], axis=2)
    constants = np.concatenate([bias, vectors.reshape(len(bias), -1)], axis=1)
    weights = np.ascontiguousarray(_blocks(weight_rows(op, graph)).transpose(0, 2, 1))
    geometry = portable_convolution.geometry(op, graph)
    del geometry["depth"]
    fields: dict[str, FieldValue] = {
        **geometry,
        "padding": graph.operands(op)[0].zero_point,
        "weights": weights.reshape(-1),
        "constants": constants.reshape(-1),
        "shift": -found.shift,
        "low": found.low,
        "high": found.high,
    }
    return Lowered("tinyc_mve_depthwise", fields, constants.nbytes)


def _scratch(op: Op, graph: Graph) -> int:
    """Room for pointers of this machine, which may have 8 bytes."""
    _, height, width, channels = graph.operands(op)[1].shape
    return 8 * height * width + channels


def _work(op: Op, graph: Graph) -> Work:
    assert isinstance(op, DepthwiseConv2D)
    operands, (result,) = graph.operands(op), graph.results(op)
    window, channels = op.window(operands), operands[0].shape[3]
    taps = window.kernel[0] * window.kernel[1]
    blocks, pixels = math.ceil(channels / _BLOCK), result.elements // channels
    inside = [features.positions_inside(window, operands[0].shape, axis) for axis in (0, 1)]
    rows, columns = (np.asarray(axis.all(axis=1)) for axis in inside)
    # A pixel whose window and that of the one before lie inside has its pointers moved, others new ones.
    moved = result.shape[0] * int(rows.sum()) * int((columns[1:] & columns[:-1]).sum())
    is_one, tail = required(op, graph).right is None, channels % _BLOCK > 0
    pairs, odd = divmod(taps, 2)
    scalar = 60 + pixels * (55 + blocks * (14 + 3 * (pairs + odd)))
    scalar += (pixels - moved) * (10 + 11 * taps) + moved * (4 + math.ceil(taps / 4))
    paired = pixels * blocks * (9 * pairs + 4 * odd + (16 if is_one else 20))
    vector = pixels * (blocks * (10 * pairs + 9 * odd + (17 if is_one else 29)) + tail * 2 * pairs)
    return vector_work(scalar, paired, vector + moved * 3 * math.ceil(taps / 4))


def _overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """A pixel's outputs are written block by block, while its inputs are read."""
    assert isinstance(op, DepthwiseConv2D)
    first, channels = first_inputs(op, graph), graph.results(op)[0].shape[3]
    behind = (np.arange(len(first)) + 1) * channels - first
    return (Overlap(0, "output", int(behind.max())),)


def _code(op: Op, graph: Graph) -> int:
    return 960


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
)
