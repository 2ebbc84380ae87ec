"""Random ADD, SUB and MUL layers: equal shapes, broadcasts and constant operands."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.int16 import sometimes_int16
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Add, Mul, Sub
from tinyc.ir.ops.elementwise import Binary, broadcast_shape
from tinyc.ir.tensor import Shape, Tensor


def _stretched(rng: np.random.Generator, shape: Shape) -> Shape:
    """A shape that broadcasts to `shape`: some extents 1, some leading axes gone."""
    kept = tuple(1 if rng.random() < 0.5 else extent for extent in shape)
    return kept[int(rng.integers(len(kept))) :]


def _operands(rng: np.random.Generator) -> tuple[Shape, Shape]:
    shape = tuple(int(extent) for extent in rng.integers(1, 6, int(rng.integers(1, 5))))
    form = rng.integers(5)
    if form < 2:
        return shape, shape
    if form == 2:
        return shape, (1,)
    if form == 3:
        return shape, _stretched(rng, shape)
    return _stretched(rng, shape), _stretched(rng, shape)


def _random_graph(rng: np.random.Generator, op: type[Binary]) -> Graph:
    left_shape, right_shape = _operands(rng)
    if rng.random() < 0.3:
        left_shape, right_shape = right_shape, left_shape
    left, right = activation(rng, "left", left_shape), activation(rng, "right", right_shape)
    form = rng.integers(4)
    if form == 0:
        left = _constant(rng, left)
    elif form == 1:
        right = _constant(rng, right)
    inputs = ("left", "left") if form == 2 and left_shape == right_shape else ("left", "right")
    shape = broadcast_shape(left_shape, right_shape)
    layer = op(
        name="layer",
        inputs=inputs,
        outputs=("y",),
        activation=Activation(rng.choice([a.value for a in Activation])),
    )
    tensors = [left, right, activation(rng, "y", shape)]
    graph = single_op_graph(layer, [tensor for tensor in tensors if tensor.name in (*inputs, "y")])
    return graph if left.is_constant or right.is_constant else sometimes_int16(rng, graph)


def _constant(rng: np.random.Generator, tensor: Tensor) -> Tensor:
    return tensor.with_(data=rng.integers(-128, 128, tensor.shape).astype(np.int8))


def random_add(rng: np.random.Generator) -> Graph:
    return _random_graph(rng, Add)


def random_sub(rng: np.random.Generator) -> Graph:
    return _random_graph(rng, Sub)


def random_mul(rng: np.random.Generator) -> Graph:
    return _random_graph(rng, Mul)
