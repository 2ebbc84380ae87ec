"""Random FULLY_CONNECTED layers."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, constant, random_scale, single_op_graph
from strategies.convolution import random_activation, random_bias, random_output
from tinyc.ir.graph import Graph
from tinyc.ir.ops import FullyConnected
from tinyc.ir.tensor import Quantization


def random_graph(rng: np.random.Generator) -> Graph:
    rows, units = int(rng.integers(1, 4)), int(rng.integers(1, 20))
    depth = int(rng.integers(1, 40 if rng.random() < 0.7 else 300))
    x = activation(rng, "x", (rows, depth))
    per_channel = bool(rng.integers(2))
    count = units if per_channel else 1
    scales = tuple(random_scale(rng, 1e-4, 0.02) for _ in range(count))
    weights = constant(
        "weights",
        rng.integers(-127, 128, (units, depth)).astype(np.int8),
        Quantization(scales, (0,) * count, 0 if per_channel else None),
    )
    tensors = [x, weights]
    if rng.integers(2):
        tensors.append(random_bias(rng, x, weights, units))
    op = FullyConnected(
        name="fully_connected",
        inputs=tuple(tensor.name for tensor in tensors),
        outputs=("y",),
        activation=random_activation(rng),
    )
    return single_op_graph(op, [*tensors, random_output(rng, (rows, units), x, weights, op.activation)])
