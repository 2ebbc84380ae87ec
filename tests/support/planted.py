"""Random int8 networks with planted channels that are constant, dead or not read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from strategies.common import random_scale, random_zero_point
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Activation,
    Add,
    AveragePool2D,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    LeakyRelu,
    MaxPool2D,
    Mean,
    Mul,
    Op,
    Pad,
    Padding,
    Quantize,
    Relu,
    Relu6,
    Reshape,
    ResizeBilinear,
    Softmax,
    Split,
    StridedSlice,
    Sub,
    Take,
    Tanh,
    Transpose,
)
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor

BIASES = (-(2**31), 2**31 - 1, -(2**30), 2**30, 0, 1, -1, 40_000, -40_000)


class Planted:
    """A graph under construction; `values` are the activations that later layers may read."""

    def __init__(self, rng: np.random.Generator, shape: Shape) -> None:
        self.rng = rng
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        # Few quantizations, so that concatenations find partners.
        self.quantizations = [
            Quantization((random_scale(rng, 0.02, 0.2),), (zero,)) for zero in (-128, random_zero_point(rng))
        ]
        self.values = [self.value("x", shape)]

    def value(self, name: str, shape: Shape, like: Tensor | None = None) -> Tensor:
        quantization = self.quantizations[int(self.rng.integers(2))] if like is None else like.quantization
        tensor = Tensor(name, shape, DType.INT8, quantization)
        self.tensors[name] = tensor
        return tensor

    def constant(self, data: Array, quantization: Quantization | None = None) -> Tensor:
        name = f"k{len(self.tensors)}"
        tensor = Tensor(name, data.shape, DType.of(data.dtype), quantization, data)
        self.tensors[name] = tensor
        return tensor

    def add(self, op: type[Op], *inputs: Tensor, like: Tensor | None = None, **fields: Any) -> Tensor:
        """Append a layer; `like` gives its result the quantization of another tensor."""
        name = f"v{len(self.ops)}"
        layer = op(name=name, inputs=tuple(t.name for t in inputs), outputs=(name,), **fields)
        (shape,) = layer.output_shapes(inputs)
        self.ops.append(layer)
        self.values.append(self.value(name, shape, like))
        return self.values[-1]

    def graph(self, *outputs: Tensor) -> Graph:
        names = tuple(dict.fromkeys(tensor.name for tensor in outputs))
        graph = verify(Graph("planted", self.tensors, tuple(self.ops), ("x",), names))
        return graph.rebuilt()

    # Layers

    def weights(self, shape: Shape, out_axis: int) -> tuple[Array, Array]:
        """Weights with dead outputs and unread inputs, and biases to go with them."""
        rng, out = self.rng, shape[out_axis]
        data = rng.integers(-127, 128, shape).astype(np.int8)
        bias = rng.integers(-5000, 5000, out).astype(np.int32)
        dead, clamped = rng.random(out) < 0.3, rng.random(out) < 0.15
        if rng.random() < 0.05:
            dead[:] = True
        data[(slice(None),) * out_axis + (dead,)] = 0
        bias[dead] = rng.choice([*BIASES, *rng.integers(-5000, 5000, 8)], int(dead.sum()))
        # So far off that the clamp alone decides.
        bias[clamped] = rng.choice([-(10**8), 10**8], int(clamped.sum()))
        if out_axis == 0:
            data[..., rng.random(shape[-1]) < 0.2] = 0
        return data, bias

    def _layer(self, op: type[Op], x: Tensor, shape: Shape, out_axis: int, **fields: Any) -> Tensor:
        rng, out = self.rng, shape[out_axis]
        data, bias = self.weights(shape, out_axis)
        scale = 2 / 127 / math.sqrt(math.prod(shape) / out)
        scales = tuple(float(np.float32(scale * s)) for s in rng.uniform(0.3, 2, out))
        quantization = Quantization((scales[0],), (0,))
        if rng.random() < 0.7:
            quantization = Quantization(scales, (0,) * out, out_axis)
        operands = [x, self.constant(data, quantization)]
        if rng.random() < 0.85:
            operands.append(self.constant(bias))
        activation = Activation(str(rng.choice([a.value for a in Activation])))
        return self.add(op, *operands, activation=activation, **fields)

    def convolution(self, x: Tensor, out: int | None = None) -> Tensor:
        rng, channels = self.rng, x.shape[3]
        kernel = [int(rng.integers(1, 1 + min(3, extent))) for extent in x.shape[1:3]]
        if rng.random() < 0.4:
            kernel = [1, 1]
        shape = (out or int(rng.integers(1, 10)), *kernel, channels)
        return self._layer(Conv2D, x, shape, 0, **self.window())

    def depthwise(self, x: Tensor) -> Tensor:
        rng = self.rng
        kernel = [int(rng.integers(1, 1 + min(3, extent))) for extent in x.shape[1:3]]
        multiplier = 2 if rng.random() < 0.2 else 1
        shape = (1, *kernel, x.shape[3] * multiplier)
        return self._layer(DepthwiseConv2D, x, shape, 3, **self.window())

    def window(self) -> dict[str, Any]:
        stride = tuple(int(s) for s in self.rng.choice([1, 1, 2], 2))
        padding = Padding(str(self.rng.choice([p.value for p in Padding])))
        if padding is not Padding.EXPLICIT:
            return {"stride": stride, "padding": padding}
        pads = tuple(int(p) for p in self.rng.integers(0, 3, 4))
        return {"stride": stride, "padding": padding, "pads": pads}

    def fully_connected(self, x: Tensor, depth: int, out: int) -> Tensor:
        return self._layer(FullyConnected, x, (out, depth), 0)

    def binary(self, x: Tensor) -> Tensor:
        rng = self.rng
        op = (Add, Sub, Mul)[int(rng.integers(3))]
        partners = [value for value in self.values if value.shape == x.shape]
        other = partners[int(rng.integers(len(partners)))]
        if rng.random() < 0.3:
            extent = x.shape[-1] if rng.random() < 0.7 else 1
            data = rng.integers(-128, 128, extent).astype(np.int8)
            other = self.constant(data, self.quantizations[0])
        pair = (x, other) if rng.random() < 0.5 else (other, x)
        return self.add(op, *pair, activation=Activation(str(rng.choice(["NONE", "RELU"]))))

    def concatenation(self, x: Tensor) -> Tensor:
        fit = [v for v in self.values if len(v.shape) == 4 and v.shape[1:3] == x.shape[1:3]]
        fit = [v for v in fit if v.quantization == x.quantization and v.shape[3] + x.shape[3] < 24]
        others = [fit[int(i)] for i in self.rng.integers(0, len(fit), 2)] if fit else []
        return self.add(Concatenation, x, *others[:1], like=x, axis=3)

    def split(self, x: Tensor) -> Tensor:
        first = int(self.rng.integers(1, x.shape[3]))
        name, sizes = f"v{len(self.ops)}", (first, x.shape[3] - first)
        parts = [self.value(f"{name}_{i}", (*x.shape[:3], size), x) for i, size in enumerate(sizes)]
        outputs = tuple(part.name for part in parts)
        self.ops.append(Split(name=name, inputs=(x.name,), outputs=outputs, axis=3, sizes=sizes))
        self.values += parts
        return parts[int(self.rng.integers(2))]

    def slice(self, x: Tensor) -> Tensor:
        begin = int(self.rng.integers(x.shape[3]))
        size = (*x.shape[:3], int(self.rng.integers(1, x.shape[3] - begin + 1)))
        return self.add(
            StridedSlice, x, like=x, begin=(0, 0, 0, begin), size=size, strides=(1, 1, 1, 1), shape=size
        )

    def enlarged(self, x: Tensor) -> Tensor:
        rows, columns, depth = x.shape[1:]
        if self.rng.random() < 0.5:
            return self.add(ResizeBilinear, x, like=x, size=(rows + 1, columns + 2), half_pixel_centers=True)
        twice = tuple(int(at) for at in np.repeat(np.arange(rows), 2))
        picked = tuple(int(at) for at in self.rng.integers(0, depth, depth))
        return self.add(Take, x, like=x, indices=((0,), twice, tuple(range(columns)), picked))

    def pool(self, x: Tensor) -> Tensor:
        extents = {"filter_height": min(2, x.shape[1]), "filter_width": min(2, x.shape[2])}
        op = MaxPool2D if self.rng.random() < 0.5 else AveragePool2D
        return self.add(op, x, like=x, padding=Padding(str(self.rng.choice(["SAME", "VALID"]))), **extents)

    def pad(self, x: Tensor) -> Tensor:
        pairs = self.rng.integers(0, 2, (3, 2))
        if self.rng.random() < 0.5:
            pairs[2] = 0
        return self.add(Pad, x, like=x, paddings=((0, 0), *((int(a), int(b)) for a, b in pairs)))

    def unary(self, x: Tensor) -> Tensor:
        op = (Relu, Relu6, Tanh, Quantize)[int(self.rng.integers(4))]
        return self.add(op, x) if self.rng.random() < 0.8 else self.add(LeakyRelu, x, alpha=0.1)


def planted_network(rng: np.random.Generator) -> Graph:
    """4 to 12 layers that branch and join, then a classifier on the flattened or averaged map."""
    shape = (1, int(rng.integers(3, 7)), int(rng.integers(3, 7)), int(rng.integers(1, 5)))
    net = Planted(rng, shape)
    x = net.values[0]
    outputs = []
    for _ in range(int(rng.integers(4, 13))):
        x = _random_layer(rng, net, x)
        if max(x.shape[1:3]) > 9:
            extents = {"filter_height": 2, "filter_width": 2, "stride_height": 2, "stride_width": 2}
            x = net.add(MaxPool2D, x, like=x, padding=Padding.SAME, **extents)
        if rng.random() < 0.05:
            outputs.append(x)
        if rng.random() < 0.15:
            maps = [value for value in net.values if len(value.shape) == 4]
            x = maps[int(rng.integers(len(maps)))]
    form = int(rng.integers(4))
    if form == 0:
        return net.graph(*outputs, x)
    depth = math.prod(x.shape[1:])
    if form == 1:
        x, depth = net.add(Mean, x, axes=(1, 2)), x.shape[3]
    elif form == 2:
        x = net.add(Reshape, x, like=x, shape=(1, depth))
    hidden = net.fully_connected(x, depth, int(rng.integers(1, 8)))
    y = net.fully_connected(hidden, hidden.shape[1], 3)
    if rng.random() < 0.5:
        net.tensors["softmax"] = Tensor("softmax", y.shape, DType.INT8, Quantization((1 / 256,), (-128,)))
        net.ops.append(Softmax(name="softmax", inputs=(y.name,), outputs=("softmax",)))
        y = net.tensors["softmax"]
    return net.graph(*outputs, y)


def _random_layer(rng: np.random.Generator, net: Planted, x: Tensor) -> Tensor:
    form = int(rng.integers(15))
    if form < 4:
        return net.convolution(x)
    if form < 6:
        return net.depthwise(x)
    if form < 8:
        return net.binary(x)
    if form == 8:
        return net.concatenation(x)
    if form == 9:
        return net.pool(x) if rng.random() < 0.6 else net.pad(x)
    if form == 10:
        return net.unary(x)
    if form == 11 and x.shape[3] > 1:
        return net.split(x) if rng.random() < 0.5 else net.slice(x)
    if form == 12:
        return net.enlarged(x)
    if form == 13:
        order = (0, 2, 1, 3) if rng.random() < 0.7 else (0, 3, 1, 2)
        return net.add(Transpose, x, like=x, permutation=order)
    return net.convolution(x, out=x.shape[3])
