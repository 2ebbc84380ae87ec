"""The values that each channel of each 8-bit tensor can take: interval arithmetic from the inputs on.

A bound holds for every input of the model, at every position and for both rules of rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Concatenation,
    FullyConnected,
    Mean,
    Op,
    Pad,
    Quantize,
    Reshape,
    ResizeBilinear,
    Split,
    StridedSlice,
    Take,
    Transpose,
)
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.elementwise import Binary, Unary, limits
from tinyc.ir.ops.mean import mean_multiplier
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import Array, DType, Tensor, TensorName
from tinyc.passes.channels import Link, channels, links
from tinyc.passes.products import Layer, Products, is_layer, is_monotone, requantized
from tinyc.quantize.fixed_point import INT32_MAX, INT32_MIN, Rounding

BYTES = (DType.INT8, DType.UINT8)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Smallest and largest value of each channel, both int64 [channels]."""

    low: Array
    high: Array

    @property
    def constant(self) -> Array:
        """[channels], True where the channel has one value only."""
        return np.asarray(self.low == self.high)


Known: TypeAlias = Mapping[TensorName, Bounds]


def find_bounds(graph: Graph) -> dict[TensorName, Bounds]:
    """Bounds of every 8-bit activation of the graph."""
    known: dict[TensorName, Bounds] = {}
    for name in (*graph.inputs, *(state.name for state in graph.states)):
        if graph[name].dtype in BYTES:
            known[name] = _anything(graph[name])
    for op in graph.ops:
        for tensor in graph.operands(op):
            # The weights of layers are of no interest.
            if tensor.is_constant and tensor.dtype in BYTES and isinstance(op, Binary):
                known[tensor.name] = _of_constant(tensor)
        results = graph.results(op)
        if not all(tensor.dtype in BYTES for tensor in results):
            known.update({y.name: _anything(y) for y in results if y.dtype in BYTES})
            continue
        found: tuple[Bounds, ...] | None = None
        # A scale that cannot be computed with makes no bounds; legalize reports it.
        try:
            with np.errstate(all="ignore"):
                found = _results(op, graph, known)
        except (ValueError, KeyError, ArithmeticError):
            pass
        known.update(zip(op.outputs, found or map(_anything, results), strict=True))
    return known


def table(op: Op, operand: Tensor, result: Tensor) -> Array:
    """What an element-wise op makes of each of the 256 values of an 8-bit operand, smallest first."""
    low, high = limits(operand.dtype)
    codes = np.arange(low, high + 1).astype(operand.dtype.numpy)
    shaped = (operand.with_(shape=(256,)), result.with_(shape=(256,)))
    return op.reference([codes], shaped[:1], shaped[1:], Rounding.DOUBLE)[0]


def _anything(tensor: Tensor) -> Bounds:
    low, high = limits(tensor.dtype)
    count = channels(tensor)
    return Bounds(np.full(count, low, np.int64), np.full(count, high, np.int64))


def _of_constant(tensor: Tensor) -> Bounds:
    rows = tensor.constant.reshape(-1, channels(tensor)).astype(np.int64)
    return Bounds(rows.min(axis=0), rows.max(axis=0))


def _results(op: Op, graph: Graph, known: Known) -> tuple[Bounds, ...] | None:
    if is_layer(op, graph):
        assert isinstance(op, Layer)
        return (_layer(op, graph, known),)
    for kinds, rule in _RULES:
        if isinstance(op, kinds):
            return (rule(op, graph, known),)
    return _moved(op, graph, known)


def _layer(op: Layer, graph: Graph, known: Known) -> Bounds:
    x = known[op.inputs[0]]
    low, high = Products.of(op, graph).accumulators(x.low, x.high)
    exact = (low == high) & (low >= INT32_MIN) & (high <= INT32_MAX)
    usable = exact | is_monotone(op, graph, low, high)
    # TensorFlow Lite and its micro version round fully connected layers differently.
    roundings = (Rounding.DOUBLE, Rounding.SINGLE) if isinstance(op, FullyConnected) else (Rounding.DOUBLE,)

    def ends(accumulators: Array) -> list[Array]:
        rows = np.where(usable, accumulators, 0)
        return [np.stack([requantized(op, graph, row, rule) for row in rows]) for rule in roundings]

    least, most = activation_range(op.activation, graph.results(op)[0])
    return Bounds(
        np.where(usable, np.minimum.reduce(ends(low)), least).min(axis=0),
        np.where(usable, np.maximum.reduce(ends(high)), most).max(axis=0),
    )


