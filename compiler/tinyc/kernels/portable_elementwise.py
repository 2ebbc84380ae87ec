"""Portable kernels of ADD, SUB, MUL, MEAN and SUM."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import groupby

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.add import Add
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.elementwise import Binary, sum_scaling
from tinyc.ir.ops.mean import Mean, mean_multiplier
from tinyc.ir.ops.mul import Mul, product_multiplier
from tinyc.ir.ops.sub import Sub
from tinyc.ir.ops.sum import Sum, sum_multiplier
from tinyc.ir.tensor import DType, Shape, Tensor
from tinyc.kernels import features
from tinyc.kernels.broadcast import walk
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.work import FittedWork


def _binary_accepts(op: Op, graph: Graph, dtype: DType, constants: int) -> bool:
    operands = graph.operands(op)
    return (
        all(tensor.dtype is dtype for tensor in (*operands, *graph.results(op)))
        and sum(tensor.is_constant for tensor in operands) == constants
        and walk(operands[0].shape, operands[1].shape) is not None
    )


def _int8_activations(op: Op, graph: Graph) -> bool:
    return _binary_accepts(op, graph, DType.INT8, 0)


def _int8_constant(op: Op, graph: Graph) -> bool:
    return _binary_accepts(op, graph, DType.INT8, 1)


def _int16(constants: int) -> Callable[[Op, Graph], bool]:
    def accepts(op: Op, graph: Graph) -> bool:
        # TensorFlow Lite's int16 tensors have zero point 0, which keeps sums and products in 32 bits.
        return _binary_accepts(op, graph, DType.INT16, constants) and not any(
            tensor.zero_point for tensor in (*graph.operands(op), *graph.results(op))
        )

    return accepts


def _constant(op: Op, graph: Graph) -> FieldValue:
    """The constant operand, flat, or an empty array."""
    constants = [tensor.constant.reshape(-1) for tensor in graph.operands(op) if tensor.is_constant]
    return constants[0] if constants else np.zeros(0, np.int8)


def _loops(first: Tensor, second: Tensor, names: tuple[str, str]) -> dict[str, FieldValue]:
    loops = walk(first.shape, second.shape)
    assert loops is not None
    return {
        "extents": loops.extents,
        f"{names[0]}_strides": loops.left_strides,
        f"{names[1]}_strides": loops.right_strides,
    }


def _lower_add(op: Op, graph: Graph) -> Lowered:
    """ADD and SUB. The operand of the larger scale is multiplied by exactly 1/2."""
    assert isinstance(op, Binary)
    left, right = graph.operands(op)
    (result,) = graph.results(op)
    scaling = sum_scaling(left, right, result, negate_right=isinstance(op, Sub))
    terms = [
        (left, scaling.left_multiplier, scaling.left_exponent),
        (right, scaling.right_multiplier, scaling.right_exponent),
    ]
    coarse_is_right = right.scale > left.scale
    if coarse_is_right:
        terms.reverse()
    (coarse, half, exponent), (fine, fine_multiplier, fine_exponent) = terms
    assert abs(half) == 1 << 30 and exponent == 0
    # The kernel for constants gets the constant as its right operand.
    if left.is_constant:
        coarse_is_right = not coarse_is_right
    low, high = activation_range(op.activation, result)
    return Lowered(
        "tinyc_add",
        {
            **_loops(coarse, fine, ("coarse", "fine")),
            "coarse_is_right": int(coarse_is_right),
            "coarse_offset": -coarse.zero_point,
            "coarse_factor": (1 if half > 0 else -1) << (scaling.left_shift - 1),
            "fine_offset": -fine.zero_point,
            "fine_multiplier": fine_multiplier,
            "fine_shift": -fine_exponent,
            "output_offset": result.zero_point,
            "output_multiplier": scaling.output_multiplier,
            "output_shift": -scaling.output_exponent,
            "low": low,
            "high": high,
            "constant": _constant(op, graph),
        },
    )


def _lower_mul(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Mul)
    left, right = graph.operands(op)
    (result,) = graph.results(op)
    multiplier, shift = product_multiplier(left, right, result)
    # The kernel for constants gets the constant as its right operand.
    first, second = (right, left) if left.is_constant else (left, right)
    low, high = activation_range(op.activation, result)
    return Lowered(
        "tinyc_mul",
        {
            **_loops(first, second, ("left", "right")),
            "left_offset": -first.zero_point,
            "right_offset": -second.zero_point,
            "output_offset": result.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "low": low,
            "high": high,
            "constant": _constant(op, graph),
        },
    )


def _mean_extents(shape: Shape, reduced: tuple[int, ...]) -> tuple[int, int, int, int, int] | None:
    """(outer, reduced, middle, inner reduced, inner) extents, or None when there are more groups."""
    axes = [(axis in reduced, extent) for axis, extent in enumerate(shape) if extent != 1]
    groups = [(key, math.prod(e for _, e in part)) for key, part in groupby(axes, key=lambda a: a[0])]
    if not groups or groups[-1][0]:
        groups.append((False, 1))
    if len(groups) > 5:
        return None
    outer, first, middle, second, inner = [1] * (5 - len(groups)) + [extent for _, extent in groups]
    return outer, first, middle, second, inner


def _mean_accepts(op: Op, graph: Graph, dtype: DType) -> bool:
    assert isinstance(op, Mean | Sum)
    (x,) = graph.operands(op)
    return (
        not x.is_constant
        and all(tensor.dtype is dtype for tensor in (x, *graph.results(op)))
        and _mean_extents(x.shape, op.reduced(len(x.shape))) is not None
    )


def mean_int8(op: Op, graph: Graph) -> bool:
    """int8, and at most two groups of neighbouring axes that are reduced."""
    return _mean_accepts(op, graph, DType.INT8)


def _mean_int16(op: Op, graph: Graph) -> bool:
    return _mean_accepts(op, graph, DType.INT16)


def lower_mean(op: Op, graph: Graph) -> Lowered:
    """C parameters of MEAN and SUM."""
    assert isinstance(op, Mean | Sum)
    (x,) = graph.operands(op)
    (result,) = graph.results(op)
    extents = _mean_extents(x.shape, op.reduced(len(x.shape)))
    assert extents is not None
    count = extents[1] * extents[3]
    if isinstance(op, Sum):
        multiplier, shift = sum_multiplier(x, result)
    else:
        # Without axes the input is copied, whatever the scales say: a multiplier of 1.
        multiplier, shift = mean_multiplier(x, result, count) if op.axes else (1 << 30, 1)
    names = ("outer", "reduced", "middle", "inner_reduced", "inner")
    return Lowered(
        "tinyc_mean",
        {
            **dict(zip(names, extents, strict=True)),
            "sum_offset": -x.zero_point * count if op.axes else 0,
            "multiplier": multiplier,
            "shift": shift,
            "output_offset": result.zero_point if op.axes else 0,
        },
    )


def _mean_features(op: Op, graph: Graph) -> features.Features:
    assert isinstance(op, Mean | Sum)
    (x,) = graph.operands(op)
    extents = _mean_extents(x.shape, op.reduced(len(x.shape)))
    assert extents is not None
    return features.sums(*extents)


def _loop_features(op: Op, graph: Graph) -> features.Features:
    loops = walk(*(tensor.shape for tensor in graph.operands(op)))
    assert loops is not None
    return features.loops(loops.extents)


def _binary(
    op: type[Op], name: str, accepts: Callable[[Op, Graph], bool], in_place: tuple[int, ...]
) -> Kernel:
    """SUB shares the functions of ADD."""
    function = "mul" if op is Mul else "add"
    return Kernel(
        symbol=f"tinyc_{function}_{name}__portable",
        op=op,
        source=f"portable/{function}_{name}.c",
        headers=(f"include/{function}{'_s16' if name.endswith('s16') else ''}.h",),
        accepts=accepts,
        lower=_lower_mul if op is Mul else _lower_add,
        in_place=in_place,
        work=FittedWork(f"tinyc_{function}_{name}__portable", _loop_features),
    )


KERNELS = (
    *(
        _binary(op, name, accepts, in_place)
        for op in (Add, Sub, Mul)
        for name, accepts, in_place in (
            ("s8", _int8_activations, (0, 1)),
            ("constant_s8", _int8_constant, (0,)),
            ("s16", _int16(0), (0, 1)),
            ("constant_s16", _int16(1), (0,)),
        )
    ),
    *(
        Kernel(
            symbol=f"tinyc_mean_{suffix}__portable",
            op=op,
            source=f"portable/mean_{suffix}.c",
            headers=("include/mean.h",),
            accepts=accepts,
            lower=lower_mean,
            work=FittedWork(f"tinyc_mean_{suffix}__portable", _mean_features),
        )
        for op, suffix, accepts in (
            (Mean, "s8", mean_int8),
            (Mean, "s16", _mean_int16),
            (Sum, "s8", mean_int8),
            (Sum, "s16", _mean_int16),
        )
    ),
)
