"""Portable kernels of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED with int16 activations, int8 weights.

`accepts`, `sums` and `SUM_VIEWS` are also for other layers with such weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range, channel_multipliers
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.ops.transpose_conv import TransposeConv
from tinyc.ir.ops.wide_sums import check_wide_sums, has_wide_sums
from tinyc.ir.tensor import DType
from tinyc.kernels import features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.layer_constants import layer_bias
from tinyc.kernels.portable_convolution import geometry, is_symmetric_int8
from tinyc.kernels.work import FittedWork
from tinyc.quantize.fixed_point import reduced_multiplier

# How a template that is for both adds up products of activations with int8 weights.
SUM_VIEWS: Mapping[DType, Mapping[str, object]] = {
    DType.INT8: {"type": "int8_t", "sum": "uint32_t", "signed": "int32_t", "scale": "tinyc_requantize"},
    DType.INT16: {"type": "int16_t", "sum": "int64_t", "signed": "int64_t", "scale": "tinyc_scale_wide_sum"},
}


def accepts(op: Op, graph: Graph) -> bool:
    """int16 x and y, constant symmetric int8 weights, constant int64 or int32 bias or none."""
    operands, (result,) = graph.operands(op), graph.results(op)
    x, weights, *rest = operands
    if x.dtype is not DType.INT16 or x.is_constant or result.dtype is not DType.INT16:
        return False
    known = (DType.INT64,) if isinstance(op, DepthwiseConv2D | TransposeConv) else (DType.INT64, DType.INT32)
    if not all(bias.is_constant and bias.dtype in known for bias in rest) or not is_symmetric_int8(weights):
        return False
    try:
        _, shift = channel_multipliers(x, weights, result)
        check_wide_sums(operands, shift)
    except (ValueError, ZeroDivisionError):
        return False
    return True


def sums(
    op: Conv2D | DepthwiseConv2D | FullyConnected | TransposeConv, graph: Graph
) -> dict[str, FieldValue]:
    """TINYC_SUM_FIELDS of `include/sums_s16.h`."""
    operands, (result,) = graph.operands(op), graph.results(op)
    x, weights = operands[:2]
    fused = isinstance(op, FullyConnected)
    multiplier, shift = channel_multipliers(x, weights, result, fused_product=fused)
    low, high = activation_range(op.activation, result)
    wide = has_wide_sums(operands)
    return {
        "low": low,
        "high": high,
        "narrow": int(not wide),
        "per_channel": int(len(multiplier) > 1),
        "weights": weights.constant,
        "bias": layer_bias(op, graph, result.shape[-1]),
        "multiplier": reduced_multiplier(multiplier).astype(np.int32) if wide else multiplier,
        "shift": (15 - shift if wide else shift).astype(np.int8),
    }


def lower_convolution(op: Op, graph: Graph) -> Lowered:
    """C parameters of either convolution."""
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    return Lowered("tinyc_conv_2d_s16", {**geometry(op, graph), **sums(op, graph)})


def lower_fully_connected(op: Op, graph: Graph) -> Lowered:
    """C parameters of a fully connected layer."""
    assert isinstance(op, FullyConnected)
    units, depth = graph.operands(op)[1].shape
    rows = graph.operands(op)[0].elements // depth
    shape: dict[str, FieldValue] = {"rows": rows, "depth": depth, "units": units}
    return Lowered("tinyc_fully_connected_s16", {**shape, **sums(op, graph)})


KERNELS = tuple(
    Kernel(
        symbol=f"tinyc_{name}_s16__portable",
        op=op,
        source=f"portable/{name}_s16.c",
        headers=("include/sums_s16.h",),
        accepts=accepts,
        lower=lower,
        work=FittedWork(f"tinyc_{name}_s16__portable", counts),
    )
    for name, op, lower, counts in (
        ("conv_2d", Conv2D, lower_convolution, features.portable_convolution),
        ("depthwise_conv_2d", DepthwiseConv2D, lower_convolution, features.portable_convolution),
        ("fully_connected", FullyConnected, lower_fully_connected, features.fully_connected),
    )
)
