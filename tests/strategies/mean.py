"""Random MEAN layers: every subset of axes, negative ones too."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.int16 import sometimes_int16
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Mean


def random_graph(rng: np.random.Generator) -> Graph:
    rank = int(rng.integers(1, 5))
    x = activation(rng, "x", tuple(int(extent) for extent in rng.integers(1, 9, rank)))
    axes = rng.permutation(rank)[: int(rng.integers(1, rank + 1))]
    if rng.random() < 0.3:
        axes = np.array([1, 2] if rank == 4 else [rank - 1])
    signed = tuple(int(axis) - (rank if rng.random() < 0.3 else 0) for axis in axes)
    layer = Mean(name="layer", inputs=("x",), outputs=("y",), axes=signed, keep_dims=bool(rng.integers(2)))
    (shape,) = layer.output_shapes([x])
    return sometimes_int16(rng, single_op_graph(layer, [x, activation(rng, "y", shape)]))
