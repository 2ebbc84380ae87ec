"""The portable kernel of TRANSPOSE_CONV."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range, channel_multipliers
from tinyc.ir.ops.transpose_conv import TransposeConv
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.portable_convolution import accepts


def _lower(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, TransposeConv)
    x, filters, *rest = graph.operands(op)
    (result,) = graph.results(op)
    multiplier, shift = channel_multipliers(x, filters, result)
    low, high = activation_range(op.activation, result)
    top, left = op.pads(filters)
    return Lowered(
        "tinyc_conv_2d",
        {
            "batches": x.shape[0],
            "input_height": x.shape[1],
            "input_width": x.shape[2],
            "input_channels": x.shape[3],
            "output_height": result.shape[1],
            "output_width": result.shape[2],
            "output_channels": result.shape[3],
            "kernel_height": filters.shape[1],
            "kernel_width": filters.shape[2],
            "depth": filters.shape[3],
            "stride_height": op.stride[0],
            "stride_width": op.stride[1],
            "dilation_height": 1,
            "dilation_width": 1,
            "pad_top": top,
            "pad_left": left,
            "input_offset": -x.zero_point,
            "output_offset": result.zero_point,
            "low": low,
            "high": high,
            "per_channel": int(len(multiplier) > 1),
            "weights": filters.constant,
            "bias": rest[0].constant.reshape(-1) if rest else np.zeros(result.shape[3], np.int32),
            "multiplier": multiplier,
            "shift": shift.astype(np.int8),
        },
    )


KERNELS = (
    Kernel(
        symbol="tinyc_transpose_conv_s8__portable",
        op=TransposeConv,
        source="portable/transpose_conv_s8.c",
        headers=("include/conv_2d.h",),
        accepts=accepts,
        lower=_lower,
    ),
)
