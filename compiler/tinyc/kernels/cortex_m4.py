"""SMLAD kernels for ARMv7E-M: fully connected, convolution, depthwise.

They requantize with one SMMULR per output, which is exact when every accumulator fits in 31 bits
and every real multiplier is below 0.5. Both are proved per layer from its weights; a layer that
fails takes the portable kernel. Weights are packed in the order in which the kernels read them and
the input offset is folded into the bias.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.kernels import features, portable_convolution, portable_fully_connected
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.layer_constants import (
    is_narrow,
    narrow_requantization,
    right_multipliers,
    round_up,
    weight_rows,
)
from tinyc.kernels.work import FittedWork

_REQUIRES = frozenset({"dsp"})
_VIEW = {"nibbles": False, "panel": "tinyc_panel"}


def _pack_pairs(rows: Array) -> Array:
    """[channels, depth] as `struct tinyc_panel` wants it: pairs of channels, words of four inputs."""
    channels, depth = rows.shape
    padded = np.zeros((round_up(channels, 2), round_up(depth, 4)), np.int8)
    padded[:channels, :depth] = rows
    words = padded.reshape(-1, 2, padded.shape[1] // 4, 4)[..., (0, 2, 1, 3)]
    return np.ascontiguousarray(words.transpose(0, 2, 1, 3)).reshape(-1)


def _pack_taps(rows: Array) -> Array:
    """[channels, taps] as the depthwise kernel wants it: fours of channels, words of two taps."""
    channels, taps = rows.shape
    padded = np.zeros((channels, round_up(taps, 2)), np.int8)
    padded[:, :taps] = rows
    firsts = [min(first, channels - 4) for first in range(0, channels, 4)]
    groups = np.stack([padded[first : first + 4] for first in firsts])
    # [group, half, channel of the half, tap pair, tap] to [group, tap pair, half, tap, channel]
    halves = groups.reshape(len(firsts), 2, 2, -1, 2)
    return np.ascontiguousarray(halves.transpose(0, 3, 1, 4, 2)).reshape(-1)


def _quantization(op: Op, graph: Graph, packed: Array) -> dict[str, FieldValue]:
    """The fields of both structs from `weights` on."""
    rows = weight_rows(op, graph).astype(np.int64)
    bias, multiplier, right = narrow_requantization(op, graph)
    folded = bias - graph.operands(op)[0].zero_point * rows.sum(1)
    return {
        "weights": packed,
        "bias": folded.astype(np.int32),
        "multiplier": multiplier,
        "shift": (right - 1).astype(np.int8),
    }


def _output(op: Conv2D | DepthwiseConv2D | FullyConnected, graph: Graph) -> dict[str, FieldValue]:
    """The fields of both structs from `input_offset` to `per_channel`."""
    (result,) = graph.results(op)
    low, high = activation_range(op.activation, result)
    return {
        "input_offset": -graph.operands(op)[0].zero_point,
        "output_offset": result.zero_point,
        "low": low,
        "high": high,
        "per_channel": int(len(right_multipliers(op, graph)[0]) > 1),
    }


def _panel_bytes(rows: int, depth: int) -> int:
    return min(rows, 2) * round_up(depth, 4) * 2


# Fully connected


def _accepts_fully_connected(op: Op, graph: Graph) -> bool:
    return portable_fully_connected.accepts(op, graph) and is_narrow(op, graph)


def _lower_fully_connected(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, FullyConnected)
    x, weights = graph.operands(op)[:2]
    units, depth = weights.shape
    shape: dict[str, FieldValue] = {"rows": x.elements // depth, "depth": depth, "units": units}
    packed = _pack_pairs(weight_rows(op, graph))
    return Lowered(
        "tinyc_fully_connected", {**shape, **_output(op, graph), **_quantization(op, graph, packed)}
    )


def _fully_connected_scratch(op: Op, graph: Graph) -> int:
    x, weights = graph.operands(op)[:2]
    depth = weights.shape[1]
    return _panel_bytes(x.elements // depth, depth)


def _accepts_row(op: Op, graph: Graph) -> bool:
    x, weights = graph.operands(op)[:2]
    return x.elements == weights.shape[1] and _accepts_fully_connected(op, graph)


def _pack_fours(rows: Array) -> Array:
    """[channels, depth] as the kernel of one row wants it: fours of channels, words of four inputs."""
    channels, depth = rows.shape
    padded = np.zeros((round_up(channels, 4), round_up(depth, 4)), np.int8)
    padded[:channels, :depth] = rows
    words = padded.reshape(-1, 4, padded.shape[1] // 4, 4)
    return np.ascontiguousarray(words.transpose(0, 2, 1, 3)).reshape(-1)


def _lower_row(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, FullyConnected)
    units, depth = graph.operands(op)[1].shape
    quantization = _quantization(op, graph, _pack_fours(weight_rows(op, graph)))
    bias = np.zeros(round_up(units, 4), np.int32)
    bias[:units] = quantization["bias"]
    shape: dict[str, FieldValue] = {"rows": 1, "depth": depth, "units": units}
    return Lowered("tinyc_fully_connected", {**shape, **_output(op, graph), **quantization, "bias": bias})


# Convolution, and depthwise layers as convolutions in groups of one channel


def _accepts_conv_2d(op: Op, graph: Graph) -> bool:
    return portable_convolution.accepts(op, graph) and is_narrow(op, graph)


def _accepts_1x1(op: Op, graph: Graph) -> bool:
    x, filters = graph.operands(op)[:2]
    return (
        portable_convolution.is_pointwise(op, graph)
        and x.shape[3] == filters.shape[3]
        and _accepts_conv_2d(op, graph)
    )


def _lower_conv_2d(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    groups = portable_convolution.groups(op, graph)
    packed = np.concatenate([_pack_pairs(rows) for rows in np.split(weight_rows(op, graph), groups)])
    return Lowered(
        "tinyc_conv_2d",
        {
            **portable_convolution.geometry(op, graph),
            "depth": graph.operands(op)[0].shape[3] // groups,
            **_output(op, graph),
            **_quantization(op, graph, packed),
        },
    )


def _conv_2d_scratch(op: Op, graph: Graph) -> int:
    pixels = graph.results(op)[0].elements // graph.results(op)[0].shape[3]
    return _panel_bytes(pixels, weight_rows(op, graph).shape[1])


# Depthwise


def _accepts_depthwise(op: Op, graph: Graph) -> bool:
    x, filters = graph.operands(op)[:2]
    return filters.shape[3] == x.shape[3] >= 4 and _accepts_conv_2d(op, graph)


def _lower_depthwise(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, DepthwiseConv2D)
    rows = weight_rows(op, graph)
    _, multiplier, right = narrow_requantization(op, graph)
    return Lowered(
        "tinyc_conv_2d",
        {
            **portable_convolution.geometry(op, graph),
            **_output(op, graph),
            "per_channel": 1,
            **_quantization(op, graph, _pack_taps(rows)),
            "multiplier": np.array(np.broadcast_to(multiplier, len(rows))),
            "shift": np.array(np.broadcast_to(right - 1, len(rows)), np.int8),
        },
    )


def _depthwise_scratch(op: Op, graph: Graph) -> int:
    _, height, width, channels = graph.operands(op)[1].shape
    return 8 * round_up(height * width, 2) + channels


KERNELS = (
    Kernel(
        symbol="tinyc_fully_connected_s8__cortex_m4",
        op=FullyConnected,
        source="cortex_m4/fully_connected.c.j2",
        view=_VIEW,
        headers=("include/tinyc_panel.h", "include/fully_connected.h"),
        requires=_REQUIRES,
        accepts=_accepts_fully_connected,
        lower=_lower_fully_connected,
        scratch=_fully_connected_scratch,
        work=FittedWork("tinyc_fully_connected_s8__cortex_m4", features.panel_fully_connected),
    ),
    Kernel(
        symbol="tinyc_fully_connected_s8_row__cortex_m4",
        op=FullyConnected,
        source="cortex_m4/fully_connected_row.c.j2",
        view=_VIEW,
        headers=("include/tinyc_dsp.h", "include/fully_connected.h"),
        requires=_REQUIRES,
        accepts=_accepts_row,
        lower=_lower_row,
        work=FittedWork("tinyc_fully_connected_s8_row__cortex_m4", features.four_units),
    ),
    Kernel(
        symbol="tinyc_conv_2d_s8_1x1__cortex_m4",
        op=Conv2D,
        source="cortex_m4/conv_2d_1x1.c.j2",
        view=_VIEW,
        headers=("include/tinyc_panel.h", "include/conv_2d.h"),
        requires=_REQUIRES,
        accepts=_accepts_1x1,
        lower=_lower_conv_2d,
        scratch=_conv_2d_scratch,
        work=FittedWork("tinyc_conv_2d_s8_1x1__cortex_m4", features.panel_1x1),
    ),
    Kernel(
        symbol="tinyc_conv_2d_s8__cortex_m4",
        op=Conv2D,
        source="cortex_m4/conv_2d.c.j2",
        view=_VIEW,
        headers=("include/tinyc_panel.h", "include/tinyc_window_row.h"),
        requires=_REQUIRES,
        accepts=_accepts_conv_2d,
        lower=_lower_conv_2d,
        scratch=_conv_2d_scratch,
        work=FittedWork("tinyc_conv_2d_s8__cortex_m4", features.panel_convolution),
    ),
    Kernel(
        symbol="tinyc_depthwise_conv_2d_s8__cortex_m4",
        op=DepthwiseConv2D,
        source="cortex_m4/depthwise_conv_2d_s8.c",
        headers=("include/tinyc_dsp.h", "include/conv_2d.h"),
        requires=_REQUIRES,
        accepts=_accepts_depthwise,
        lower=_lower_depthwise,
        scratch=_depthwise_scratch,
        work=FittedWork("tinyc_depthwise_conv_2d_s8__cortex_m4", features.four_channel_depthwise),
    ),
    Kernel(
        symbol="tinyc_conv_2d_s8__cortex_m4",
        op=DepthwiseConv2D,
        source="cortex_m4/conv_2d.c.j2",
        view=_VIEW,
        headers=("include/tinyc_panel.h", "include/tinyc_window_row.h"),
        requires=_REQUIRES,
        accepts=_accepts_conv_2d,
        lower=_lower_conv_2d,
        scratch=_conv_2d_scratch,
        work=FittedWork("tinyc_conv_2d_s8__cortex_m4", features.panel_convolution),
    ),
)
