"""Portable kernels in float32 of layers with weights, pools and matrix products."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.average_pool_2d import AveragePool2D
from tinyc.ir.ops.base import Activation, Op
from tinyc.ir.ops.batch_matmul import BatchMatMul
from tinyc.ir.ops.common import LARGEST_FLOAT, real_range
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.ops.l2_pool_2d import L2Pool2D
from tinyc.ir.ops.max_pool_2d import MaxPool2D
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.ops.transpose_conv import TransposeConv
from tinyc.ir.tensor import DType
from tinyc.kernels import (
    features,
    loop_features,
    portable_batch_matmul,
    portable_convolution,
    portable_pooling,
    portable_transpose_conv,
)
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.portable_float_each import all_float
from tinyc.kernels.portable_pairwise import operand_views, stored
from tinyc.kernels.work import FittedWork

_ROLES = ("first", "second")


def _accepts(op: Op, graph: Graph) -> bool:
    """float32, constant weights and bias."""
    return all_float(op, graph) and len(graph.activations(op)) == 1


def _weights(op: Op, graph: Graph, channels: int) -> dict[str, FieldValue]:
    weights, *biases = graph.operands(op)[1:]
    bias = biases[0].constant.reshape(-1) if biases else np.zeros(channels, np.float32)
    return {"weights": weights.constant, "bias": bias}


def _clamp(activation: Activation) -> dict[str, FieldValue]:
    low, high = real_range(activation)
    return {"low": low, "high": high}


def _lower_fully_connected(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, FullyConnected)
    x, weights = graph.operands(op)[:2]
    units, depth = weights.shape
    return Lowered(
        "tinyc_fully_connected_f32",
        {
            "rows": x.elements // depth,
            "depth": depth,
            "units": units,
            **_clamp(op.activation),
            **_weights(op, graph, units),
        },
    )


def _lower_convolution(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    _, height, width, depth = graph.operands(op)[1].shape
    channels = graph.results(op)[0].shape[3]
    places: dict[str, FieldValue]
    if isinstance(op, Conv2D):
        places = {"filter_stride": height * width * depth, "tap_stride": depth}
    else:
        # A filter for each channel, and the filters lie one beside the other.
        depth = 1
        places = {"filter_stride": 1, "tap_stride": channels}
    return Lowered(
        "tinyc_conv_2d_f32",
        {
            **portable_convolution.geometry(op, graph),
            "depth": depth,
            "filters": channels // portable_convolution.groups(op, graph),
            **places,
            **_clamp(op.activation),
            **_weights(op, graph, channels),
        },
    )


def _lower_transposed(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, TransposeConv)
    channels, height, width, depth = graph.operands(op)[1].shape
    return Lowered(
        "tinyc_conv_2d_f32",
        {
            **portable_transpose_conv.geometry(op, graph),
            "filters": channels,
            "filter_stride": height * width * depth,
            "tap_stride": depth,
            **_clamp(op.activation),
            **_weights(op, graph, channels),
        },
    )


def _lower_pool(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Pool2D)
    window = (*portable_pooling.geometry(op, graph).values(), 0, 0)
    return Lowered("tinyc_pool_2d_f32", {"window": window, **_clamp(op.activation)})


def _pool(op: type[Pool2D], kind: str, start: float, header: str = "pool_2d_f32.h") -> Kernel:
    return Kernel(
        symbol=f"tinyc_{kind}_2d_f32__portable",
        op=op,
        source="portable/pool_2d_f32.c.j2",
        headers=(f"include/{header}",),
        accepts=all_float,
        lower=_lower_pool,
        view={"kind": kind, "start": start},
        work=FittedWork(f"tinyc_{kind}_2d_f32__portable", features.plain_pooling),
    )


def _accepts_matrices(op: Op, graph: Graph) -> bool:
    operands = (*graph.operands(op), *graph.results(op))
    return all(x.dtype is DType.FLOAT32 for x in operands) and portable_batch_matmul.can_walk(op, graph)


def _lower_matrices(op: Op, graph: Graph) -> Lowered:
    shape = portable_batch_matmul.shape(op, graph)
    constants = {role: stored(x) for role, x in zip(_ROLES, graph.operands(op), strict=True)}
    # The output is written in its order.
    fields = {name: value for name, value in shape.items() if not name.startswith("output_")}
    return Lowered("tinyc_batch_matmul_f32", {**fields, **constants})


def _matrix_views(op: Op, graph: Graph) -> Mapping[str, object]:
    return operand_views(op, graph, _ROLES)


KERNELS = (
    Kernel(
        symbol="tinyc_fully_connected_f32__portable",
        op=FullyConnected,
        source="portable/fully_connected_f32.c",
        headers=("include/fully_connected_f32.h",),
        accepts=_accepts,
        lower=_lower_fully_connected,
        work=FittedWork("tinyc_fully_connected_f32__portable", features.fully_connected),
    ),
    *(
        Kernel(
            symbol="tinyc_conv_2d_f32__portable",
            op=op,
            source="portable/conv_2d_f32.c",
            headers=("include/conv_2d_f32.h",),
            accepts=_accepts,
            lower=_lower_convolution,
            work=FittedWork("tinyc_conv_2d_f32__portable", loop_features.float_convolution),
        )
        for op in (Conv2D, DepthwiseConv2D)
    ),
    Kernel(
        symbol="tinyc_transpose_conv_f32__portable",
        op=TransposeConv,
        source="portable/transpose_conv_f32.c",
        headers=("include/conv_2d_f32.h",),
        accepts=_accepts,
        lower=_lower_transposed,
        work=FittedWork("tinyc_transpose_conv_f32__portable", loop_features.float_transpose_conv),
    ),
    _pool(AveragePool2D, "average_pool", 0.0),
    _pool(L2Pool2D, "l2_pool", 0.0, "l2_pool_2d_f32.h"),
    _pool(MaxPool2D, "max_pool", -LARGEST_FLOAT),
    Kernel(
        symbol="tinyc_batch_matmul_f32__portable",
        op=BatchMatMul,
        source="portable/batch_matmul_f32.c.j2",
        headers=("include/batch_matmul_f32.h",),
        accepts=_accepts_matrices,
        lower=_lower_matrices,
        specialize=_matrix_views,
        work=FittedWork("tinyc_batch_matmul_f32__portable", portable_batch_matmul.loop_counts),
    ),
)
