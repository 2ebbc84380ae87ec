"""Random AVERAGE_POOL_2D, L2_POOL_2D and MAX_POOL_2D layers: odd windows, edges, all strides up to 3."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.int16 import sometimes_int16
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, AveragePool2D, L2Pool2D, MaxPool2D, Padding
from tinyc.ir.ops.pooling import Pool2D


def _random_graph(rng: np.random.Generator, op: type[Pool2D]) -> Graph:
    batch, height, width, channels = (int(rng.integers(low, high)) for low, high in _EXTENTS)
    x = activation(rng, "x", (batch, height, width, channels))
    same = bool(rng.integers(2))
    layer = op(
        name="layer",
        inputs=("x",),
        outputs=("y",),
        filter_height=int(rng.integers(1, 6 if same else height + 1)),
        filter_width=int(rng.integers(1, 6 if same else width + 1)),
        stride_height=int(rng.integers(1, 4)),
        stride_width=int(rng.integers(1, 4)),
        padding=Padding.SAME if same else Padding.VALID,
        activation=Activation(rng.choice([a.value for a in Activation])),
    )
    (shape,) = layer.output_shapes([x])
    return sometimes_int16(rng, single_op_graph(layer, [x, x.with_(name="y", shape=shape)]))


def random_padded_pool(rng: np.random.Generator, op: type[Pool2D]) -> Graph:
    """A pool with EXPLICIT padding, which TensorFlow Lite does not have."""
    while True:
        x = activation(rng, "x", tuple(int(rng.integers(low, high)) for low, high in _EXTENTS))
        kernel = tuple(int(rng.integers(1, 6)) for _ in range(2))
        pads = tuple(int(rng.integers(0, kernel[axis])) for axis in (0, 0, 1, 1))
        layer = op(
            name="layer",
            inputs=("x",),
            outputs=("y",),
            filter_height=kernel[0],
            filter_width=kernel[1],
            stride_height=int(rng.integers(1, 4)),
            stride_width=int(rng.integers(1, 4)),
            padding=Padding.EXPLICIT,
            pads=(pads[0], pads[1], pads[2], pads[3]),
        )
        try:
            (shape,) = layer.output_shapes([x])
        except ValueError:
            continue
        return sometimes_int16(rng, single_op_graph(layer, [x, x.with_(name="y", shape=shape)]))


_EXTENTS = ((1, 3), (1, 10), (1, 10), (1, 12))


def random_average_pool(rng: np.random.Generator) -> Graph:
    return _random_graph(rng, AveragePool2D)


def random_max_pool(rng: np.random.Generator) -> Graph:
    return _random_graph(rng, MaxPool2D)


def random_l2_pool(rng: np.random.Generator) -> Graph:
    """For `real.real`: there is none in integers."""
    return _random_graph(rng, L2Pool2D)
