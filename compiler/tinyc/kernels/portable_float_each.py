"""Portable kernels of functions of single numbers in float32: one template, a C function per operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tinyc.ir.graph import Graph
from tinyc.ir.ops.abs import Abs
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.clamped import Clamped
from tinyc.ir.ops.curved import Gelu
from tinyc.ir.ops.elu import Elu
from tinyc.ir.ops.exp import Exp
from tinyc.ir.ops.float_functions import Ceil, Cos, Floor, Round, Sin, Square
from tinyc.ir.ops.hard_swish import HardSwish
from tinyc.ir.ops.leaky_relu import LeakyRelu
from tinyc.ir.ops.log import Log
from tinyc.ir.ops.logistic import Logistic
from tinyc.ir.ops.neg import Neg
from tinyc.ir.ops.relu import Relu
from tinyc.ir.ops.relu6 import Relu6
from tinyc.ir.ops.relu_0_to_1 import Relu0To1
from tinyc.ir.ops.relu_n1_to_1 import ReluN1To1
from tinyc.ir.ops.rsqrt import Rsqrt
from tinyc.ir.ops.sqrt import Sqrt
from tinyc.ir.ops.tanh import Tanh
from tinyc.ir.tensor import DType
from tinyc.kernels import loop_features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.work import FittedWork

_PLAIN = "tinyc_each_f32"
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
    struct: str = _PLAIN,
    numbers: Numbers = _nothing,
) -> Kernel:
    """The kernel that calls `function` (default: `tinyc_<op>_f32`) of `header` for every element.

    `numbers` are the fields of `struct` behind the count, which the function is given before the element.
    """
    name = f"tinyc_{op.kind.lower()}_f32"

    def lower(layer: Op, graph: Graph) -> Lowered:
        return Lowered(struct, {"count": graph.results(layer)[0].elements, **numbers(layer)})

    return Kernel(
        symbol=f"{name}__portable",
        op=op,
        source="portable/each_f32.c.j2",
        headers=(f"include/{header}",),
        accepts=all_float,
        lower=lower,
        in_place=(0,),
        view={"function": function or name, "has_numbers": struct != _PLAIN, "struct": struct},
        work=FittedWork(f"{name}__portable", loop_features.curve),
    )


def _bounds(op: Op) -> Mapping[str, FieldValue]:
    assert isinstance(op, Clamped)
    low, high = op.bounds
    return {"low": low, "high": high}


def _slope(op: Op) -> Mapping[str, FieldValue]:
    assert isinstance(op, LeakyRelu)
    return {"alpha": op.alpha}


def _gelu(form: str, approximate: bool) -> Kernel:
    """Either form has its own function."""

    def accepts(op: Op, graph: Graph) -> bool:
        assert isinstance(op, Gelu)
        return op.approximate is approximate and all_float(op, graph)

    kernel = each(Gelu, f"tinyc_{form}_f32", "curves_f32.h")
    return replace(kernel, symbol=f"tinyc_{form}_f32__portable", accepts=accepts)


KERNELS = (
    *(each(op) for op in (Abs, Ceil, Floor, Neg, Round, Square)),
    *(
        each(op, "tinyc_clamped_f32", struct="tinyc_clamped_f32", numbers=_bounds)
        for op in (Relu, Relu0To1, Relu6, ReluN1To1)
    ),
    each(LeakyRelu, struct="tinyc_leaky_relu_f32", numbers=_slope),
    *(
        each(op, f"tinyc_float_{op.kind.lower()}", "curves_f32.h")
        for op in (Cos, Exp, Log, Logistic, Sin, Sqrt, Tanh)
    ),
    *(each(op, header="curves_f32.h") for op in (Elu, HardSwish, Rsqrt)),
    _gelu("gelu", approximate=False),
    _gelu("gelu_tanh", approximate=True),
)
