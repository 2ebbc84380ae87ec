"""Int8 convolutions and fully connected layers as sums of products, one sum per output channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op, Padding
from tinyc.ir.ops.common import channel_multipliers
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.passes.channels import channels, regrouped
from tinyc.quantize.fixed_point import INT32_MAX, INT32_MIN, Rounding

Layer: TypeAlias = Conv2D | DepthwiseConv2D | FullyConnected
# Beyond these a layer is left alone: it would only take time and memory.
_MOST_POSITIONS = 1 << 16
_MOST_PATTERNS = 1 << 20


def is_layer(op: Op, graph: Graph) -> bool:
    """True for an int8 layer with constant symmetric weights and constant int32 biases, not in groups."""
    if not isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        return False
    x, weights, *rest = graph.operands(op)
    quantization = weights.quantization
    types = (x.dtype, weights.dtype, graph.results(op)[0].dtype)
    if x.is_constant or not weights.is_constant or types != (DType.INT8,) * 3 or quantization is None:
        return False
    if isinstance(op, Conv2D) and weights.shape[3] != x.shape[3]:
        return False
    if isinstance(op, FullyConnected) and regrouped(channels(x), weights.shape[1]) is None:
        return False
    symmetric = not any(quantization.zero_point)
    fits = len(quantization.scale) in (1, channels(graph.results(op)[0]))
    return symmetric and fits and all(bias.is_constant and bias.dtype is DType.INT32 for bias in rest)


@dataclass(frozen=True, slots=True)
class Products:
    """The products of one layer.

    `weights` is [taps, out, in], int64; a depthwise layer has one input per output, its own. `bias` is
    [out]. `columns` and `sources` say which weight column reads which input channel. A row of `patterns`,
    [patterns, taps] of 0 and 1, tells the taps inside the image at some output position; outside, the
    input equals its zero point and adds nothing.
    """

    weights: Array
    bias: Array
    columns: Array
    sources: Array
    patterns: Array
    zero_point: int

    @classmethod
    def of(cls, op: Layer, graph: Graph) -> Products:
        """Raises ValueError for a layer that is too large to be worth it."""
        x, filters, *rest = graph.operands(op)
        out = channels(graph.results(op)[0])
        data = filters.constant.astype(np.int64)
        bias = rest[0].constant.reshape(-1).astype(np.int64) if rest else np.zeros(out, np.int64)
        if isinstance(op, FullyConnected):
            pairs = regrouped(channels(x), filters.shape[1])
            assert pairs is not None
            sources, columns = pairs
            return cls(data[None], bias, columns, sources, np.ones((1, 1), np.int64), x.zero_point)
        patterns = _patterns(op, graph)
        if isinstance(op, DepthwiseConv2D):
            weights = data.reshape(-1, out, 1)
            columns = np.arange(out)
            return cls(weights, bias, columns, columns // (out // channels(x)), patterns, x.zero_point)
        weights = data.transpose(1, 2, 0, 3).reshape(-1, out, filters.shape[3])
        columns = np.arange(filters.shape[3])
        return cls(weights, bias, columns, columns, patterns, x.zero_point)

    def column_bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Bounds of the input channels as bounds of what each weight column is multiplied with."""
        count = int(self.columns.max()) + 1
        smallest, largest = np.full(count, INT32_MAX, np.int64), np.full(count, INT32_MIN, np.int64)
        np.minimum.at(smallest, self.columns, low[self.sources])
        np.maximum.at(largest, self.columns, high[self.sources])
        return smallest - self.zero_point, largest - self.zero_point

    def accumulators(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Smallest and largest accumulator, bias included, [patterns, out], for bounds of the inputs."""
        least, most = self.column_bounds(low, high)
        if self.weights.shape[2] == 1 and len(least) == self.weights.shape[1]:
            least, most = least[:, None], most[:, None]
        positive, negative = np.maximum(self.weights, 0), np.minimum(self.weights, 0)
        smallest = (positive * least + negative * most).sum(axis=2)
        largest = (positive * most + negative * least).sum(axis=2)
        return self.bias + self.patterns @ smallest, self.bias + self.patterns @ largest

    @property
    def at_borders(self) -> Array:
        """[taps], True for taps that lie inside the image at some positions and outside at others."""
        return np.asarray(self.patterns.any(axis=0) != self.patterns.all(axis=0))


def _patterns(op: Conv2D | DepthwiseConv2D, graph: Graph) -> Array:
    window = op.window(graph.operands(op))
    if max(window.output) > _MOST_POSITIONS:
        raise ValueError("too many output positions")
    shape = graph.operands(op)[0].shape
    rows, columns = (
        _inside(shape[1 + axis], window.output[axis], kernel, stride, dilation, window.pads[2 * axis])
        for axis, (kernel, stride, dilation) in enumerate(
            zip(window.kernel, window.stride, window.dilation, strict=True)
        )
    )
    if rows.size * columns.size > _MOST_PATTERNS:
        raise ValueError("too many kinds of positions")
    both = rows[:, None, :, None] & columns[None, :, None, :]
    return np.asarray(both.reshape(len(rows) * len(columns), -1), np.int64)


def _inside(extent: int, positions: int, kernel: int, stride: int, dilation: int, before: int) -> Array:
    """[kinds of positions, kernel], True where a tap lies inside the image, along one axis."""
    first = np.arange(positions) * stride - before
    # The taps inside are neighbours: a position is told by the first of them and the first after them.
    start = np.maximum(-(first // dilation), 0)
    stop = np.clip(-((first - extent) // dilation), 0, kernel)
    ends = np.unique(np.stack([np.minimum(start, kernel), stop], axis=1), axis=0)
    if len(ends) * kernel > _MOST_PATTERNS:
        raise ValueError("too many kinds of positions")
    taps = np.arange(kernel)
    return np.asarray((taps >= ends[:, :1]) & (taps < ends[:, 1:]))


def requantized(op: Layer, graph: Graph, accumulators: Array, rounding: Rounding) -> Array:
    """What the layer makes of int32 accumulators [out], by its own reference; int64."""
    x, filters = graph.operands(op)[:2]
    (y,) = graph.results(op)
    out = len(accumulators)
    bias = Tensor("accumulators", (out,), DType.INT32, None, accumulators.astype(np.int32))
    # All weights are 0, so that the bias is the accumulator.
    layer: Layer
    shapes: tuple[Shape, Shape, Shape]
    if isinstance(op, FullyConnected):
        layer, shapes = op.with_(keep_num_dims=False), ((1, 1), (out, 1), (1, out))
    else:
        layer = op.with_(stride=(1, 1), dilation=(1, 1), padding=Padding.VALID, pads=(0, 0, 0, 0))
        filter_shape = (out, 1, 1, 1) if isinstance(op, Conv2D) else (1, 1, 1, out)
        shapes = ((1, 1, 1, 1), filter_shape, (1, 1, 1, out))
    zeros = [np.zeros(shape, np.int8) for shape in shapes[:2]]
    operands = (x.with_(shape=shapes[0]), filters.with_(shape=shapes[1], data=zeros[1]), bias)
    values = [*zeros, bias.constant]
    (result,) = layer.reference(values, operands, (y.with_(shape=shapes[2]),), rounding)
    return np.asarray(result.reshape(-1), np.int64)


def is_monotone(op: Layer, graph: Graph, low: Array, high: Array) -> Array:
    """True where requantization between two accumulators rises: nothing wraps around."""
    x, filters = graph.operands(op)[:2]
    fused = isinstance(op, FullyConnected)
    _, shift = channel_multipliers(x, filters, graph.results(op)[0], fused_product=fused)
    left = np.maximum(shift.astype(np.int64), 0)
    return np.asarray((low >= INT32_MIN >> left) & (high <= INT32_MAX >> left))
