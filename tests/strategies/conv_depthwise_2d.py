"""Random pairs of a CONV_2D, pointwise or as first layers are, and a DEPTHWISE_CONV_2D, as one op."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.convolution import (
    random_activation,
    random_bias,
    random_filters,
    random_output,
    random_window,
)
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, ConvDepthwise2D, DepthwiseConv2D, Padding


def random_graph(rng: np.random.Generator) -> Graph:
    """Mostly small; some are large enough for every kernel to cut them into several tiles."""
    window, depth, channels = random_window(rng), int(rng.integers(1, 40)), int(rng.integers(1, 14))
    if rng.random() < 0.5:
        height, width = (
            int(extent + more) for extent, more in zip(window.extent, rng.integers(4, 24, 2), strict=True)
        )
        width = width if rng.random() < 0.5 else -(-width // 4) * 4
        window, channels = replace(window, extent=(height, width)), int(rng.integers(2, 34))
    kernel, stride, (height, width) = (1, 1), 1, window.extent
    if rng.random() < 0.4:  # a first layer, whose output is as large as the depthwise layer wants it
        depth, stride = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        kernel = (int(rng.integers(2, 6)), int(rng.integers(2, 6)))
        height, width = (stride * extent - int(rng.integers(stride)) for extent in (height, width))
    x = activation(rng, "x", (int(rng.choice([1, 1, 2])), height, width, depth))
    filters = random_filters(rng, (channels, *kernel, depth), 0)
    bias = random_bias(rng, x, filters, channels)
    first = Conv2D(
        name="conv_2d",
        inputs=("x", "filters", "bias"),
        outputs=("between",),
        stride=(stride, stride),
        padding=Padding.SAME,
        activation=random_activation(rng),
    )
    (shape,) = first.output_shapes([x, filters, bias])
    between = random_output(rng, shape, x, filters, first.activation).with_(name="between")
    taps = random_filters(rng, (1, *window.kernel, channels), 3).with_(name="taps")
    offsets = random_bias(rng, between, taps, channels).with_(name="offsets")
    second = DepthwiseConv2D(
        name="depthwise_conv_2d",
        inputs=("between", "taps", "offsets")[: 3 if rng.integers(4) else 2],
        outputs=("y",),
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        pads=window.pads,
        activation=random_activation(rng),
    )
    operands = [between, taps, offsets]
    (shape,) = second.output_shapes(operands)
    y = random_output(rng, shape, between, taps, second.activation)
    op = ConvDepthwise2D.of(first, second, between)
    constants = [tensor for tensor in (filters, bias, taps, offsets) if tensor.name in op.inputs]
    return single_op_graph(op, [x, *constants, y])
