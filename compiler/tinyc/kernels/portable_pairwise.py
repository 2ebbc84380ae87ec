"""Portable kernels of operators on two tensors that broadcast: one template, a C function per element.

Constants are read from flash, as either operand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.add import Add
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.comparison import (
    Comparison,
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    NotEqual,
    comparison_multiplier,
)
from tinyc.ir.ops.div import Div, quotient_multiplier
from tinyc.ir.ops.elementwise import Binary, limits
from tinyc.ir.ops.extremes import LogicalAnd, LogicalOr, Maximum, Minimum
from tinyc.ir.ops.floored import FloorDiv, FloorMod
from tinyc.ir.ops.mul import Mul
from tinyc.ir.ops.prelu import Prelu, slopes
from tinyc.ir.ops.squared_difference import SquaredDifference, square_scaling
from tinyc.ir.ops.sub import Sub
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.kernels import loop_features
from tinyc.kernels.broadcast import walk
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.work import FittedWork

# TINYC_PAIR_AXES in pairs.h.
AXES = 6
_NAMES = {DType.INT8: "s8", DType.INT16: "s16", DType.INT32: "s32", DType.BOOL: "bool", DType.FLOAT32: "f32"}
_ROLES = ("left", "right")
Numbers = Callable[[Op, Graph], Mapping[str, FieldValue]]


def stored(tensor: Tensor) -> Array:
    """The elements of a constant as C stores them, nothing for an activation."""
    if not tensor.is_constant:
        return np.zeros(0, np.int8)
    flat = tensor.constant.reshape(-1)
    return flat.view(np.uint8) if tensor.dtype is DType.BOOL else flat


def loops(op: Op, graph: Graph, roles: tuple[str, ...]) -> dict[str, FieldValue]:
    """Extents, strides and constants, as the C structs begin."""
    operands = graph.operands(op)
    nest = walk(*(operand.shape for operand in operands), axes=AXES)
    assert nest is not None
    return {
        "extents": nest.extents,
        **{f"{role}_strides": strides for role, strides in zip(roles, nest.strides, strict=True)},
        **{role: stored(operand) for role, operand in zip(roles, operands, strict=True)},
    }


def loop_counts(op: Op, graph: Graph) -> Features:
    """How often these loops run."""
    nest = walk(*(operand.shape for operand in graph.operands(op)), axes=AXES)
    assert nest is not None
    return loop_features.nest(nest.extents)


def operand_views(op: Op, graph: Graph, roles: tuple[str, ...]) -> dict[str, object]:
    """What the template prints of the operands; `variant` says which of them are constants."""
    operands = graph.operands(op)
    constants = [role for role, operand in zip(roles, operands, strict=True) if operand.is_constant]
    return {
        "operands": tuple(
            {"name": role, "type": operand.dtype.c_type, "constant": operand.is_constant}
            for role, operand in zip(roles, operands, strict=True)
        ),
        "output": graph.results(op)[0].dtype.c_type,
        "variant": "_".join(constants) or "activations",
    }


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Operators of one C struct: `numbers` are its fields behind the loops, `header` has the functions."""

    header: str
    struct: str
    numbers: Numbers

    def kernel(
        self, op: type[Op], dtype: DType, output: DType, function: str, *, right: DType | None = None
    ) -> Kernel:
        """`right` is the type of the second operand where it is another one."""
        types = (dtype, right or dtype)

        def accepts(layer: Op, graph: Graph) -> bool:
            operands, (result,) = graph.operands(layer), graph.results(layer)
            return (
                tuple(operand.dtype for operand in operands) == types
                and result.dtype is output
                and not all(operand.is_constant for operand in operands)
                and walk(*(operand.shape for operand in operands), axes=AXES) is not None
            )

        def lower(layer: Op, graph: Graph) -> Lowered:
            return Lowered(self.struct, {**loops(layer, graph, _ROLES), **self.numbers(layer, graph)})

        def specialize(layer: Op, graph: Graph) -> Mapping[str, object]:
            return {**operand_views(layer, graph, _ROLES), "struct": self.struct, "function": function}

        symbol = f"tinyc_{op.kind.lower()}_{_NAMES[dtype]}__portable"
        return Kernel(
            symbol=symbol,
            op=op,
            source="portable/pairs.c.j2",
            headers=(f"include/{self.header}",),
            accepts=accepts,
            lower=lower,
            # Elements of one size lie where they are read.
            in_place=tuple(at for at, each in enumerate(types) if each.size == output.size),
            specialize=specialize,
            work=FittedWork(symbol, loop_counts),
        )


def _nothing(op: Op, graph: Graph) -> Mapping[str, FieldValue]:
    return {}


def _compared(op: Op, graph: Graph) -> Mapping[str, FieldValue]:
    numbers: dict[str, FieldValue] = {}
    for role, operand in zip(_ROLES, graph.operands(op), strict=True):
        multiplier, shift = comparison_multiplier(operand)
        numbers |= {
            f"{role}_offset": -operand.zero_point,
            f"{role}_multiplier": multiplier,
            f"{role}_shift": shift,
        }
    return numbers


def _ends(op: Op, graph: Graph) -> Mapping[str, FieldValue]:
    assert isinstance(op, Binary)
    low, high = activation_range(op.activation, graph.results(op)[0])
    return {"low": low, "high": high}


