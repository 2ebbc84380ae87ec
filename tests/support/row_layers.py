"""FULLY_CONNECTED and whole-window CONV_2D layers of one row with numbers as trained nets have them."""

from __future__ import annotations

import numpy as np

from strategies.common import constant
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, Conv2D, FullyConnected
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import DType, Quantization, Tensor

SHAPES = (
    *((depth, units) for depth, units in zip(range(1, 11), (5, 1, 4, 2, 3, 7, 8, 1, 9, 6), strict=True)),
    *((31, 4), (32, 3), (33, 5), (40, 4), (63, 2), (64, 6), (65, 4), (96, 1), (100, 11), (127, 13)),
    *((128, 128), (129, 4), (255, 3), (640, 6), (641, 5)),
)


def row_layer(
    rng: np.random.Generator,
    index: int,
    x: Tensor,
    units: int,
    *,
    rectified: bool,
    per_channel: bool,
    largest_bias: int = 3000,
) -> tuple[Op, list[Tensor]]:
    """One layer on `x` whose outputs spread over int8; with per-channel scales a CONV_2D."""
    depth = x.elements
    count = units if per_channel else 1
    scales = (0.004 * rng.uniform(0.3, 1.0, count)).astype(np.float32)
    shape = (units, *x.shape[1:]) if per_channel else (units, depth)
    rows = np.clip(np.rint(rng.normal(0, 40, (units, depth))), -127, 127).astype(np.int8)
    if units > 3:
        rows[2] = 0
    axis = 0 if per_channel else None
    quantization = Quantization(tuple(map(float, scales)), (0,) * count, axis)
    weights = constant(f"w{index}", rows.reshape(shape), quantization)
    bias = constant(f"b{index}", rng.integers(-largest_bias, largest_bias, units).astype(np.int32))
    spread = float(np.float32(x.scale * 0.004 * np.sqrt(depth) * 40 * 74 / 60))
    result = Quantization((spread,), (-128 if rectified else int(rng.integers(-60, 60)),))
    activation = Activation.RELU if rectified else Activation.NONE
    names, inputs = (f"y{index}",), (x.name, weights.name, bias.name)
    if per_channel:
        y = Tensor(names[0], (1, 1, 1, units), DType.INT8, result)
        return Conv2D(name=f"l{index}", inputs=inputs, outputs=names, activation=activation), [
            weights,
            bias,
            y,
        ]
    y = Tensor(names[0], (1, units), DType.INT8, result)
    op = FullyConnected(name=f"l{index}", inputs=inputs, outputs=names, activation=activation)
    return op, [weights, bias, y]


def row_graph(seed: int, depth: int, units: int) -> Graph:
    """A single layer; `seed` modulo 4 chooses activation and scales, modulo 3 the size of biases."""
    rng = np.random.default_rng(seed)
    rectified, per_channel = bool(seed & 1), bool(seed & 2)
    shape = (1, 1, 1, depth) if per_channel else (1, depth)
    x = Tensor("x", shape, DType.INT8, Quantization((0.02,), (int(rng.integers(-128, 128)),)))
    largest = 60_000 if seed % 3 == 1 else 3000
    op, made = row_layer(rng, 0, x, units, rectified=rectified, per_channel=per_channel, largest_bias=largest)
    tensors = {tensor.name: tensor for tensor in (x, *made)}
    return verify(Graph("row", tensors, (op,), ("x",), op.outputs))


def row_chain(seed: int, sizes: tuple[int, ...]) -> Graph:
    """Fully connected layers one behind the other, each second one rectified."""
    rng = np.random.default_rng(seed)
    x = Tensor("x", (1, sizes[0]), DType.INT8, Quantization((0.02,), (-3,)))
    tensors, ops = {"x": x}, list[Op]()
    for index, units in enumerate(sizes[1:]):
        op, made = row_layer(rng, index, x, units, rectified=index % 2 == 0, per_channel=False)
        tensors |= {tensor.name: tensor for tensor in made}
        ops.append(op)
        x = made[-1]
    return verify(Graph("chain", tensors, tuple(ops), ("x",), (x.name,)))
