"""ADD, SUB, MUL and pools of int8 for vectors of Armv8.1-M (MVE).

The numbers of ADD, SUB and MUL are those of `cortex_m4_elementwise`, proved for every pair of inputs.
"""

from __future__ import annotations

import math
from dataclasses import replace

from tinyc.ir.graph import Graph
from tinyc.ir.ops.average_pool_2d import AveragePool2D
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.max_pool_2d import MaxPool2D
from tinyc.ir.ops.mul import Mul
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import DType
from tinyc.kernels import cortex_m4_elementwise, features, portable_pooling
from tinyc.kernels.helium import REQUIRES, vector_work
from tinyc.kernels.kernel import Kernel, Work

# Of int8 elements whose sum fits in int16.
_MOST_SUMMANDS = 256


def _binary_work(op: Op, graph: Graph) -> Work:
    loops = cortex_m4_elementwise.runs(op, graph)
    assert loops is not None
    count, fours = math.prod(loops.extents), math.ceil(loops.run / 4)
    others = 10 if isinstance(op, Mul) else 8
    return vector_work(60 + count * (45 + fours), 4 * count * fours, count * (others * fours + 4))


def _binary(kernel: Kernel) -> Kernel:
    """The kernel that computes what one for ARMv7E-M does, with the same parameters."""
    name = kernel.symbol.removesuffix("__cortex_m4").removesuffix("_linear")
    header = "tinyc_mve_mul" if "mul" in name else "tinyc_mve_add"
    return replace(
        kernel,
        symbol=f"{name}__helium",
        source=f"helium/{name.removeprefix('tinyc_')}.c",
        headers=(f"include/{header}.h",),
        requires=REQUIRES,
        work=_binary_work,
    )


def _accepts_pool(op: Op, graph: Graph) -> bool:
    (x,), (result,) = graph.operands(op), graph.results(op)
    return not x.is_constant and x.dtype is result.dtype is DType.INT8


def _accepts_average_pool(op: Op, graph: Graph) -> bool:
    assert isinstance(op, AveragePool2D)
    (x,) = graph.operands(op)
    window = min(op.filter_height, x.shape[1]) * min(op.filter_width, x.shape[2])
    return window <= _MOST_SUMMANDS and _accepts_pool(op, graph)


def _sums_bytes(op: Op, graph: Graph) -> int:
    return 2 * graph.results(op)[0].shape[3]


def _pool_work(op: Op, graph: Graph) -> Work:
    assert isinstance(op, Pool2D)
    (x,), (result,) = graph.operands(op), graph.results(op)
    batch, height, width, channels = result.shape
    window = features.pool_window(op, x, result)
    rows, columns = (int(features.positions_inside(window, x.shape, axis).sum()) for axis in (0, 1))
    averages = isinstance(op, AveragePool2D)
    blocks, pixels = math.ceil(channels / (8 if averages else 16)), batch * height * width
    lines, taps = batch * rows * width * blocks, batch * rows * columns * blocks
    scalar = 40 + pixels * (80 if averages else 60) + 4 * pixels * blocks + 4 * lines + 3 * taps
    fours = pixels * math.ceil(channels / 4) if averages else 0
    return vector_work(scalar + fours, taps + 2 * fours, taps + 3 * pixels * blocks + 5 * fours)


_POOL_HEADERS = ("include/tinyc_mve_pool.h",)

KERNELS = (
    *(_binary(kernel) for kernel in cortex_m4_elementwise.KERNELS if "_table" not in kernel.symbol),
    Kernel(
        symbol="tinyc_average_pool_2d_s8__helium",
        op=AveragePool2D,
        source="helium/average_pool_2d_s8.c",
        headers=_POOL_HEADERS,
        requires=REQUIRES,
        accepts=_accepts_average_pool,
        lower=portable_pooling.lower,
        scratch=_sums_bytes,
        work=_pool_work,
    ),
    Kernel(
        symbol="tinyc_max_pool_2d_s8__helium",
        op=MaxPool2D,
        source="helium/max_pool_2d_s8.c",
        headers=_POOL_HEADERS,
        requires=REQUIRES,
        accepts=_accepts_pool,
        lower=portable_pooling.lower,
        work=_pool_work,
    ),
)
