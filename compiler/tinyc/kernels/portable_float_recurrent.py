"""Portable kernels in float32 of the layers with state: SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM."""

from __future__ import annotations

import math

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import REAL_RANGES
from tinyc.ir.ops.svdf import Svdf
from tinyc.ir.ops.unidirectional_sequence_lstm import UnidirectionalSequenceLstm
from tinyc.ir.tensor import DType
from tinyc.kernels import loop_features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.portable_recurrent import accepts_lstm, accepts_svdf, lstm_extents, stacked, svdf_extents
from tinyc.kernels.work import FittedWork


def _lower_svdf(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Svdf)
    _, features, times, bias, _ = graph.operands(op)
    low, high = REAL_RANGES[op.activation]
    return Lowered(
        "tinyc_svdf_f32",
        {
            **svdf_extents(op, graph),
            "low": low,
            "high": high,
            "features": features.constant,
            "times": times.constant,
            "bias": bias.constant.reshape(-1),
        },
    )


def _lower_lstm(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, UnidirectionalSequenceLstm)
    operands = graph.operands(op)
    return Lowered(
        "tinyc_lstm_f32",
        {
            **lstm_extents(op, graph),
            "clip": op.cell_clip if op.cell_clip > 0 else math.inf,
            "weights": stacked(operands[1:5]),
            "recurrent": stacked(operands[5:9]),
            "bias": stacked(operands[9:13]),
        },
    )


KERNELS = (
    Kernel(
        symbol="tinyc_svdf_f32__portable",
        op=Svdf,
        source="portable/svdf_f32.c",
        headers=("include/recurrent_f32.h",),
        accepts=accepts_svdf(DType.FLOAT32),
        lower=_lower_svdf,
        work=FittedWork("tinyc_svdf_f32__portable", loop_features.svdf),
    ),
    Kernel(
        symbol="tinyc_unidirectional_sequence_lstm_f32__portable",
        op=UnidirectionalSequenceLstm,
        source="portable/unidirectional_sequence_lstm_f32.c",
        headers=("include/recurrent_f32.h",),
        accepts=accepts_lstm(DType.FLOAT32),
        lower=_lower_lstm,
        work=FittedWork("tinyc_unidirectional_sequence_lstm_f32__portable", loop_features.lstm),
    ),
)
