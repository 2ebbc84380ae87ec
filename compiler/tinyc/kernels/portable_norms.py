"""Portable kernels of LOG_SOFTMAX and L2_NORMALIZATION: rows of the last axis."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.l2_normalization import L2Normalization
from tinyc.ir.ops.log_softmax import LogSoftmax, log_softmax_scaling
from tinyc.ir.tensor import DType
from tinyc.kernels import features, loop_features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.work import FittedWork


def _accepts(op: Op, graph: Graph) -> bool:
    """int8, with the output quantization that TensorFlow Lite fixes."""
    (x,), (y,) = graph.operands(op), graph.results(op)
    fixed = (1 / 16, 127) if isinstance(op, LogSoftmax) else (1 / 128, 0)
    return (
        not x.is_constant
        and x.dtype is DType.INT8
        and y.dtype is DType.INT8
        and (y.scale, y.zero_point) == fixed
    )


def _rows(op: Op, graph: Graph) -> dict[str, FieldValue]:
    (x,) = graph.operands(op)
    return {"rows": x.elements // x.shape[-1], "depth": x.shape[-1]}


def _lower_log_softmax(op: Op, graph: Graph) -> Lowered:
    scaling = log_softmax_scaling(graph.operands(op)[0].scale)
    return Lowered(
        "tinyc_log_softmax",
        {
            **_rows(op, graph),
            "entries": scaling.entries,
            "multiplier": scaling.multiplier,
            "shift": scaling.shift,
            "exponential_entries": len(scaling.exponentials),
            "exponentials": scaling.exponentials,
        },
    )


def _reached(op: Op, graph: Graph) -> features.Features:
    """What an element takes depends on whether it is near enough to the largest of its row."""
    entries = log_softmax_scaling(graph.operands(op)[0].scale).entries
    return features.softmax(op, graph, min(1.0, entries / 256))


def _lower_l2_normalization(op: Op, graph: Graph) -> Lowered:
    offset = -graph.operands(op)[0].zero_point
    return Lowered("tinyc_l2_normalization", {**_rows(op, graph), "input_offset": offset})


KERNELS = (
    Kernel(
        symbol="tinyc_log_softmax_s8__portable",
        op=LogSoftmax,
        source="portable/log_softmax_s8.c",
        headers=("include/softmax.h", "include/tinyc_fixed_point_functions.h", "include/log_softmax.h"),
        accepts=_accepts,
        lower=_lower_log_softmax,
        in_place=(0,),
        work=FittedWork("tinyc_log_softmax_s8__portable", _reached),
    ),
    Kernel(
        symbol="tinyc_l2_normalization_s8__portable",
        op=L2Normalization,
        source="portable/l2_normalization_s8.c",
        headers=(
            "include/softmax.h",
            "include/tinyc_fixed_point_functions.h",
            "include/l2_normalization.h",
        ),
        accepts=_accepts,
        lower=_lower_l2_normalization,
        in_place=(0,),
        work=FittedWork("tinyc_l2_normalization_s8__portable", loop_features.rows),
    ),
)
