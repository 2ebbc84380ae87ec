"""Layers whose inputs go through everything that decides about their results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from strategies.common import single_op_graph
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Add, AveragePool2D, Mul, Softmax, Sub
from tinyc.ir.ops.elementwise import Binary
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor

PAIRS = 65536


def int8_tensor(name: str, shape: Shape, scale: float, zero_point: int) -> Tensor:
    return Tensor(name, shape, DType.INT8, Quantization((float(np.float32(scale)),), (zero_point,)))


def binary_layer(
    op: type[Binary],
    numbers: Sequence[tuple[float, int]],
    activation: Activation = Activation.NONE,
    shape: Shape = (PAIRS,),
) -> Graph:
    """`numbers` are scale and zero point of left, right and result."""
    tensors = [
        int8_tensor(name, shape, *pair) for name, pair in zip(("left", "right", "y"), numbers, strict=True)
    ]
    layer = op(name="layer", inputs=("left", "right"), outputs=("y",), activation=activation)
    return single_op_graph(layer, tensors)


def all_pairs() -> tuple[Array, Array]:
    """Every pair of int8 values, [65536] each."""
    codes = np.arange(-128, 128).astype(np.int8)
    return np.repeat(codes, 256), np.tile(codes, 256)


# Arbitrary scales, exact ties, ties blurred by the scales' float32 rounding, results beyond int8.
SUMS = (
    ((0.0393935516, -128), (0.1041949615, 4), (0.0509456731, -128)),
    ((0.05, -3), (0.05, 7), (0.1, 2)),
    ((0.05, 127), (0.025, -128), (0.0875, 0)),
    ((0.02, -3), (0.03, 7), (0.04, 2)),
    ((0.71, -50), (0.0031, 99), (0.13, 127)),
)
PRODUCTS = (
    ((0.0393935516, -128), (0.1041949615, 4), (0.0509456731, -128)),
    ((0.0078125, 0), (0.00390625, -128), (0.0078125, -128)),
    ((0.05, 127), (0.025, -128), (0.0031, 0)),
)
BINARY = tuple(
    (op, numbers) for op, cases in ((Add, SUMS), (Sub, SUMS), (Mul, PRODUCTS)) for numbers in cases
)


def pool_of_ties(count: int, rng: np.random.Generator) -> tuple[Graph, Array]:
    """AVERAGE_POOL_2D of windows of `count` elements, with sums at ties, beside them and at the ends."""
    whole = rng.integers(-128, 127, 200)[:, None] * count
    sums = np.concatenate([whole + count // 2 + np.arange(-1, 2), whole, whole + count], axis=1).reshape(-1)
    sums = np.concatenate([sums, (-128 * count, 127 * count, 0, 1, -1)])
    sums = np.clip(sums[: len(sums) // 5 * 5], -128 * count, 127 * count).reshape(1, -1, 1, 5)
    # The elements of a window differ by at most 1.
    base, rest = sums // count, sums % count
    data = (base + (np.arange(count)[:, None] < rest)).astype(np.int8)
    x = int8_tensor("x", data.shape, 0.1, 3)
    layer = AveragePool2D(name="layer", inputs=("x",), outputs=("y",), filter_height=1, filter_width=count)
    return single_op_graph(layer, [x, int8_tensor("y", layer.output_shapes([x])[0], 0.1, 3)]), data


def softmax_layer(depth: int, scale: float) -> Graph:
    x = int8_tensor("x", (4, depth), scale, 0)
    y = int8_tensor("y", (4, depth), 1 / 256, -128)
    return single_op_graph(Softmax(name="layer", inputs=("x",), outputs=("y",)), [x, y])


def flat_and_steep(depth: int, rng: np.random.Generator) -> Array:
    """[4, depth]: all alike, one above all others, at most 3 apart, anything."""
    rows = np.full((4, depth), -128)
    rows[1, depth // 2] = 127
    rows[2] = rng.integers(5, 9, depth)
    rows[3] = rng.integers(-128, 128, depth)
    return rows.astype(np.int8)