def _real_ends(op: Op, graph: Graph) -> Mapping[str, FieldValue]:
    assert isinstance(op, Binary)
    low, high = op.real_range
    return {"low": low, "high": high}


def _squared(op: Op, graph: Graph) -> Mapping[str, FieldValue]:
    (left, right), (result,) = graph.operands(op), graph.results(op)
    scaling = square_scaling(left, right, result)
    return {
        "factor": 1 << scaling.left_shift,
        "left_offset": -left.zero_point,
        "left_multiplier": scaling.left[0],
        "left_shift": scaling.left[1],
        "right_offset": -right.zero_point,
        "right_multiplier": scaling.right[0],
        "right_shift": scaling.right[1],
        "output_offset": result.zero_point,
        "output_multiplier": scaling.output[0],
        "output_shift": scaling.output[1],
        **_ends(op, graph),
    }


def _divided(op: Op, graph: Graph) -> Mapping[str, FieldValue]:
    (left, right), (result,) = graph.operands(op), graph.results(op)
    multiplier, shift = quotient_multiplier(left, right, result)
    return {
        "left_offset": -left.zero_point,
        "right_offset": -right.zero_point,
        "output_offset": result.zero_point,
        "multiplier": multiplier,
        "shift": shift,
        **_ends(op, graph),
    }


def _sloped(op: Op, graph: Graph) -> Mapping[str, FieldValue]:
    (x, alpha), (result,) = graph.operands(op), graph.results(op)
    positive, negative = slopes(x, alpha, result)
    low, high = limits(result.dtype)
    return {
        "left_offset": -x.zero_point,
        "right_offset": -alpha.zero_point,
        "output_offset": result.zero_point,
        "positive_multiplier": positive[0],
        "positive_shift": positive[1],
        "negative_multiplier": negative[0],
        "negative_shift": negative[1],
        "low": low,
        "high": high,
    }


_PLAIN = _Pairs("pairs.h", "tinyc_pairs", _nothing)
_COMPARED = _Pairs("compare.h", "tinyc_compare", _compared)
_QUOTIENTS = _Pairs("div.h", "tinyc_div", _divided)
_INTEGERS = _Pairs("integers.h", "tinyc_integers", _ends)
_WHOLE = _Pairs("integers.h", "tinyc_pairs", _nothing)
_FLOORED = _Pairs("floored_f32.h", "tinyc_pairs", _nothing)
_REALS = _Pairs("pairs_f32.h", "tinyc_pairs", _nothing)
_REAL_ARITHMETIC = _Pairs("pairs_f32.h", "tinyc_pairs_f32", _real_ends)
_ARITHMETIC: tuple[type[Binary], ...] = (Add, Sub, Mul, Div, SquaredDifference)
_COMPARISONS: tuple[type[Comparison], ...] = (Equal, NotEqual, Greater, GreaterEqual, Less, LessEqual)


def _plain(op: type[Op], dtype: DType, output: DType) -> Kernel:
    return _PLAIN.kernel(op, dtype, output, f"tinyc_{op.kind.lower()}")


KERNELS = (
    *(
        _plain(op, dtype, dtype)
        for op in (Maximum, Minimum)
        for dtype in (DType.INT8, DType.INT16, DType.INT32)
    ),
    *(_plain(op, DType.BOOL, DType.BOOL) for op in (LogicalAnd, LogicalOr)),
    *(
        _plain(op, dtype, DType.BOOL)
        for op in _COMPARISONS
        for dtype in (DType.INT16, DType.INT32)
        if dtype not in op.real_types
    ),
    *(_plain(op, DType.BOOL, DType.BOOL) for op in (Equal, NotEqual)),
    *(
        _COMPARED.kernel(op, dtype, DType.BOOL, f"tinyc_{op.kind.lower()}_reals")
        for op in _COMPARISONS
        for dtype in op.real_types
    ),
    *(_INTEGERS.kernel(op, DType.INT32, DType.INT32, f"tinyc_{op.kind.lower()}_s32") for op in _ARITHMETIC),
    *(
        _REAL_ARITHMETIC.kernel(op, DType.FLOAT32, DType.FLOAT32, f"tinyc_{op.kind.lower()}_f32")
        for op in _ARITHMETIC
    ),
    *(
        _REALS.kernel(op, DType.FLOAT32, DType.FLOAT32, f"tinyc_{op.kind.lower()}_f32")
        for op in (Maximum, Minimum, Prelu)
    ),
    *(_REALS.kernel(op, DType.FLOAT32, DType.BOOL, f"tinyc_{op.kind.lower()}_f32") for op in _COMPARISONS),
    *(
        pairs.kernel(op, dtype, dtype, f"tinyc_{op.kind.lower()}_{_NAMES[dtype]}")
        for op in (FloorDiv, FloorMod)
        for pairs, dtype in ((_WHOLE, DType.INT32), (_FLOORED, DType.FLOAT32))
    ),
    _QUOTIENTS.kernel(Div, DType.INT8, DType.INT8, "tinyc_div"),
    *(
        _Pairs(f"{struct}.h", f"tinyc_{struct}", numbers).kernel(
            op, dtype, dtype, f"tinyc_{struct}", right=DType.INT8 if op is Prelu else None
        )
        for op, struct, numbers in (
            (Prelu, "prelu", _sloped),
            (SquaredDifference, "squared_difference", _squared),
        )
        for dtype in (DType.INT8, DType.INT16)
    ),
)
