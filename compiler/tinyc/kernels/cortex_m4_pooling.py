"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN of int8 for ARMv7E-M, four channels to the word."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops.average_pool_2d import AveragePool2D
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.max_pool_2d import MaxPool2D
from tinyc.ir.ops.mean import Mean
from tinyc.ir.tensor import DType
from tinyc.kernels import portable_elementwise, portable_pooling
from tinyc.kernels.kernel import Kernel

_REQUIRES = frozenset({"dsp"})
# Of int8 elements whose sum fits in int16.
_MOST_SUMMANDS = 256
_ACCUMULATOR_LIMIT = 2**30


def _accepts_max_pool(op: Op, graph: Graph) -> bool:
    (x,), (result,) = graph.operands(op), graph.results(op)
    return not x.is_constant and x.dtype is result.dtype is DType.INT8 and x.shape[3] >= 4


def _accepts_average_pool(op: Op, graph: Graph) -> bool:
    assert isinstance(op, AveragePool2D)
    (x,) = graph.operands(op)
    window = min(op.filter_height, x.shape[1]) * min(op.filter_width, x.shape[2])
    return window <= _MOST_SUMMANDS and _accepts_max_pool(op, graph)


def _accepts_mean(op: Op, graph: Graph) -> bool:
    """At least four inner elements, and sums for which one SMMULR requantizes exactly."""
    if not portable_elementwise.mean_int8(op, graph):
        return False
    fields = portable_elementwise.lower_mean(op, graph).fields
    inner, reduced, inner_reduced, shift = (
        fields[name] for name in ("inner", "reduced", "inner_reduced", "shift")
    )
    assert isinstance(inner, int) and isinstance(shift, int)
    assert isinstance(reduced, int) and isinstance(inner_reduced, int)
    return inner >= 4 and -31 <= shift <= -1 and 255 * reduced * inner_reduced < _ACCUMULATOR_LIMIT


KERNELS = (
    *(
        Kernel(
            symbol=f"tinyc_{name}_s8__cortex_m4",
            op=op,
            source=f"cortex_m4/{name}_s8.c",
            headers=("include/tinyc_pool.h",),
            requires=_REQUIRES,
            accepts=accepts,
            lower=portable_pooling.lower,
        )
        for name, op, accepts in (
            ("average_pool_2d", AveragePool2D, _accepts_average_pool),
            ("max_pool_2d", MaxPool2D, _accepts_max_pool),
        )
    ),
    Kernel(
        symbol="tinyc_mean_s8__cortex_m4",
        op=Mean,
        source="cortex_m4/mean_s8.c",
        headers=("include/tinyc_pool.h", "include/mean.h"),
        requires=_REQUIRES,
        accepts=_accepts_mean,
        lower=portable_elementwise.lower_mean,
    ),
)
