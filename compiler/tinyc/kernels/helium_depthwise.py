"""DEPTHWISE_CONV_2D of int8 for vectors of Armv8.1-M (MVE): see `tinyc_mve_depthwise.h`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.tensor import Array
from tinyc.kernels import features, portable_convolution
from tinyc.kernels.helium import REQUIRES, required, vector_work
from tinyc.kernels.helium_rounding import rounding
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Overlap, Work
from tinyc.kernels.layer_constants import round_up, weight_rows

_BLOCK = 16
# Channels of a block in the lanes of its four vectors.
_LANES = np.array([[0, 4, 8, 12], [2, 6, 10, 14], [1, 5, 9, 13], [3, 7, 11, 15]])


# Fields that change places when columns are taken for rows.
_TURNED = {
    **{f"{name}_height": f"{name}_width" for name in ("input", "output", "kernel", "stride", "dilation")},
    "pad_top": "pad_left",
}


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


@dataclass(frozen=True, slots=True)
class _Rows:
    """The layer as rows. An image of one column is one row: all fields are (vertical, horizontal)."""

    batches: int
    input: tuple[int, int]
    output: tuple[int, int]
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int]
    is_turned: bool

    @classmethod
    def of(cls, op: Op, graph: Graph) -> _Rows:
        assert isinstance(op, DepthwiseConv2D)
        operands = graph.operands(op)
        (batches, *size, channels), window = operands[0].shape, op.window(operands)
        is_turned = size[1] == window.kernel[1] == window.output[1] == 1 and window.pads[2] == 0

        def both(pair: Sequence[int]) -> tuple[int, int]:
            return (pair[1], pair[0]) if is_turned else (pair[0], pair[1])

        return cls(
            batches,
            both(size),
            both(window.output),
            channels,
            both(window.kernel),
            both(window.stride),
            both(window.dilation),
            both(window.pads[0::2]),
            is_turned,
        )

    @property
    def line(self) -> int:
        """Bytes of an input row."""
        return self.input[1] * self.channels

    @property
    def count(self) -> int:
        """Outputs of a row."""
        return self.output[1] * self.channels

    @property
    def pitch(self) -> int:
        """Bytes of an input row with its padding."""
        return self.count + (self.kernel[1] - 1) * self.dilation[1] * self.channels

    @property
    def is_open(self) -> bool:
        """Whether windows reach above or below the image."""
        last = (self.output[0] - 1) * self.stride[0] - self.pads[0] + self.kernel[0]
        return self.pads[0] > 0 or last > self.input[0]

    @property
    def is_copied(self) -> bool:
        return self.is_open or self.pitch > self.line


def _accepts_rows(op: Op, graph: Graph) -> bool:
    """Neighbouring windows are neighbours in memory; constants grow to twice as much at most."""
    rows = _Rows.of(op, graph)
    return (
        (rows.stride[1], rows.dilation[0]) == (1, 1)
        and rows.channels * _tile(rows.channels) <= 2 * round_up(rows.channels, _BLOCK)
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
    lowered = _lowered(op, graph, _tile(graph.operands(op)[0].shape[3]))
    if not _Rows.of(op, graph).is_turned:
        return lowered
    turned = {**_TURNED, **{there: here for here, there in _TURNED.items()}}
    fields = {name: lowered.fields[turned.get(name, name)] for name in lowered.fields}
    return replace(lowered, fields=fields)


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
    return Lowered("tinyc_mve_depthwise", fields)


def _scratch(op: Op, graph: Graph) -> int:
    """Room for pointers of this machine, which may have 8 bytes."""
    _, height, width, channels = graph.operands(op)[1].shape
    return 8 * height * width + channels


def _rows_scratch(op: Op, graph: Graph) -> int:
    rows = _Rows.of(op, graph)
    copied = (rows.kernel[0] + rows.is_open) * rows.pitch if rows.is_copied else 0
    return 8 * rows.kernel[0] * rows.kernel[1] + copied


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
    rows = _Rows.of(op, graph)
    times, steps = rows.batches * rows.output[0], math.ceil(rows.line / _BLOCK)
    copies = rows.batches * rows.input[0] if rows.is_copied else 0
    run = _run(op, graph, math.ceil(rows.count / _BLOCK), rows.count % _BLOCK > 0)
    scalar, paired, vector = (times * part for part in run)
    scalar += 100 + times * (60 + rows.kernel[0] * (12 + 6 * rows.kernel[1])) + copies * (15 + steps)
    return vector_work(scalar, paired, vector + copies * 2 * steps)


def _rows_overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """The rows under a row of outputs are copied before it is written, or read by blocks as it is."""
    rows = _Rows.of(op, graph)
    batch, y = np.divmod(np.arange(rows.batches * rows.output[0]), rows.output[0])
    top = y * rows.stride[0] - rows.pads[0]
    if rows.is_copied:
        unread, written = np.clip(top + rows.kernel[0], 0, rows.input[0]), np.arange(1, len(y) + 1)
    else:
        unread, written = top, np.arange(len(y))
    first = (batch * rows.input[0] + unread) * rows.line
    return (Overlap(0, "output", int((written * rows.count - first).max())),)


def _overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """A pixel's outputs are written block by block, while its inputs are read."""
    assert isinstance(op, DepthwiseConv2D)
    first, channels = portable_convolution.first_inputs(op, graph), graph.results(op)[0].shape[3]
    behind = (np.arange(len(first)) + 1) * channels - first
    return (Overlap(0, "output", int(behind.max())),)


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
    ),
)
