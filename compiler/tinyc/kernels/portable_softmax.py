"""Portable kernels of SOFTMAX: exponentials from a table made at compile time."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.softmax import Softmax, exponential_table, int16_multiplier, int16_tables
from tinyc.ir.tensor import DType
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.work import FittedWork
from tinyc.quantize.fixed_point import Rounding


def _accepts(op: Op, graph: Graph, dtype: DType, scale: float, zero_point: int) -> bool:
    """TensorFlow Lite fixes the output quantization; the scale may be off by a thousandth."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    return (
        not x.is_constant
        and x.dtype is dtype
        and result.dtype is dtype
        and abs(result.scale - scale) <= scale / 1000
        and result.zero_point == zero_point
    )


def int8(op: Op, graph: Graph) -> bool:
    """int8 in and out, with the output quantization that TensorFlow Lite fixes."""
    return _accepts(op, graph, DType.INT8, 1 / 256, -128)


def _int16(op: Op, graph: Graph) -> bool:
    return _accepts(op, graph, DType.INT16, 1 / 32768, 0)


def lower(op: Op, graph: Graph) -> Lowered:
    """C parameters for int8; the table has one entry per step below the largest input, at most 256."""
    assert isinstance(op, Softmax)
    (x,) = graph.operands(op)
    table = exponential_table(x.scale, op.beta)
    depth = x.shape[-1]
    return Lowered(
        "tinyc_softmax",
        {
            "rows": x.elements // depth,
            "depth": depth,
            "entries": len(table),
            "exponentials": table,
        },
    )


def int8_features(op: Op, graph: Graph) -> features.Features:
    assert isinstance(op, Softmax)
    (x,) = graph.operands(op)
    return features.softmax(op, graph, min(1.0, len(exponential_table(x.scale, op.beta)) / 256))


def _two(op: Op, graph: Graph) -> bool:
    return int8(op, graph) and graph.operands(op)[0].shape[-1] == 2


def _lower_two(op: Op, graph: Graph) -> Lowered:
    """What the reference gives for every difference of two int8 numbers, without the constant ends."""
    (x,) = graph.operands(op)
    above = np.arange(-255, 256)
    first = np.clip(above, -128, 127)
    rows = np.stack([first, first - above], axis=1).astype(np.int8)
    pairs = tuple(tensor.with_(shape=rows.shape) for tensor in (x, *graph.results(op)))
    (outputs,) = op.reference([rows], pairs[:1], pairs[1:], Rounding.DOUBLE)
    steps = np.flatnonzero(np.diff(outputs[:, 0]))
    low, high = (int(steps[0]), int(steps[-1]) + 1) if len(steps) else (0, 0)
    return Lowered(
        "tinyc_softmax_two",
        {
            "rows": x.elements // 2,
            "low": int(above[low]),
            "high": int(above[high]),
            "outputs": np.ascontiguousarray(outputs[low : high + 1, 0]),
        },
    )


def _rows_of_two(op: Op, graph: Graph) -> features.Features:
    return {"calls": 1, "rows": graph.operands(op)[0].elements // 2}


def _lower_int16(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Softmax)
    (x,) = graph.operands(op)
    depth = x.shape[-1]
    multiplier, shift = int16_multiplier(x.scale, op.beta)
    exponentials, reciprocals = int16_tables()
    return Lowered(
        "tinyc_softmax_s16",
        {
            "rows": x.elements // depth,
            "depth": depth,
            "multiplier": multiplier,
            "shift": shift,
            "exponentials": exponentials,
            "reciprocals": reciprocals,
        },
    )


KERNELS = (
    Kernel(
        symbol="tinyc_softmax_s8__portable",
        op=Softmax,
        source="portable/softmax_s8.c",
        headers=("include/softmax.h",),
        accepts=int8,
        lower=lower,
        in_place=(0,),
        work=FittedWork("tinyc_softmax_s8__portable", int8_features),
    ),
    Kernel(
        symbol="tinyc_softmax_s8_two__portable",
        op=Softmax,
        source="portable/softmax_s8_two.c",
        headers=("include/softmax.h",),
        accepts=_two,
        lower=_lower_two,
        in_place=(0,),
        work=FittedWork("tinyc_softmax_s8_two__portable", _rows_of_two),
    ),
    Kernel(
        symbol="tinyc_softmax_s16__portable",
        op=Softmax,
        source="portable/softmax_s16.c",
        headers=("include/softmax.h", "include/interpolate.h"),
        accepts=_int16,
        lower=_lower_int16,
        in_place=(0,),
        work=FittedWork("tinyc_softmax_s16__portable", features.softmax),
    ),
)
