"""Portable kernels in float32 of SUM, MEAN, REDUCE_MAX, REDUCE_MIN, ARG_MAX, ARG_MIN, CUMSUM and ADD_N."""

from __future__ import annotations

from collections.abc import Mapping

from tinyc.ir.graph import Graph
from tinyc.ir.ops.add_n import AddN
from tinyc.ir.ops.arg_extreme import ArgExtreme, ArgMax, ArgMin
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import LARGEST_FLOAT
from tinyc.ir.ops.cumsum import Cumsum
from tinyc.ir.ops.mean import Mean
from tinyc.ir.ops.reduce_extreme import ReduceMax, ReduceMin
from tinyc.ir.ops.reduction import Reduction
from tinyc.ir.ops.sum import Sum
from tinyc.ir.tensor import DType
from tinyc.kernels import loop_features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.portable_float_each import all_float
from tinyc.kernels.portable_reductions import along, loops, reduction_features
from tinyc.kernels.work import FittedWork


def _all_activations(op: Op, graph: Graph) -> bool:
    return all_float(op, graph) and not any(x.is_constant for x in graph.operands(op))


def _index_of_float(op: Op, graph: Graph) -> bool:
    (x,), (y,) = graph.operands(op), graph.results(op)
    return not x.is_constant and x.dtype is DType.FLOAT32 and y.dtype is DType.INT32


def _lower_sum(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Mean | Sum)
    shape = graph.operands(op)[0].shape
    if isinstance(op, Sum):
        begin = {"zero": op.first_zero(len(shape)), "divisor": 1.0}
    else:
        begin = {"zero": 0.0 if op.axes else -0.0, "divisor": float(op.count(shape))}
    return Lowered("tinyc_reduce_sum_f32", {**loops(op, shape), **begin})


def _lower_extreme(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Reduction)
    return Lowered("tinyc_reduce", loops(op, graph.operands(op)[0].shape))


def _reduction(op: type[Reduction], name: str) -> Kernel:
    is_sum = name == "sum"

    struct = "tinyc_reduce_sum_f32" if is_sum else "tinyc_reduce"
    return Kernel(
        symbol=f"tinyc_reduce_{name}_f32__portable",
        op=op,
        source="portable/reduce_f32.c.j2",
        headers=("include/reduce_f32.h",),
        accepts=all_float,
        lower=_lower_sum if is_sum else _lower_extreme,
        view={"name": name, "struct": struct, "is_sum": is_sum},
        work=FittedWork(f"tinyc_reduce_{name}_f32__portable", reduction_features),
    )


def _lower_arg(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, ArgExtreme)
    return Lowered("tinyc_arg", along(graph.operands(op)[0].shape, op.axis))


def _arg(op: type[ArgExtreme], name: str, order: str) -> Kernel:
    return Kernel(
        symbol=f"tinyc_arg_{name}_f32__portable",
        op=op,
        source="portable/arg_f32.c.j2",
        headers=("include/along_axis_f32.h",),
        accepts=_index_of_float,
        lower=_lower_arg,
        view={"order": order},
        work=FittedWork(f"tinyc_arg_{name}_f32__portable", loop_features.along_axis),
    )


def _lower_cumsum(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Cumsum)
    fields = along(graph.operands(op)[0].shape, op.axis)
    return Lowered("tinyc_cumsum_f32", {**fields, "exclusive": int(op.exclusive), "reverse": int(op.reverse)})


def _lower_add_n(op: Op, graph: Graph) -> Lowered:
    fields = {"count": graph.results(op)[0].elements, "low": -LARGEST_FLOAT, "high": LARGEST_FLOAT}
    return Lowered("tinyc_clamped_f32", fields)


def _specialize_add_n(op: Op, graph: Graph) -> Mapping[str, object]:
    return {"inputs": len(op.inputs), "variant": f"of_{len(op.inputs)}"}


KERNELS = (
    *(
        _reduction(op, name)
        for op, name in ((Mean, "sum"), (Sum, "sum"), (ReduceMax, "max"), (ReduceMin, "min"))
    ),
    _arg(ArgMax, "max", ">"),
    _arg(ArgMin, "min", "<"),
    Kernel(
        symbol="tinyc_cumsum_f32__portable",
        op=Cumsum,
        source="portable/cumsum_f32.c",
        headers=("include/along_axis_f32.h",),
        accepts=all_float,
        lower=_lower_cumsum,
        in_place=(0,),
        work=FittedWork("tinyc_cumsum_f32__portable", loop_features.along_axis),
    ),
    Kernel(
        symbol="tinyc_add_n_f32__portable",
        op=AddN,
        source="portable/add_n_f32.c.j2",
        headers=("include/each_f32.h",),
        accepts=_all_activations,
        lower=_lower_add_n,
        specialize=_specialize_add_n,
        work=FittedWork("tinyc_add_n_f32__portable", loop_features.terms),
    ),
)
