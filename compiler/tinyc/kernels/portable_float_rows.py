"""Portable kernels in float32 of SOFTMAX, LOG_SOFTMAX and L2_NORMALIZATION: rows of the last axis."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.l2_normalization import L2Normalization
from tinyc.ir.ops.log_softmax import LogSoftmax
from tinyc.ir.ops.softmax import Softmax
from tinyc.kernels import loop_features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.portable_float_each import all_float
from tinyc.kernels.work import FittedWork


def _lower(op: Op, graph: Graph) -> Lowered:
    (x,) = graph.operands(op)
    depth = x.shape[-1]
    beta = op.beta if isinstance(op, Softmax) else 1.0
    return Lowered("tinyc_rows_f32", {"rows": x.elements // depth, "depth": depth, "beta": beta})


KERNELS = tuple(
    Kernel(
        symbol=f"tinyc_{op.kind.lower()}_f32__portable",
        op=op,
        source=f"portable/{op.kind.lower()}_f32.c",
        headers=("include/rows_f32.h",),
        accepts=all_float,
        lower=_lower,
        in_place=(0,),
        work=FittedWork(f"tinyc_{op.kind.lower()}_f32__portable", loop_features.rows),
    )
    for op in (Softmax, LogSoftmax, L2Normalization)
)
