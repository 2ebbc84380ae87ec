"""Float networks for the quantizer's tests, built layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Shape, Tensor


class FloatNetwork:
    """Collects ops and tensors; shapes follow from the ops' own rules."""

    def __init__(self, *shapes: Shape) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.inputs = tuple(f"x{index}" for index in range(len(shapes)))
        for name, shape in zip(self.inputs, shapes, strict=True):
            self.tensors[name] = Tensor(name, shape, DType.FLOAT32)

    def constant(self, name: str, data: Array) -> str:
        self.tensors[name] = Tensor(name, data.shape, DType.FLOAT32, None, data.astype(np.float32))
        return name

    def add(self, cls: type[Op], *operands: str | Array, **fields: Any) -> str:
        """Append an op; arrays become constants. Returns the name of its first output."""
        layer = f"layer{len(self.ops)}"
        names = tuple(
            operand if isinstance(operand, str) else self.constant(f"{layer}_c{index}", operand)
            for index, operand in enumerate(operands)
        )
        op = cls(name=layer, inputs=names, outputs=(f"{layer}_y",), **fields)
        shapes = op.output_shapes([self.tensors[name] for name in names])
        op = op.with_(outputs=tuple(f"{layer}_y{index or ''}" for index in range(len(shapes))))
        for name, shape in zip(op.outputs, shapes, strict=True):
            self.tensors[name] = Tensor(name, shape, DType.FLOAT32)
        self.ops.append(op)
        return op.outputs[0]

    def graph(self, *outputs: str) -> Graph:
        return verify(Graph("net", self.tensors, tuple(self.ops), self.inputs, outputs))


def small_convolutional(rng: np.random.Generator) -> Graph:
    """Input [1, 8, 8, 3]: conv, depthwise, 1x1 conv with a residual, pools, FC, softmax."""
    from tinyc.ir.ops import (
        Activation,
        Add,
        AveragePool2D,
        Conv2D,
        DepthwiseConv2D,
        FullyConnected,
        MaxPool2D,
        Padding,
        Softmax,
    )

    def weights(*shape: int, fan_in: int) -> Array:
        return rng.normal(0, np.sqrt(2 / fan_in), shape)

    net = FloatNetwork((1, 8, 8, 3))
    relu, same = Activation.RELU, Padding.SAME
    x = net.add(
        Conv2D,
        "x0",
        weights(8, 3, 3, 3, fan_in=27),
        rng.normal(0, 0.2, 8),
        padding=same,
        activation=relu,
    )
    y = net.add(
        DepthwiseConv2D,
        x,
        weights(1, 3, 3, 8, fan_in=9),
        rng.normal(0, 0.2, 8),
        padding=same,
        activation=Activation.RELU6,
    )
    y = net.add(Conv2D, y, weights(8, 1, 1, 8, fan_in=8), padding=same)
    y = net.add(Add, x, y, activation=relu)
    y = net.add(MaxPool2D, y, filter_height=2, filter_width=2, stride_height=2, stride_width=2)
    y = net.add(AveragePool2D, y, filter_height=2, filter_width=2, stride_height=2, stride_width=2)
    y = net.add(FullyConnected, y, weights(5, 32, fan_in=32), rng.normal(0, 0.2, 5))
    return net.graph(net.add(Softmax, y))


def normal_samples(rng: np.random.Generator, graph: Graph, count: int) -> list[tuple[Array, ...]]:
    """Standard normal inputs."""
    return [
        tuple(rng.normal(0, 1, graph[name].shape).astype(np.float32) for name in graph.inputs)
        for _ in range(count)
    ]


def natural_images(rng: np.random.Generator, shape: Shape, count: int) -> list[tuple[Array, ...]]:
    """Images [1, height, width, channels] in 0..255 with the 1/f spectrum of photographs."""
    _, height, width, channels = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    amplitude = 1.0 / np.maximum(frequency, 1.0 / max(height, width))
    images = []
    for _ in range(count):
        noise = rng.normal(size=(channels + 1, height, width))
        # Colour planes share most of their structure.
        planes = 0.8 * noise[:1] + 0.4 * noise[1:]
        smooth = np.fft.ifft2(np.fft.fft2(planes) * amplitude).real
        scaled = (smooth - smooth.mean()) / smooth.std() * rng.uniform(25, 65) + rng.uniform(80, 170)
        image = np.clip(np.rint(scaled), 0, 255).astype(np.float32)
        images.append((image.transpose(1, 2, 0)[None],))
    return images
