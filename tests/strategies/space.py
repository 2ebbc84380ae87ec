"""Random RESIZE_BILINEAR, SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND and CAST layers."""

from __future__ import annotations

import math

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.int16 import sometimes_int16
from strategies.movement import any_input, moving_graph, some_shape
from tinyc.ir.graph import Graph
from tinyc.ir.ops import BatchToSpaceNd, Cast, ResizeBilinear, SpaceToBatchNd
from tinyc.ir.tensor import DType, Tensor


def random_resize_bilinear(rng: np.random.Generator) -> Graph:
    x = activation(rng, "x", tuple(int(extent) for extent in rng.integers(1, 7, 4)))
    if rng.random() < 0.2:
        x = Tensor("x", x.shape, DType.FLOAT32)
    form = int(rng.integers(3))
    op = ResizeBilinear(
        name="layer",
        inputs=("x",),
        outputs=("y",),
        size=(int(rng.integers(1, 12)), int(rng.integers(1, 12))),
        align_corners=form == 1,
        half_pixel_centers=form == 2,
    )
    return sometimes_int16(rng, moving_graph(op, x))


def random_space_to_batch_nd(rng: np.random.Generator) -> Graph:
    spatial, block = _spatial(rng)
    margins = []
    for extent, size in zip(spatial, block, strict=True):
        before = int(rng.integers(0, 3))
        margins.append((before, -(extent + before) % size + size * int(rng.integers(0, 2))))
    x = activation(rng, "x", (int(rng.integers(1, 3)), *spatial, int(rng.integers(1, 5))))
    op = SpaceToBatchNd(name="layer", inputs=("x",), outputs=("y",), block=block, margins=tuple(margins))
    return sometimes_int16(rng, moving_graph(op, x))


def random_batch_to_space_nd(rng: np.random.Generator) -> Graph:
    spatial, block = _spatial(rng)
    margins = []
    for extent, size in zip(spatial, block, strict=True):
        before = int(rng.integers(0, min(3, extent * size)))
        margins.append((before, int(rng.integers(0, min(3, extent * size - before)))))
    batch = math.prod(block) * int(rng.integers(1, 3))
    x = activation(rng, "x", (batch, *spatial, int(rng.integers(1, 5))))
    op = BatchToSpaceNd(name="layer", inputs=("x",), outputs=("y",), block=block, margins=tuple(margins))
    return sometimes_int16(rng, moving_graph(op, x))


def _spatial(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Height and width, or height alone, and a block."""
    count = int(rng.integers(1, 3))
    extents, block = rng.integers(1, 7, count), rng.integers(1, 4, count)
    return tuple(map(int, extents)), tuple(map(int, block))


def random_float_cast(rng: np.random.Generator) -> Graph:
    """From float32 or to it."""
    types = (DType.BOOL, DType.INT8, DType.INT16, DType.INT32, DType.UINT8)
    other = types[int(rng.integers(len(types)))]
    away = other is not DType.UINT8 and rng.random() < 0.5
    source, target = (DType.FLOAT32, other) if away else (other, DType.FLOAT32)
    x = any_input(rng, some_shape(rng)).with_(dtype=source, quantization=None)
    y = Tensor("y", x.shape, target)
    return single_op_graph(Cast(name="layer", inputs=("x",), outputs=("y",)), [x, y])


def random_cast(rng: np.random.Generator) -> Graph:
    types = (DType.BOOL, DType.INT8, DType.UINT8, DType.INT16, DType.INT32)
    source, target = (types[int(i)] for i in rng.permutation(len(types))[:2])
    x = any_input(rng, some_shape(rng)).with_(dtype=source, quantization=None)
    y = Tensor("y", x.shape, target)
    return single_op_graph(Cast(name="layer", inputs=("x",), outputs=("y",)), [x, y])
