"""Portable kernels of AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops.average_pool_2d import AveragePool2D
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.max_pool_2d import MaxPool2D
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import DType
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork


def _accepts_type(op: Op, graph: Graph, dtype: DType) -> bool:
    (x,), (result,) = graph.operands(op), graph.results(op)
    return not x.is_constant and x.dtype is dtype and result.dtype is dtype


def _int8(op: Op, graph: Graph) -> bool:
    return _accepts_type(op, graph, DType.INT8)


def _int16(op: Op, graph: Graph) -> bool:
    return _accepts_type(op, graph, DType.INT16)


def geometry(op: Pool2D, graph: Graph) -> dict[str, int]:
    """The fields of `struct tinyc_pool_2d` before `low`."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    batches, height, width, channels = x.shape
    top, left = op.before(x.shape)
    return {
        "batches": batches,
        "channels": channels,
        "input_height": height,
        "input_width": width,
        "output_height": result.shape[1],
        "output_width": result.shape[2],
        "filter_height": op.filter_height,
        "filter_width": op.filter_width,
        "stride_height": op.stride_height,
        "stride_width": op.stride_width,
        "pad_top": top,
        "pad_left": left,
    }


def lower(op: Op, graph: Graph) -> Lowered:
    """C parameters of either pool."""
    assert isinstance(op, Pool2D)
    low, high = activation_range(op.activation, graph.results(op)[0])
    return Lowered("tinyc_pool_2d", {**geometry(op, graph), "low": low, "high": high})


KERNELS = tuple(
    Kernel(
        symbol=f"tinyc_{name}_{suffix}__portable",
        op=op,
        source=f"portable/{name}_{suffix}.c",
        headers=("include/pool_2d.h",),
        accepts=accepts,
        lower=lower,
        work=FittedWork(f"tinyc_{name}_{suffix}__portable", counts),
    )
    for name, op in (("average_pool_2d", AveragePool2D), ("max_pool_2d", MaxPool2D))
    for suffix, accepts, counts in (
        ("s8", _int8, features.pooling),
        ("s16", _int16, features.plain_pooling),
    )
)
