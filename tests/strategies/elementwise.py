"""Random ADD, SUB and MUL layers: equal shapes, broadcasts and constant operands."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.int16 import sometimes_int16
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Add, Mul, Sub
from tinyc.ir.ops.elementwise import Binary, broadcast_shape
from tinyc.ir.tensor import Array, DType, Shape, Tensor


def _stretched(rng: np.random.Generator, shape: Shape) -> Shape:
    """A shape that broadcasts to `shape`: some extents 1, some leading axes gone."""
    kept = tuple(1 if rng.random() < 0.5 else extent for extent in shape)
    return kept[int(rng.integers(len(kept))) :]


def operand_shapes(rng: np.random.Generator) -> tuple[Shape, Shape]:
    """Shapes that broadcast, up to rank 4."""
    left, right = _operands(rng)
    return (right, left) if rng.random() < 0.3 else (left, right)


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


def values(rng: np.random.Generator, tensor: Tensor) -> Array:
    """Random elements; small ones of 32 bits."""
    low, high = (-9, 9) if tensor.dtype is DType.INT32 else tensor.dtype.limits
    return rng.integers(low, high + 1, tensor.shape).astype(tensor.dtype.numpy)


def plain(name: str, shape: Shape, dtype: DType) -> Tensor:
    return Tensor(name, shape, dtype)


def with_constant(rng: np.random.Generator, *operands: Tensor) -> list[Tensor]:
    """One of the operands is a constant in half of the layers."""
    chosen = int(rng.integers(2 * len(operands)))
    return [x.with_(data=values(rng, x)) if i == chosen else x for i, x in enumerate(operands)]


def random_activation(rng: np.random.Generator) -> Activation:
    return Activation(rng.choice([a.value for a in Activation]))


def integers(rng: np.random.Generator, op: type[Binary], fused: Activation) -> Graph:
    """int32 without a scale."""
    left_shape, right_shape = operand_shapes(rng)
    shapes = {"left": left_shape, "right": right_shape, "y": broadcast_shape(left_shape, right_shape)}
    left, right, y = (plain(name, shape, DType.INT32) for name, shape in shapes.items())
    layer = op(name="layer", inputs=("left", "right"), outputs=("y",), activation=fused)
    return single_op_graph(layer, [*with_constant(rng, left, right), y])


def _random_graph(rng: np.random.Generator, op: type[Binary]) -> Graph:
    if rng.random() < 0.15:
        return integers(rng, op, random_activation(rng))
    left_shape, right_shape = operand_shapes(rng)
    left, right = activation(rng, "left", left_shape), activation(rng, "right", right_shape)
    form = rng.integers(4)
    if form == 0:
        left = left.with_(data=values(rng, left))
    elif form == 1:
        right = right.with_(data=values(rng, right))
    inputs = ("left", "left") if form == 2 and left_shape == right_shape else ("left", "right")
    shape = broadcast_shape(left_shape, right_shape)
    layer = op(
        name="layer",
        inputs=inputs,
        outputs=("y",),
        activation=random_activation(rng),
    )
    tensors = [left, right, activation(rng, "y", shape)]
    graph = single_op_graph(layer, [tensor for tensor in tensors if tensor.name in (*inputs, "y")])
    return sometimes_int16(rng, graph)


def random_add(rng: np.random.Generator) -> Graph:
    return _random_graph(rng, Add)


def random_sub(rng: np.random.Generator) -> Graph:
    return _random_graph(rng, Sub)


def random_mul(rng: np.random.Generator) -> Graph:
    return _random_graph(rng, Mul)
