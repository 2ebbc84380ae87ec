"""Random TRANSPOSE_CONV layers: strides beyond the kernel, windows that are cut off, a bias or none."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.convolution import random_activation, random_bias, random_filters, random_output
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Padding, TransposeConv


def random_graph(rng: np.random.Generator) -> Graph:
    kernel = tuple(int(extent) for extent in rng.integers(1, 6, 2))
    stride = tuple(int(extent) for extent in rng.integers(1, 4, 2))
    depth, units = int(rng.integers(1, 9)), int(rng.integers(1, 7))
    x = activation(rng, "x", (int(rng.choice([1, 1, 2])), *rng.integers(1, 7, 2).tolist(), depth))
    padding = Padding(str(rng.choice(["SAME", "VALID"])))
    size = [
        extent * step - int(rng.integers(0, step))
        if padding is Padding.SAME
        else (extent - 1) * step + taps + int(rng.integers(0, step))
        for extent, step, taps in zip(x.shape[1:3], stride, kernel, strict=True)
    ]
    tensors = [x, random_filters(rng, (units, *kernel, depth), 0)]
    if rng.random() < 0.7:
        tensors.append(random_bias(rng, x, tensors[1], units))
    op = TransposeConv(
        name="layer",
        inputs=tuple(tensor.name for tensor in tensors),
        outputs=("y",),
        output_size=(size[0], size[1]),
        stride=(stride[0], stride[1]),
        padding=padding,
        activation=random_activation(rng),
    )
    (shape,) = op.output_shapes(tensors)
    return single_op_graph(op, [*tensors, random_output(rng, shape, x, tensors[1], op.activation)])
