"""Portable kernels of EXP, GELU, LOG, LOGISTIC and TANH with int16 activations, interpolated in tables.

8-bit ones are lookup tables.
"""

from __future__ import annotations

from collections.abc import Callable

from tinyc.ir.graph import Graph
from tinyc.ir.ops import logistic, tanh
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.curved import Curved, Gelu
from tinyc.ir.ops.exp import Exp
from tinyc.ir.ops.log import Log
from tinyc.ir.tensor import DType
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork
from tinyc.quantize.interpolation import logistic_scaling, logistic_table


def _accepts(op: Op, graph: Graph) -> bool:
    """int16 x and y with zero points 0."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    wide = x.dtype is DType.INT16 and result.dtype is DType.INT16
    return wide and not x.is_constant and x.zero_point == result.zero_point == 0


def _accepts_sigmoid(op: Op, graph: Graph) -> bool:
    """TensorFlow Lite fixes the output scale."""
    return _accepts(op, graph) and graph.results(op)[0].scale == 2.0**-15


def _lower_sigmoid(op: Op, graph: Graph) -> Lowered:
    (x,) = graph.operands(op)
    module = tanh if isinstance(op, tanh.Tanh) else logistic
    multiplier, shift = logistic_scaling(x.scale, module.POWER_OF_TWO_SHIFTS)
    return Lowered(
        "tinyc_sigmoid",
        {"count": x.elements, "multiplier": multiplier, "shift": shift, "table": logistic_table()},
    )


def _lower_lookup(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Curved)
    (x,), (result,) = graph.operands(op), graph.results(op)
    return Lowered("tinyc_lookup_s16", {"count": x.elements, "table": op.samples(x, result)})


def _kernel(
    name: str, op: type[Op], accepts: Callable[[Op, Graph], bool], lower: Callable[[Op, Graph], Lowered]
) -> Kernel:
    return Kernel(
        symbol=f"tinyc_{name}_s16__portable",
        op=op,
        source=f"portable/{name}_s16.c",
        headers=("include/interpolate.h",),
        accepts=accepts,
        lower=lower,
        in_place=(0,),
        work=FittedWork(f"tinyc_{name}_s16__portable", features.elements),
    )


KERNELS = (
    _kernel("logistic", logistic.Logistic, _accepts_sigmoid, _lower_sigmoid),
    _kernel("tanh", tanh.Tanh, _accepts_sigmoid, _lower_sigmoid),
    *(_kernel("lookup", op, _accepts, _lower_lookup) for op in (Exp, Gelu, Log)),
)
