"""Portable kernels of LOGISTIC and TANH with int16 activations; 8-bit ones are lookup tables."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops import logistic, tanh
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import DType
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork
from tinyc.quantize.interpolation import logistic_scaling, logistic_table


def _accepts(op: Op, graph: Graph) -> bool:
    """TensorFlow Lite fixes zero points and output scale."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    return (
        not x.is_constant
        and x.dtype is DType.INT16
        and result.dtype is DType.INT16
        and x.zero_point == result.zero_point == 0
        and result.scale == 2.0**-15
    )


def _lower(op: Op, graph: Graph) -> Lowered:
    (x,) = graph.operands(op)
    module = tanh if isinstance(op, tanh.Tanh) else logistic
    multiplier, shift = logistic_scaling(x.scale, module.POWER_OF_TWO_SHIFTS)
    return Lowered(
        "tinyc_sigmoid",
        {"count": x.elements, "multiplier": multiplier, "shift": shift, "table": logistic_table()},
    )


KERNELS = tuple(
    Kernel(
        symbol=f"tinyc_{name}_s16__portable",
        op=op,
        source=f"portable/{name}_s16.c",
        headers=("include/interpolate.h",),
        accepts=_accepts,
        lower=_lower,
        in_place=(0,),
        work=FittedWork(f"tinyc_{name}_s16__portable", features.elements),
    )
    for name, op in (("logistic", logistic.Logistic), ("tanh", tanh.Tanh))
)
