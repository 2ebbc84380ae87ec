"""Random PAD, PADV2, RESHAPE, TRANSPOSE, CONCATENATION, STRIDED_SLICE and SPLIT layers of several types."""

from __future__ import annotations

import math

import numpy as np

from strategies.common import activation, constant, random_scale, single_op_graph
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Concatenation, Op, Pad, PadV2, Reshape, Split, StridedSlice, Transpose
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor


def any_input(rng: np.random.Generator, shape: Shape, name: str = "x") -> Tensor:
    """Mostly int8; int16, int32, bool and float32 too."""
    form = rng.random()
    if form < 0.7:
        return activation(rng, name, shape)
    if form < 0.75:
        return Tensor(name, shape, DType.INT32)
    if form < 0.8:
        return Tensor(name, shape, DType.BOOL)
    if form < 0.9:
        return Tensor(name, shape, DType.INT16, Quantization((random_scale(rng),), (0,)))
    return Tensor(name, shape, DType.FLOAT32)


def some_values(rng: np.random.Generator, tensor: Tensor) -> Array:
    """Those of a constant."""
    limit = 2 if tensor.dtype is DType.BOOL else 100
    return rng.integers(0, limit, tensor.shape).astype(tensor.dtype.numpy)


def some_shape(rng: np.random.Generator, least: int = 1, most: int = 4) -> Shape:
    return tuple(int(extent) for extent in rng.integers(1, 7, int(rng.integers(least, most + 1))))


def moving_graph(op: Op, *inputs: Tensor) -> Graph:
    """The layer with results of the type and quantization of its first input."""
    shapes = op.output_shapes(inputs)
    results = [
        inputs[0].with_(name=name, shape=shape) for name, shape in zip(op.outputs, shapes, strict=True)
    ]
    return single_op_graph(op, [*inputs, *results])


def random_pad(rng: np.random.Generator) -> Graph:
    x = any_input(rng, some_shape(rng))
    op = Pad(name="layer", inputs=("x",), outputs=("y",), paddings=_paddings(rng, x))
    return moving_graph(op, x)


def random_pad_v2(rng: np.random.Generator) -> Graph:
    x = any_input(rng, some_shape(rng))
    if x.dtype is DType.BOOL:
        x = Tensor("x", x.shape, DType.INT32)
    fill: int | float = int(rng.integers(-128, 128)) * (1 if x.dtype.size == 1 else int(rng.integers(200)))
    if x.dtype is DType.FLOAT32:
        fill = float(rng.choice(np.array([np.finfo(np.float32).min, -0.0, 1e-40, rng.normal()], np.float32)))
    op = PadV2(name="layer", inputs=("x",), outputs=("y",), paddings=_paddings(rng, x), fill=fill)
    return moving_graph(op, x)


def _paddings(rng: np.random.Generator, x: Tensor) -> tuple[tuple[int, int], ...]:
    pairs = rng.integers(0, 4, (len(x.shape), 2)) * rng.integers(0, 2, (len(x.shape), 1))
    return tuple((int(before), int(after)) for before, after in pairs)


def random_reshape(rng: np.random.Generator) -> Graph:
    x = any_input(rng, some_shape(rng))
    count, shape = math.prod(x.shape), []
    for _ in range(int(rng.integers(0, 4))):
        divisors = [d for d in range(1, count + 1) if count % d == 0]
        shape.append(int(rng.choice(divisors)))
        count //= shape[-1]
    return moving_graph(Reshape(name="layer", inputs=("x",), outputs=("y",), shape=(*shape, count)), x)


def random_transpose(rng: np.random.Generator) -> Graph:
    x = any_input(rng, some_shape(rng, 1, 5))
    permutation = tuple(int(axis) for axis in rng.permutation(len(x.shape)))
    return moving_graph(Transpose(name="layer", inputs=("x",), outputs=("y",), permutation=permutation), x)


def random_concatenation(rng: np.random.Generator) -> Graph:
    first = any_input(rng, some_shape(rng), "x0")
    axis = int(rng.integers(len(first.shape)))
    parts = [first]
    for index in range(1, int(rng.integers(1, 5))):
        shape = list(first.shape)
        shape[axis] = int(rng.integers(1, 6))
        parts.append(first.with_(name=f"x{index}", shape=tuple(shape)))
    # One in four has constants among its parts; the first is an activation.
    if rng.random() < 0.25:
        parts[1:] = [constant(part.name, some_values(rng, part), part.quantization) for part in parts[1:]]
    names = tuple(part.name for part in parts)
    return moving_graph(Concatenation(name="layer", inputs=names, outputs=("y",), axis=axis), *parts)


def random_strided_slice(rng: np.random.Generator) -> Graph:
    x = any_input(rng, some_shape(rng))
    begin, size, strides = [], [], []
    for extent in x.shape:
        step = int(rng.choice([1, 1, 2, 3, -1, -2]))
        first = int(rng.integers(extent))
        most = (extent - 1 - first) // step + 1 if step > 0 else first // -step + 1
        count = int(rng.integers(1, most + 1))
        begin.append(first)
        size.append(count)
        strides.append(step)
    kept = [count for count in size if count > 1 or rng.random() < 0.5]
    op = StridedSlice(
        name="layer",
        inputs=("x",),
        outputs=("y",),
        begin=tuple(begin),
        size=tuple(size),
        strides=tuple(strides),
        shape=tuple(kept),
    )
    return moving_graph(op, x)


def random_split(rng: np.random.Generator) -> Graph:
    if rng.random() < 0.5:
        sizes = (int(rng.integers(1, 4)),) * int(rng.integers(1, 5))
    else:
        sizes = tuple(int(size) for size in rng.integers(1, 5, int(rng.integers(1, 5))))
    shape = list(some_shape(rng))
    axis = int(rng.integers(len(shape)))
    shape[axis] = sum(sizes)
    outputs = tuple(f"y{index}" for index in range(len(sizes)))
    op = Split(name="layer", inputs=("x",), outputs=outputs, axis=axis, sizes=sizes)
    x = any_input(rng, tuple(shape))
    # LiteRT splits no booleans.
    return moving_graph(op, x if x.dtype is not DType.BOOL else x.with_(dtype=DType.INT32))
