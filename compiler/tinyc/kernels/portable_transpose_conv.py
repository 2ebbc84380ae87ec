"""The portable kernels of TRANSPOSE_CONV, with int8 or int16 activations and int8 filters: one template."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range, channel_multipliers
from tinyc.ir.ops.transpose_conv import TransposeConv
from tinyc.ir.tensor import DType
from tinyc.kernels import loop_features, portable_convolution, portable_int16
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.work import FittedWork


def geometry(op: TransposeConv, graph: Graph) -> dict[str, FieldValue]:
    """The fields of `struct tinyc_conv_2d` before `input_offset`; pads are those of the output."""
    x, filters = graph.operands(op)[:2]
    (result,) = graph.results(op)
    top, left = op.pads(filters)
    return {
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
    }


def _lower_int8(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, TransposeConv)
    x, filters, *rest = graph.operands(op)
    (result,) = graph.results(op)
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
            "bias": rest[0].constant.reshape(-1) if rest else np.zeros(result.shape[3], np.int32),
            "multiplier": multiplier,
            "shift": shift.astype(np.int8),
        },
    )


def _lower_int16(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, TransposeConv)
    return Lowered("tinyc_conv_2d_s16", {**geometry(op, graph), **portable_int16.sums(op, graph)})


def _specialize(op: Op, graph: Graph) -> Mapping[str, object]:
    dtype = graph.operands(op)[0].dtype
    narrow = dtype is DType.INT8
    return {
        **portable_int16.SUM_VIEWS[dtype],
        "variant": dtype.value[0],
        "struct": "tinyc_conv_2d" if narrow else "tinyc_conv_2d_s16",
        "has_offsets": narrow,
    }


KERNELS = tuple(
    Kernel(
        symbol=f"tinyc_transpose_conv_{name}__portable",
        op=TransposeConv,
        source="portable/transpose_conv.c.j2",
        headers=(f"include/{header}",),
        accepts=accepts,
        lower=lower,
        specialize=_specialize,
        work=FittedWork(f"tinyc_transpose_conv_{name}__portable", loop_features.transpose_conv),
    )
    for name, header, accepts, lower in (
        ("s8", "conv_2d.h", portable_convolution.accepts, _lower_int8),
        ("s16", "sums_s16.h", portable_int16.accepts, _lower_int16),
    )
)
