"""Random CONV_2D layers, grouped ones among them."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.convolution import (
    random_activation,
    random_bias,
    random_filters,
    random_window,
    whole_window,
)
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D


def random_graph(rng: np.random.Generator) -> Graph:
    window = whole_window(rng) if rng.random() < 0.1 else random_window(rng)
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    depth, units = int(rng.integers(1, 12)), int(rng.integers(1, 8)) * groups
    x = activation(rng, "x", (int(rng.choice([1, 1, 2])), *window.extent, depth * groups))
    filters = random_filters(rng, (units, *window.kernel, depth), 0)
    # TensorFlow Lite runs no CONV_2D without a bias.
    tensors = [x, filters, random_bias(rng, x, filters, units)]
    op = Conv2D(
        name="conv_2d",
        inputs=tuple(tensor.name for tensor in tensors),
        outputs=("y",),
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        pads=window.pads,
        activation=random_activation(rng),
    )
    (shape,) = op.output_shapes(tensors)
    return single_op_graph(op, [*tensors, activation(rng, "y", shape, low=0.01)])
