"""Portable kernels of SUM and MEAN over any axes, REDUCE_MAX and its like, ARG_MAX, ARG_MIN and CUMSUM."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from tinyc.ir.graph import Graph
from tinyc.ir.ops.arg_extreme import ArgExtreme, ArgMax, ArgMin
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.cumsum import Cumsum, cumsum_multiplier
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.ops.mean import Mean, mean_multiplier
from tinyc.ir.ops.reduce_extreme import ReduceAll, ReduceAny, ReduceMax, ReduceMin
from tinyc.ir.ops.reduction import Reduction
from tinyc.ir.ops.sum import Sum, sum_multiplier
from tinyc.ir.tensor import DType, Shape
from tinyc.kernels import loop_features
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.portable_movement import row_major
from tinyc.kernels.work import FittedWork

_GROUPS = 4
# Extents and strides.
_Loops: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]


def _int8(op: Op, graph: Graph) -> bool:
    """int8 in and out."""
    tensors = (*graph.operands(op), *graph.results(op))
    return not tensors[0].is_constant and all(tensor.dtype is DType.INT8 for tensor in tensors)


def _all_of(*dtypes: DType) -> Callable[[Op, Graph], bool]:
    """One of these types in and out, and an axis at least."""

    def accepts(op: Op, graph: Graph) -> bool:
        assert isinstance(op, Reduction)
        (x,), (y,) = graph.operands(op), graph.results(op)
        return bool(op.axes) and not x.is_constant and x.dtype is y.dtype and x.dtype in dtypes

    return accepts


def _index_of_int8(op: Op, graph: Graph) -> bool:
    (x,), (y,) = graph.operands(op), graph.results(op)
    return not x.is_constant and x.dtype is DType.INT8 and y.dtype is DType.INT32


def _walk(shape: Shape, axes: tuple[int, ...]) -> _Loops:
    """(extents, strides) of the loops over `axes`; neighbouring axes are one, missing ones count 1."""
    strides = row_major(shape, 1)
    loops: list[tuple[int, int]] = []
    for axis in axes:
        extent, stride = shape[axis], strides[axis]
        if loops and loops[-1][1] == extent * stride:
            extent *= loops.pop()[0]
        if extent > 1:
            loops.append((extent, stride))
    assert len(loops) <= _GROUPS
    loops = [(1, 0)] * (_GROUPS - len(loops)) + loops
    return tuple(extent for extent, _ in loops), tuple(stride for _, stride in loops)


def _nest(op: Reduction, shape: Shape) -> tuple[_Loops, _Loops]:
    """The loops over the axes that stay, and over those that are reduced."""
    reduced = op.reduced(len(shape))
    kept = tuple(axis for axis in range(len(shape)) if axis not in reduced)
    return _walk(shape, kept), _walk(shape, reduced)


def loops(op: Reduction, shape: Shape) -> dict[str, FieldValue]:
    """The fields that `struct tinyc_reduce` and `struct tinyc_reduce_sum` begin with."""
    (kept_extents, kept_strides), (reduced_extents, reduced_strides) = _nest(op, shape)
    return {
        "outputs": math.prod(kept_extents),
        "inputs": math.prod(reduced_extents),
        "kept": kept_extents,
        "kept_strides": kept_strides,
        "reduced": reduced_extents,
        "reduced_strides": reduced_strides,
    }


def reduction_features(op: Op, graph: Graph) -> Features:
    """How often the loops of a reduction run."""
    assert isinstance(op, Reduction)
    (kept, _), (reduced, _) = _nest(op, graph.operands(op)[0].shape)
    return loop_features.reduction(kept, reduced)


def _lower_extreme(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Reduction)
    return Lowered("tinyc_reduce", loops(op, graph.operands(op)[0].shape))


def _lower_sum(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Mean | Sum)
    (x,), (y,) = graph.operands(op), graph.results(op)
    count = op.count(x.shape)
    multiplier, shift = sum_multiplier(x, y) if isinstance(op, Sum) else mean_multiplier(x, y, count)
    return Lowered(
        "tinyc_reduce_sum",
        {
            **loops(op, x.shape),
            "sum_offset": -x.zero_point * count,
            "multiplier": multiplier,
            "shift": shift,
            "output_offset": y.zero_point,
        },
    )


def along(shape: Shape, axis: int) -> dict[str, FieldValue]:
    return {
        "outer": math.prod(shape[:axis]),
        "depth": shape[axis],
        "inner": math.prod(shape[axis + 1 :]),
    }


def _lower_arg(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, ArgExtreme)
    return Lowered("tinyc_arg", along(graph.operands(op)[0].shape, op.axis))


def _lower_cumsum(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Cumsum)
    (x,), (y,) = graph.operands(op), graph.results(op)
    multiplier, shift = cumsum_multiplier(x, y)
    return Lowered(
        "tinyc_cumsum",
        {
            **along(x.shape, op.axis),
            "exclusive": int(op.exclusive),
            "reverse": int(op.reverse),
            "input_offset": -x.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "output_offset": y.zero_point,
        },
    )


def _specialize_sum(op: Op, graph: Graph) -> Mapping[str, object]:
    dtype = graph.results(op)[0].dtype
    low, high = limits(dtype)
    return {"variant": dtype.value[0], "type": dtype.c_type, "low": low, "high": high}


def _specialize_extreme(op: Op, graph: Graph) -> Mapping[str, object]:
    """Truth values are bytes like int8."""
    name, beats = ("max", ">") if isinstance(op, ReduceMax | ReduceAny) else ("min", "<")
    bits = 8 * graph.results(op)[0].dtype.size
    return {"variant": f"{name}{bits}", "type": f"int{bits}_t", "beats": beats}


KERNELS = (
    *(
        Kernel(
            symbol=f"tinyc_reduce_sum_{name}__portable",
            op=op,
            source="portable/reduce_sum.c.j2",
            headers=("include/reduce.h",),
            accepts=_all_of(dtype),
            lower=_lower_sum,
            specialize=_specialize_sum,
            work=FittedWork(f"tinyc_reduce_sum_{name}__portable", reduction_features),
        )
        for op in (Mean, Sum)
        for name, dtype in (("s8", DType.INT8), ("s16", DType.INT16))
    ),
    *(
        Kernel(
            symbol=f"tinyc_reduce_extreme_{name}__portable",
            op=op,
            source="portable/reduce_extreme.c.j2",
            headers=("include/reduce.h",),
            accepts=_all_of(*dtypes),
            lower=_lower_extreme,
            specialize=_specialize_extreme,
            work=FittedWork(f"tinyc_reduce_extreme_{name}__portable", reduction_features),
        )
        for op in (ReduceMax, ReduceMin, ReduceAny, ReduceAll)
        for name, dtypes in (("x8", (DType.INT8, DType.BOOL)), ("x16", (DType.INT16,)))
        if name == "x8" or op in (ReduceMax, ReduceMin)
    ),
    *(
        Kernel(
            symbol=f"tinyc_arg_{name}_s8__portable",
            op=op,
            source=f"portable/arg_{name}_s8.c",
            headers=("include/along_axis.h",),
            accepts=_index_of_int8,
            lower=_lower_arg,
            work=FittedWork(f"tinyc_arg_{name}_s8__portable", loop_features.along_axis),
        )
        for op, name in ((ArgMax, "max"), (ArgMin, "min"))
    ),
    Kernel(
        symbol="tinyc_cumsum_s8__portable",
        op=Cumsum,
        source="portable/cumsum_s8.c",
        headers=("include/along_axis.h",),
        accepts=_int8,
        lower=_lower_cumsum,
        in_place=(0,),
        work=FittedWork("tinyc_cumsum_s8__portable", loop_features.along_axis),
    ),
)
