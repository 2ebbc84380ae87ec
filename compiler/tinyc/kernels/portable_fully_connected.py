"""Portable kernels of FULLY_CONNECTED."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range, channel_multipliers
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import DType
from tinyc.kernels import features
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.portable_convolution import can_requantize, is_symmetric_int8
from tinyc.kernels.work import FittedWork


def accepts(op: Op, graph: Graph) -> bool:
    """int8 x and y, constant symmetric int8 weights, constant int32 bias or none."""
    x, weights, *rest = graph.operands(op)
    return (
        x.dtype is DType.INT8
        and not x.is_constant
        and graph.results(op)[0].dtype is DType.INT8
        and is_symmetric_int8(weights)
        and can_requantize(x, weights, graph.results(op)[0])
        and all(bias.is_constant and bias.dtype is DType.INT32 for bias in rest)
    )


def lower(op: Op, graph: Graph) -> Lowered:
    """C parameters for int8 x with symmetric int8 weights, per tensor or per channel."""
    assert isinstance(op, FullyConnected)
    x, weights, *rest = graph.operands(op)
    (result,) = graph.results(op)
    units, depth = weights.shape
    bias = rest[0].constant.reshape(-1) if rest else np.zeros(units, np.int32)
    multiplier, shift = channel_multipliers(x, weights, result, fused_product=True)
    low, high = activation_range(op.activation, result)
    return Lowered(
        "tinyc_fully_connected",
        {
            "rows": x.elements // depth,
            "depth": depth,
            "units": units,
            "input_offset": -x.zero_point,
            "output_offset": result.zero_point,
            "low": low,
            "high": high,
            "per_channel": int(len(multiplier) > 1),
            "weights": weights.constant,
            "bias": bias.astype(np.int32),
            "multiplier": multiplier,
            "shift": shift.astype(np.int8),
        },
    )


KERNELS = (
    Kernel(
        symbol="tinyc_fully_connected_s8__portable",
        op=FullyConnected,
        source="portable/fully_connected.c.j2",
        view={"nibbles": False},
        headers=("include/fully_connected.h",),
        accepts=accepts,
        lower=lower,
        work=FittedWork("tinyc_fully_connected_s8__portable", features.fully_connected),
    ),
)