def _unary(op: Op, graph: Graph, known: Known) -> Bounds:
    (x,), (y,) = graph.operands(op), graph.results(op)
    bounds, values = known[x.name], table(op, x, y).astype(np.int64)
    first, last = bounds.low - limits(x.dtype)[0], bounds.high - limits(x.dtype)[0] + 1
    reached = [values[a:b] for a, b in zip(first, last, strict=True)]
    return Bounds(np.array([part.min() for part in reached]), np.array([part.max() for part in reached]))


def _binary(op: Op, graph: Graph, known: Known) -> Bounds:
    left, right = graph.operands(op)
    (y,) = graph.results(op)
    lows = [limits(tensor.dtype)[0] for tensor in (left, right)]
    shapes = ((256, 1), (1, 256))
    operands = [t.with_(shape=shape, data=None) for t, shape in zip((left, right), shapes, strict=True)]
    values = [
        np.arange(low, low + 256).astype(tensor.dtype.numpy).reshape(tensor.shape)
        for tensor, low in zip(operands, lows, strict=True)
    ]
    (square,) = op.reference(values, operands, (y.with_(shape=(256, 256)),), Rounding.DOUBLE)
    corners = np.stack(
        [
            np.broadcast_to(end - low, channels(y))
            for name, low in zip(op.inputs, lows, strict=True)
            for end in (known[name].low, known[name].high)
        ],
        axis=1,
    )
    boxes, which = np.unique(corners, axis=0, return_inverse=True)
    parts = [square[a : b + 1, c : d + 1].astype(np.int64) for a, b, c, d in boxes]
    low = np.array([part.min() for part in parts])
    high = np.array([part.max() for part in parts])
    return Bounds(low[which.reshape(-1)], high[which.reshape(-1)])


def _pool(op: Op, graph: Graph, known: Known) -> Bounds:
    """The largest value and the rounded mean of values lie between them; scales are not changed."""
    assert isinstance(op, Pool2D)
    x, ends = known[op.inputs[0]], activation_range(op.activation, graph.results(op)[0])
    return Bounds(np.clip(x.low, *ends), np.clip(x.high, *ends))


def _mean(op: Op, graph: Graph, known: Known) -> Bounds:
    assert isinstance(op, Mean)
    (x,), (y,) = graph.operands(op), graph.results(op)
    bounds = known[x.name]
    if links(op, graph) is None:
        return _anything(y)
    count = math.prod(x.shape[axis] for axis in op.reduced(len(x.shape)))
    _, shift = mean_multiplier(x, y, count)
    if (512 * count) << max(shift, 0) > INT32_MAX:
        return _anything(y)
    # The mean of equal elements, over a row as long as the real one.
    row = Mean(name=op.name, inputs=op.inputs, outputs=op.outputs, axes=(0,) if op.axes else ())
    operand, result = x.with_(shape=(count, channels(x))), y.with_(shape=(channels(y),))
    ends = []
    for end in (bounds.low, bounds.high):
        elements = np.broadcast_to(end, operand.shape).astype(x.dtype.numpy)
        ends.append(row.reference([elements], (operand,), (result,), Rounding.DOUBLE)[0].astype(np.int64))
    return Bounds(ends[0], ends[1])


def _moved(op: Op, graph: Graph, known: Known) -> tuple[Bounds, ...] | None:
    """Bounds of an op that moves elements or takes their means: those of all channels that come together."""
    if not isinstance(op, _MOVES):
        return None
    pairs = links(op, graph)
    if pairs is None:
        # Any channel may come from any other.
        pairs = tuple(
            Link(x.name, np.arange(channels(x))[:, None], y.name, np.arange(channels(y)))
            for x in graph.operands(op)
            for y in graph.results(op)
        )
    found = {}
    for y in graph.results(op):
        nothing = _anything(y)
        found[y.name] = Bounds(nothing.high, nothing.low)
    if isinstance(op, Pad):
        (y,) = graph.results(op)
        border = np.ones(channels(y), bool)
        if not any(before or after for before, after in op.paddings[:-1]):
            border[pairs[0].target_channels] = False
        found[y.name].low[border] = found[y.name].high[border] = op.border(y)
    for link in pairs:
        source, target = known[link.source], found[link.target]
        np.minimum.at(target.low, link.target_channels, source.low[link.source_channels])
        np.maximum.at(target.high, link.target_channels, source.high[link.source_channels])
    return tuple(found[name] for name in op.outputs)


_MOVES = (Concatenation, Pad, Reshape, ResizeBilinear, Split, StridedSlice, Take, Transpose)
_RULES: tuple[tuple[tuple[type[Op], ...], Callable[[Op, Graph, Known], Bounds]], ...] = (
    ((Unary, Quantize), _unary),
    ((Binary,), _binary),
    ((Pool2D,), _pool),
    ((Mean,), _mean),
)
