"""Chains of layers, int8 or float32, full of what the passes rewrite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from strategies.common import random_scale, random_zero_point
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Activation,
    Add,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mul,
    Op,
    Pad,
    Padding,
    Quantize,
    Relu,
    Relu6,
    Reshape,
    Softmax,
    Sub,
    Tanh,
    Transpose,
)
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor


class Chain:
    """A graph under construction; every method appends one layer to the last value."""

    def __init__(self, rng: np.random.Generator, shape: Shape, *, real: bool) -> None:
        self.rng, self.real = rng, real
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.last = self._value("x", shape)

    def _value(self, name: str, shape: Shape, like: Tensor | None = None) -> Tensor:
        if self.real:
            tensor = Tensor(name, shape, DType.FLOAT32)
        elif like is not None:
            tensor = like.with_(name=name, shape=shape, data=None)
        else:
            scale = Quantization((random_scale(self.rng, 0.01, 0.5),), (random_zero_point(self.rng),))
            tensor = Tensor(name, shape, DType.INT8, scale)
        self.tensors[name] = tensor
        return tensor

    def constant(self, name: str, shape: Shape, dtype: DType | None = None) -> Tensor:
        if self.real:
            data = self.rng.normal(0, 0.5, shape).astype(np.float32)
            tensor = Tensor(name, shape, DType.FLOAT32, None, data)
        elif dtype is DType.INT32:
            data = self.rng.integers(-3000, 3000, shape).astype(np.int32)
            tensor = Tensor(name, shape, DType.INT32, None, data)
        else:
            data = self.rng.integers(-127, 128, shape).astype(np.int8)
            tensor = Tensor(name, shape, DType.INT8, Quantization((0.02,), (0,)), data)
        self.tensors[name] = tensor
        return tensor

    def add(
        self, op: type[Op], *constants: Tensor, same: bool = False, first: bool = True, **fields: Any
    ) -> str:
        """Append a layer; `same` keeps the quantization, `first` says where the value stands."""
        names = [tensor.name for tensor in constants]
        name = f"{op.kind.lower()}_{len(self.ops)}"
        inputs = (self.last.name, *names) if first else (*names, self.last.name)
        layer = op(name=name, inputs=inputs, outputs=(name,), **fields)
        (shape,) = layer.output_shapes([self.tensors[n] for n in inputs])
        like = self.last if same else None
        self.last = self._value(name, shape, like)
        if op is Softmax and not self.real:
            self.last = self.last.with_(quantization=Quantization((1 / 256,), (-128,)))
            self.tensors[name] = self.last
        self.ops.append(layer)
        return name

    def convolution(self, depthwise: bool = False, **fields: Any) -> None:
        channels, name = self.last.shape[3], f"w{len(self.ops)}"
        shape = (1, 2, 2, channels) if depthwise else (4, 3, 2, channels)
        units = channels if depthwise else 4
        filters = self.constant(name, shape)
        bias = self.constant(f"b{len(self.ops)}", (units,), DType.INT32)
        self.add(DepthwiseConv2D if depthwise else Conv2D, filters, bias, **fields)

    def fully_connected(self, depth: int, **fields: Any) -> None:
        weights = self.constant(f"w{len(self.ops)}", (5, depth))
        bias = self.constant(f"b{len(self.ops)}", (5,), DType.INT32)
        self.add(FullyConnected, weights, bias, **fields)

    def constant_sum(self) -> Tensor:
        """A sum of two constants, which folds to one."""
        left, right = self.constant("left", (4,)), self.constant("right", (4,))
        self.ops.append(Add(name="constants", inputs=(left.name, right.name), outputs=("constants",)))
        return self._value("constants", (4,))

    def graph(self, name: str = "chain", outputs: tuple[str, ...] = ()) -> Graph:
        ends = (*outputs, self.last.name)
        return verify(Graph(name, self.tensors, tuple(self.ops), ("x",), tuple(dict.fromkeys(ends))))


def keyword_chain(*, real: bool) -> Graph:
    """A small keyword net with everything the passes look for; the same one in every run."""
    chain = Chain(np.random.default_rng(7), (1, 6, 5, 2), real=real)
    chain.add(Pad, same=True, paddings=((0, 0), (1, 1), (1, 0), (0, 0)))
    chain.convolution()
    if real:
        scale = chain.constant("scale", (4,))
        offset = chain.constant_sum()
        chain.add(Mul, scale)
        chain.add(Add, offset)
    chain.add(Relu, same=True)
    chain.add(Transpose, same=True, permutation=(0, 1, 2, 3))
    chain.convolution(depthwise=True, padding=Padding.SAME)
    chain.add(Relu6, same=True)
    chain.add(MaxPool2D, same=True, filter_height=2, filter_width=2, stride_height=2, stride_width=2)
    depth = math.prod(chain.last.shape)
    chain.add(Reshape, same=True, shape=(depth,))
    chain.add(Reshape, same=True, shape=(1, depth))
    chain.fully_connected(depth)
    chain.add(Softmax)
    return chain.graph("keyword")


def random_chain(rng: np.random.Generator, *, real: bool) -> Graph:
    """5 to 14 random layers; some intermediate values are outputs too."""
    chain = Chain(rng, (1, int(rng.integers(6, 10)), int(rng.integers(6, 10)), 2), real=real)
    outputs = []
    for _ in range(int(rng.integers(5, 15))):
        _random_layer(rng, chain)
        if rng.random() < 0.1:
            outputs.append(chain.last.name)
    return chain.graph(outputs=tuple(outputs))


def _random_layer(rng: np.random.Generator, chain: Chain) -> None:
    shape = chain.last.shape
    spatial = len(shape) == 4 and shape[1] >= 3 and shape[2] >= 3
    form = int(rng.integers(12))
    same = bool(rng.random() < 0.7)
    activation = Activation(str(rng.choice(["NONE", "NONE", "RELU"])))
    if form == 0 and spatial:
        pairs = tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (2, 2)))
        chain.add(Pad, same=True, paddings=((0, 0), *pairs, (0, 0)))
    elif form in (1, 2) and spatial:
        padding = Padding(str(rng.choice(["SAME", "VALID"])))
        chain.convolution(depthwise=form == 2, padding=padding, activation=activation)
    elif form == 3:
        chain.add(Relu, same=same)
    elif form == 4:
        chain.add(Relu6, same=same)
    elif form == 5:
        axes = list(range(len(shape)))
        if rng.random() < 0.5:
            axes = [int(axis) for axis in rng.permutation(len(shape))]
        chain.add(Transpose, same=True, permutation=tuple(axes))
    elif form == 6:
        flat = (1, math.prod(shape)) if rng.random() < 0.3 else shape
        chain.add(Reshape, same=True, shape=flat)
    elif form == 7 and not spatial:
        chain.fully_connected(math.prod(shape), activation=activation)
    elif form == 8 and not chain.real:
        chain.add(Quantize, same=same)
    elif form == 9:
        chain.add(Concatenation, same=True, axis=0)
    elif form == 10 and chain.real:
        op = (Mul, Add, Sub)[int(rng.integers(3))]
        extent = shape[-1] if rng.random() < 0.7 else 1
        constant = chain.constant(f"k{len(chain.ops)}", (extent,))
        chain.add(op, constant, first=bool(rng.random() < 0.7), activation=activation)
    else:
        chain.add(Tanh)


def close(left: Array, right: Array) -> bool:
    """Equal for integers, equal up to float32 rounding for reals."""
    if left.dtype == np.float32:
        return left.shape == right.shape and np.allclose(left, right, rtol=1e-4, atol=1e-4)
    return bool(left.shape == right.shape and np.array_equal(left, right))
