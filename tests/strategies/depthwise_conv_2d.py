"""Random DEPTHWISE_CONV_2D layers with multipliers of one and more."""

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
from tinyc.ir.ops import DepthwiseConv2D


def random_graph(rng: np.random.Generator) -> Graph:
    window = random_window(rng)
    multiplier = int(rng.choice([1, 1, 1, 2, 3, 8]))
    channels = int(rng.choice([1, *rng.integers(1, 14, 3)]))
    if rng.random() < 0.15:  # large enough for kernels that work on a part of the image at a time
        height, width = (
            int(extent + more) for extent, more in zip(window.extent, rng.integers(8, 40, 2), strict=True)
        )
        window, channels = replace(window, extent=(height, width)), min(channels, 6)
    units = channels * multiplier
    x = activation(rng, "x", (int(rng.choice([1, 1, 2])), *window.extent, channels))
    tensors = [x, random_filters(rng, (1, *window.kernel, units), 3)]
    if rng.integers(4):
        tensors.append(random_bias(rng, x, tensors[1], units))
    op = DepthwiseConv2D(
        name="depthwise_conv_2d",
        inputs=tuple(tensor.name for tensor in tensors),
        outputs=("y",),
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        pads=window.pads,
        activation=random_activation(rng),
    )
    (shape,) = op.output_shapes(tensors)
    return single_op_graph(op, [*tensors, random_output(rng, shape, x, tensors[1], op.activation)])
