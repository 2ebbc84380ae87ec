"""Portable kernels of functions of one int16 activation; 8-bit ones are lookup tables.

LEAKY_RELU, RELU, RELU6 and ABS are two slopes that meet at zero.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.abs import Abs
from tinyc.ir.ops.base import Activation, Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.leaky_relu import LeakyRelu
from tinyc.ir.ops.neg import Neg
from tinyc.ir.ops.relu import Relu
from tinyc.ir.ops.relu6 import Relu6
from tinyc.ir.ops.rsqrt import Rsqrt, root_multiplier
from tinyc.ir.tensor import DType, Tensor
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork
from tinyc.quantize.fixed_point import quantize_multiplier

_Slope: TypeAlias = tuple[int, int]


def _slopes(op: Op, x: Tensor, result: Tensor) -> tuple[_Slope, _Slope]:
    """(multiplier, shift) from zero on, and below. Raises ValueError where they are too large."""
    if isinstance(op, LeakyRelu):
        return op.slopes(x, result)
    # TensorFlow Lite forms the ratio in float32.
    multiplier, shift = quantize_multiplier(float(np.float32(x.scale) / np.float32(result.scale)))
    return (multiplier, shift), (-multiplier, shift) if isinstance(op, Abs) else (0, 0)


def _accepts(op: Op, graph: Graph) -> bool:
    """int16 x and y with zero points 0."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    wide = x.dtype is DType.INT16 and result.dtype is DType.INT16
    return wide and not x.is_constant and x.zero_point == result.zero_point == 0


def _accepts_slopes(op: Op, graph: Graph) -> bool:
    """Of scales whose ratio fixed point can hold."""
    if not _accepts(op, graph):
        return False
    try:
        _slopes(op, graph.operands(op)[0], graph.results(op)[0])
    except ValueError:
        return False
    return True


def _lower_slopes(op: Op, graph: Graph) -> Lowered:
    (x,), (result,) = graph.operands(op), graph.results(op)
    positive, negative = _slopes(op, x, result)
    _, high = activation_range(Activation.RELU6 if isinstance(op, Relu6) else Activation.NONE, result)
    return Lowered(
        "tinyc_slopes",
        {
            "count": x.elements,
            "high": high,
            "positive_multiplier": positive[0],
            "positive_shift": positive[1],
            "negative_multiplier": negative[0],
            "negative_shift": negative[1],
        },
    )


def _lower_neg(op: Op, graph: Graph) -> Lowered:
    return Lowered("tinyc_neg", {"count": graph.operands(op)[0].elements})


def _lower_rsqrt(op: Op, graph: Graph) -> Lowered:
    (x,), (result,) = graph.operands(op), graph.results(op)
    multiplier, shift = root_multiplier(x, result)
    return Lowered("tinyc_rsqrt", {"count": x.elements, "multiplier": multiplier, "shift": shift})


KERNELS = (
    *(
        Kernel(
            symbol="tinyc_slopes_s16__portable",
            op=op,
            source="portable/slopes_s16.c",
            headers=("include/slopes.h",),
            accepts=_accepts_slopes,
            lower=_lower_slopes,
            in_place=(0,),
            work=FittedWork("tinyc_slopes_s16__portable", features.elements),
        )
        for op in (Abs, LeakyRelu, Relu, Relu6)
    ),
    Kernel(
        symbol="tinyc_neg_s16__portable",
        op=Neg,
        source="portable/neg_s16.c",
        headers=("include/neg.h",),
        accepts=_accepts,
        lower=_lower_neg,
        in_place=(0,),
        work=FittedWork("tinyc_neg_s16__portable", features.elements),
    ),
    # What a root takes depends on its value.
    Kernel(
        symbol="tinyc_rsqrt_s16__portable",
        op=Rsqrt,
        source="portable/rsqrt_s16.c",
        headers=("include/reciprocal.h", "include/tinyc_fixed_point_functions.h", "include/rsqrt.h"),
        accepts=_accepts,
        lower=_lower_rsqrt,
        in_place=(0,),
    ),
)
