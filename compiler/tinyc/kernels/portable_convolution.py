"""Portable kernels of CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range, channel_multipliers
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.kernels import features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.work import FittedWork


def accepts(op: Op, graph: Graph) -> bool:
    """int8 x and y, constant symmetric int8 filters, constant int32 bias or none."""
    x, filters, *rest = graph.operands(op)
    return (
        x.dtype is DType.INT8
        and not x.is_constant
        and graph.results(op)[0].dtype is DType.INT8
        and is_symmetric_int8(filters)
        and can_requantize(x, filters, graph.results(op)[0])
        and all(bias.is_constant and bias.dtype is DType.INT32 for bias in rest)
    )


def is_symmetric_int8(weights: Tensor) -> bool:
    """Constant int8 weights whose zero points are all 0."""
    return (
        weights.dtype is DType.INT8
        and weights.is_constant
        and weights.quantization is not None
        and not any(weights.quantization.zero_point)
    )


def can_requantize(x: Tensor, weights: Tensor, result: Tensor) -> bool:
    """Whether the scales give real multipliers that fixed point can hold."""
    try:
        channel_multipliers(x, weights, result)
    except (ValueError, ZeroDivisionError):
        return False
    return True


def groups(op: Op, graph: Graph) -> int:
    """Groups of input channels with filters of their own; 1 for a dense convolution."""
    x, filters = graph.operands(op)[:2]
    return x.shape[3] if isinstance(op, DepthwiseConv2D) else x.shape[3] // filters.shape[3]


def first_inputs(op: Conv2D | DepthwiseConv2D, graph: Graph, *, by_rows: bool = False) -> Array:
    """For each output pixel the first byte of the input that it or a later one reads.

    `by_rows`: where whole rows of the input are read.
    """
    operands = graph.operands(op)
    x, (result,), window = operands[0], graph.results(op), op.window(operands)
    _, height, width, depth = x.shape
    area = result.shape[1] * result.shape[2]
    pixel = np.arange(result.elements // result.shape[3])
    y = np.clip(pixel % area // result.shape[2] * window.stride[0] - window.pads[0], 0, height)
    left = np.clip(pixel % result.shape[2] * window.stride[1] - window.pads[2], 0, width)
    first = ((pixel // area * height + y) * width + (0 if by_rows else left)) * depth
    later: Array = np.minimum.accumulate(first[::-1])[::-1]
    return later


def is_pointwise(op: Op, graph: Graph) -> bool:
    """A CONV_2D whose windows are the pixels of the input, each once."""
    assert isinstance(op, Conv2D)
    window = op.window(graph.operands(op))
    return window.kernel == (1, 1) and window.stride == (1, 1) and not any(window.pads)


def geometry(op: Conv2D | DepthwiseConv2D, graph: Graph) -> dict[str, FieldValue]:
    """The fields of `struct tinyc_conv_2d` before `input_offset`."""
    operands = graph.operands(op)
    x, filters = operands[0], operands[1]
    (result,) = graph.results(op)
    window = op.window(operands)
    return {
        "batches": x.shape[0],
        "input_height": x.shape[1],
        "input_width": x.shape[2],
        "input_channels": x.shape[3],
        "output_height": result.shape[1],
        "output_width": result.shape[2],
        "output_channels": result.shape[3],
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "depth": filters.shape[3] if isinstance(op, Conv2D) else filters.shape[3] // x.shape[3],
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "dilation_height": window.dilation[0],
        "dilation_width": window.dilation[1],
        "pad_top": window.pads[0],
        "pad_left": window.pads[2],
    }


def lower(op: Op, graph: Graph) -> Lowered:
    """C parameters of an int8 layer with symmetric filters, per tensor or per channel."""
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    x, filters, *rest = graph.operands(op)
    (result,) = graph.results(op)
    bias = rest[0].constant.reshape(-1) if rest else np.zeros(result.shape[3], np.int32)
    multiplier, shift = channel_multipliers(x, filters, result)
    low, high = activation_range(op.activation, result)
    return Lowered(
        "tinyc_conv_2d",
        {
            **geometry(op, graph),
            "input_offset": -x.zero_point,
            "output_offset": result.zero_point,
            "low": low,
            "high": high,
            "per_channel": int(len(multiplier) > 1),
            "weights": filters.constant,
            "bias": bias,
            "multiplier": multiplier,
            "shift": shift.astype(np.int8),
        },
    )


KERNELS = (
    Kernel(
        symbol="tinyc_conv_2d_s8__portable",
        op=Conv2D,
        source="portable/conv_2d.c.j2",
        view={"nibbles": False},
        headers=("include/conv_2d.h",),
        accepts=accepts,
        lower=lower,
        work=FittedWork("tinyc_conv_2d_s8__portable", features.portable_convolution),
    ),
    Kernel(
        symbol="tinyc_depthwise_conv_2d_s8__portable",
        op=DepthwiseConv2D,
        source="portable/depthwise_conv_2d.c.j2",
        view={"nibbles": False},
        headers=("include/conv_2d.h",),
        accepts=accepts,
        lower=lower,
        work=FittedWork("tinyc_depthwise_conv_2d_s8__portable", features.portable_convolution),
    ),
)
