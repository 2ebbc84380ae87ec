"""Random reductions over any axes, running sums and positions of extremes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.int16 import at_times_int16
from tinyc.ir.graph import Graph
from tinyc.ir.ops import ArgMax, ArgMin, Cumsum, Mean, Op, ReduceAll, ReduceAny, ReduceMax, ReduceMin, Sum
from tinyc.ir.tensor import DType, Quantization, Shape, Tensor


def _shape(rng: np.random.Generator) -> Shape:
    """Up to four axes; at times more, as many and small ones as alternating groups need."""
    rank = int(rng.integers(1, 5))
    if rng.random() < 0.25:
        return tuple(int(extent) for extent in rng.integers(1, 4, int(rng.integers(5, 8))))
    return tuple(int(extent) for extent in rng.integers(1, 9, rank))


def _axes(rng: np.random.Generator, rank: int) -> tuple[int, ...]:
    """Every subset of axes, negative ones too; a rank above 4 alternates."""
    axes = rng.permutation(rank)[: int(rng.integers(1, rank + 1))]
    if rank > 4:
        axes = np.arange(int(rng.integers(2)), rank, 2)
    elif rng.random() < 0.3:
        axes = np.array([1, 2] if rank == 4 else [rank - 1])
    return tuple(int(axis) - (rank if rng.random() < 0.3 else 0) for axis in axes)


def _reduction(op: Callable[..., Op], rng: np.random.Generator, x: Tensor) -> Op:
    axes = _axes(rng, len(x.shape))
    return op(name="layer", inputs=("x",), outputs=("y",), axes=axes, keep_dims=bool(rng.integers(2)))


def _sum(op: Callable[..., Op]) -> Callable[[np.random.Generator], Graph]:
    def random_graph(rng: np.random.Generator) -> Graph:
        x = activation(rng, "x", _shape(rng))
        layer = _reduction(op, rng, x)
        (shape,) = layer.output_shapes([x])
        return single_op_graph(layer, [x, activation(rng, "y", shape)])

    return random_graph


random_sum = at_times_int16(_sum(Sum))
random_mean = at_times_int16(_sum(Mean))


def _extreme(op: Callable[..., Op]) -> Callable[[np.random.Generator], Graph]:
    def random_graph(rng: np.random.Generator) -> Graph:
        x = activation(rng, "x", _shape(rng))
        layer = _reduction(op, rng, x)
        (shape,) = layer.output_shapes([x])
        return single_op_graph(layer, [x, x.with_(name="y", shape=shape)])

    return random_graph


random_reduce_max = at_times_int16(_extreme(ReduceMax))
random_reduce_min = at_times_int16(_extreme(ReduceMin))


def _truth(op: Callable[..., Op]) -> Callable[[np.random.Generator], Graph]:
    def random_graph(rng: np.random.Generator) -> Graph:
        x = Tensor("x", _shape(rng), DType.BOOL)
        layer = _reduction(op, rng, x)
        (shape,) = layer.output_shapes([x])
        return single_op_graph(layer, [x, Tensor("y", shape, DType.BOOL)])

    return random_graph


random_reduce_all = _truth(ReduceAll)
random_reduce_any = _truth(ReduceAny)


def _arg(op: Callable[..., Op]) -> Callable[[np.random.Generator], Graph]:
    def random_graph(rng: np.random.Generator) -> Graph:
        x = activation(rng, "x", _shape(rng))
        layer = op(name="layer", inputs=("x",), outputs=("y",), axis=int(rng.integers(len(x.shape))))
        (shape,) = layer.output_shapes([x])
        return single_op_graph(layer, [x, Tensor("y", shape, DType.INT32)])

    return random_graph


random_arg_max = _arg(ArgMax)
random_arg_min = _arg(ArgMin)


def random_cumsum(rng: np.random.Generator) -> Graph:
    """Sums of up to 15 elements: TensorFlow Lite Micro's accumulator holds those whatever they are."""
    x = activation(rng, "x", [int(extent) for extent in rng.integers(1, 15, int(rng.integers(1, 4)))])
    y = activation(rng, "y", x.shape)
    layer = Cumsum(
        name="layer",
        inputs=("x",),
        outputs=("y",),
        axis=int(rng.integers(len(x.shape))),
        exclusive=bool(rng.integers(2)),
        reverse=bool(rng.integers(2)),
    )
    if rng.random() < 0.5:
        y = y.with_(quantization=Quantization((float(np.float32(8 * x.scale)),), (y.zero_point,)))
    return single_op_graph(layer, [x, y])
