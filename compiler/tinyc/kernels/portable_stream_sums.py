"""Portable kernels of STREAM_SUM."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.ops.mean import mean_multiplier
from tinyc.ir.ops.stream_sum import Finish, StreamSum
from tinyc.ir.ops.sum import sum_multiplier
from tinyc.ir.tensor import DType
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.portable_streams import updates_states
from tinyc.kernels.work import FittedWork


def _accepts(dtype: DType) -> Callable[[Op, Graph], bool]:
    """x and the output of this type."""

    def accepts(op: Op, graph: Graph) -> bool:
        x, y = graph.operands(op)[0], graph.results(op)[0]
        return x.dtype is dtype and y.dtype is dtype and updates_states(op, graph)

    return accepts


def _lower(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, StreamSum)
    operands, y = graph.operands(op), graph.results(op)[0]
    x, ring, *_ = operands
    inside, sums = op.frame(x.shape)
    count = op.count(operands)
    geometry = {"coming": x.shape[op.axis], "inside": inside, "sums": sums, "held": ring.shape[0]}
    if op.finish is Finish.AVERAGE_POOL_2D:
        low, high = activation_range(op.activation, y)
        return Lowered("tinyc_stream_pool", {**geometry, "count": count, "low": low, "high": high})
    multiplier, shift = mean_multiplier(x, y, count) if op.finish is Finish.MEAN else sum_multiplier(x, y)
    low, high = limits(y.dtype)
    return Lowered(
        "tinyc_stream_sum",
        {
            **geometry,
            "sum_offset": -x.zero_point * count,
            "multiplier": multiplier,
            "shift": shift,
            "output_offset": y.zero_point,
            "low": low,
            "high": high,
        },
    )


def _specialize(op: Op, graph: Graph) -> Mapping[str, object]:
    """The types of x and of the ring, and which of two structs says how a total becomes an output."""
    assert isinstance(op, StreamSum)
    x, ring, *_ = graph.operands(op)
    way = "pool" if op.finish is Finish.AVERAGE_POOL_2D else "sum"
    return {
        "variant": f"{ring.dtype.value[0]}_{way}",
        "type": x.dtype.c_type,
        "kept": ring.dtype.c_type,
        "struct": f"tinyc_stream_{way}",
    }


def _features(op: Op, graph: Graph) -> Features:
    assert isinstance(op, StreamSum)
    x = graph.operands(op)[0]
    _, sums = op.frame(x.shape)
    return {
        "calls": 1,
        "sums": sums,
        "requantized": 0 if op.finish is Finish.AVERAGE_POOL_2D else sums,
        "frame_sums": sums * x.shape[op.axis],
        "elements": x.elements,
    }


KERNELS = tuple(
    Kernel(
        symbol=f"tinyc_stream_sum_{name}__portable",
        op=StreamSum,
        source="portable/stream_sum.c.j2",
        headers=("include/streams.h",),
        accepts=_accepts(dtype),
        lower=_lower,
        specialize=_specialize,
        work=FittedWork("tinyc_stream_sum_s8__portable", _features),
    )
    for name, dtype in (("s8", DType.INT8), ("s16", DType.INT16))
)
