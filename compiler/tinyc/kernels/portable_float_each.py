"""Portable kernels of functions of single numbers in float32: one template, a C function per operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyc.ir.graph import Graph
from tinyc.ir.ops.abs import Abs
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.clamped import Clamped
from tinyc.ir.ops.float_functions import Ceil, Floor, Round, Square
from tinyc.ir.ops.leaky_relu import LeakyRelu
from tinyc.ir.ops.neg import Neg
from tinyc.ir.ops.relu import Relu
from tinyc.ir.ops.relu6 import Relu6
from tinyc.ir.ops.relu_0_to_1 import Relu0To1
from tinyc.ir.ops.relu_n1_to_1 import ReluN1To1
from tinyc.ir.tensor import DType
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered

Numbers = Callable[[Op], Mapping[str, FieldValue]]


def all_float(op: Op, graph: Graph) -> bool:
    """Every tensor is float32, and the first is no constant."""
    operands, results = graph.operands(op), graph.results(op)
    return not operands[0].is_constant and all(x.dtype is DType.FLOAT32 for x in (*operands, *results))


def _nothing(op: Op) -> Mapping[str, FieldValue]:
    return {}


def each(
    op: type[Op],
    function: str = "",
    header: str = "each_f32.h",
    struct: str = "tinyc_each_f32",
    numbers: Numbers = _nothing,
) -> Kernel:
    """The kernel that calls `function` (default: `tinyc_<op>_f32`) of `header` for every element.

    `numbers` are the fields of `struct` behind the count.
    """
    name = f"tinyc_{op.kind.lower()}_f32"

    def lower(layer: Op, graph: Graph) -> Lowered:
        return Lowered(struct, {"count": graph.results(layer)[0].elements, **numbers(layer)})

    def specialize(layer: Op, graph: Graph) -> Mapping[str, object]:
        return {"struct": struct, "function": function or name, "variant": "each"}

    return Kernel(
        symbol=f"{name}__portable",
        op=op,
        source="portable/each_f32.c.j2",
        headers=(f"include/{header}",),
        accepts=all_float,
        lower=lower,
        in_place=(0,),
        specialize=specialize,
    )


def _bounds(op: Op) -> Mapping[str, FieldValue]:
    assert isinstance(op, Clamped)
    low, high = op.bounds
    return {"low": low, "high": high}


def _slope(op: Op) -> Mapping[str, FieldValue]:
    assert isinstance(op, LeakyRelu)
    return {"alpha": op.alpha}


KERNELS = (
    *(each(op) for op in (Abs, Ceil, Floor, Neg, Round, Square)),
    *(
        each(op, "tinyc_clamped_f32", struct="tinyc_clamped_f32", numbers=_bounds)
        for op in (Relu, Relu0To1, Relu6, ReluN1To1)
    ),
    each(LeakyRelu, struct="tinyc_leaky_relu_f32", numbers=_slope),
)
