"""Random CONV_2D layers, grouped ones among them."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.convolution import (
    RandomWindow,
    random_activation,
    random_bias,
    random_filters,
    random_output,
    random_window,
    whole_window,
)
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, Padding


def random_3x3(rng: np.random.Generator) -> RandomWindow:
    """3x3 at stride 1, as most of the layers of residual nets."""
    padding = Padding(str(rng.choice(["SAME", "VALID"])))
    least = 1 if padding is Padding.SAME else 3
    extent = tuple(least + int(v) for v in rng.choice([1, 3, 3, 5, 7, *range(12)], 2))
    return RandomWindow((extent[0], extent[1]), (3, 3), (1, 1), (1, 1), padding, (0, 0, 0, 0))


def random_graph(rng: np.random.Generator) -> Graph:
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    depth, units = int(rng.integers(1, 12)), int(rng.integers(1, 8)) * groups
    window = whole_window(rng) if rng.random() < 0.1 else random_window(rng)
    if rng.random() < 0.25:
        window, groups, depth, units = (
            random_3x3(rng),
            1,
            4 * int(rng.integers(1, 5)),
            int(rng.integers(1, 12)),
        )
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
    return single_op_graph(op, [*tensors, random_output(rng, shape, x, tensors[1], op.activation)])
