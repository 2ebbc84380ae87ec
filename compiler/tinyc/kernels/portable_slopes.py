"""Portable kernel of LEAKY_RELU with int16 activations; 8-bit ones are lookup tables."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.leaky_relu import LeakyRelu
from tinyc.ir.tensor import DType
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork


def _accepts(op: Op, graph: Graph) -> bool:
    """int16 x and y, zero points 0, and scales whose ratio fixed point can hold."""
    assert isinstance(op, LeakyRelu)
    (x,), (result,) = graph.operands(op), graph.results(op)
    if x.is_constant or x.dtype is not DType.INT16 or result.dtype is not DType.INT16:
        return False
    try:
        op.slopes(x, result)
    except ValueError:
        return False
    return x.zero_point == result.zero_point == 0


def _lower(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, LeakyRelu)
    (x,), (result,) = graph.operands(op), graph.results(op)
    positive, negative = op.slopes(x, result)
    return Lowered(
        "tinyc_slopes",
        {
            "count": x.elements,
            "positive_multiplier": positive[0],
            "positive_shift": positive[1],
            "negative_multiplier": negative[0],
            "negative_shift": negative[1],
        },
    )


KERNELS = (
    Kernel(
        symbol="tinyc_leaky_relu_s16__portable",
        op=LeakyRelu,
        source="portable/leaky_relu_s16.c",
        headers=("include/slopes.h",),
        accepts=_accepts,
        lower=_lower,
        in_place=(0,),
        work=FittedWork("tinyc_leaky_relu_s16__portable", features.elements),
    ),
)
