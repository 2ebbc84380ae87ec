"""Small int8 classifiers with the layers that keyword models have, weights drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, AveragePool2D, Conv2D, DepthwiseConv2D, FullyConnected, Padding, Softmax
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Quantization, Tensor


@dataclass
class _Builder:
    """Adds layers with output scales that keep random activations inside the int8 range."""

    rng: np.random.Generator
    tensors: dict[str, Tensor] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)

    def tensor(self, name: str, shape: tuple[int, ...], scale: float, zero_point: int) -> Tensor:
        quantization = Quantization((float(np.float32(scale)),), (zero_point,))
        self.tensors[name] = Tensor(name, shape, DType.INT8, quantization)
        return self.tensors[name]

    def weights(self, name: str, shape: tuple[int, ...], axis: int, x: Tensor) -> tuple[str, str]:
        """int8 weights per channel and the bias that goes with them."""
        count = shape[axis]
        scales = self.rng.uniform(0.002, 0.01, count).astype(np.float32)
        data: Array = self.rng.integers(-127, 128, shape).astype(np.int8)
        quantization = Quantization(tuple(map(float, scales)), (0,) * count, axis)
        self.tensors[name] = Tensor(name, shape, DType.INT8, quantization, data)
        bias = f"{name}_bias"
        product = tuple(float(np.float32(np.float32(x.scale) * scale)) for scale in scales)
        values = self.rng.integers(-2000, 2000, count).astype(np.int32)
        bias_quantization = Quantization(product, (0,) * count, 0)
        self.tensors[bias] = Tensor(bias, (count,), DType.INT32, bias_quantization, values)
        return name, bias

    def add(self, op: Op, scale: float, zero_point: int = -128) -> Tensor:
        (shape,) = op.output_shapes([self.tensors[name] for name in op.inputs])
        self.ops.append(op)
        return self.tensor(op.outputs[0], shape, scale, zero_point)


def small_classifier(rng: np.random.Generator, name: str = "small") -> Graph:
    """Conv, depthwise, pointwise, average pool, fully connected, softmax over 5 classes."""
    make = _Builder(rng)
    x = make.tensor("input", (1, 12, 10, 1), 0.05, -3)
    conv = Conv2D(
        name="conv",
        inputs=(x.name, *make.weights("conv_w", (8, 4, 3, 1), 0, x)),
        outputs=("conv_y",),
        stride=(2, 1),
        padding=Padding.SAME,
        activation=Activation.RELU,
    )
    x = make.add(conv, 0.03)
    depthwise = DepthwiseConv2D(
        name="depthwise",
        inputs=(x.name, *make.weights("depthwise_w", (1, 3, 3, 8), 3, x)),
        outputs=("depthwise_y",),
        padding=Padding.SAME,
        activation=Activation.RELU,
    )
    x = make.add(depthwise, 0.05)
    pointwise = Conv2D(
        name="pointwise",
        inputs=(x.name, *make.weights("pointwise_w", (12, 1, 1, 8), 0, x)),
        outputs=("pointwise_y",),
        activation=Activation.RELU,
    )
    x = make.add(pointwise, 0.08)
    _, height, width, _ = x.shape
    pool = AveragePool2D(
        name="pool", inputs=(x.name,), outputs=("pool_y",), filter_height=height, filter_width=width
    )
    quantization = x.quantization
    assert quantization is not None
    x = make.add(pool, quantization.scale[0], quantization.zero_point[0])
    dense = FullyConnected(
        name="dense", inputs=(x.name, *make.weights("dense_w", (5, 12), 0, x)), outputs=("dense_y",)
    )
    x = make.add(dense, 0.1, 5)
    make.add(Softmax(name="softmax", inputs=(x.name,), outputs=("output",)), 1 / 256)
    return verify(Graph(name, make.tensors, tuple(make.ops), ("input",), ("output",)))


def separable_network(rng: np.random.Generator) -> Graph:
    """Pointwise and depthwise layers in turn, as in MobileNets; the tensors between them are the largest."""
    make = _Builder(rng)
    x = make.tensor("input", (1, 20, 16, 6), 0.05, -3)
    for index, (channels, stride) in enumerate(((16, 2), (21, 1), (12, 2))):
        pointwise = Conv2D(
            name=f"pointwise_{index}",
            inputs=(x.name, *make.weights(f"pointwise_{index}_w", (channels, 1, 1, x.shape[3]), 0, x)),
            outputs=(f"pointwise_{index}_y",),
            activation=Activation.RELU,
        )
        x = make.add(pointwise, 0.05 * (index + 1))
        depthwise = DepthwiseConv2D(
            name=f"depthwise_{index}",
            inputs=(x.name, *make.weights(f"depthwise_{index}_w", (1, 3, 3, channels), 3, x)),
            outputs=(f"depthwise_{index}_y",),
            padding=Padding.SAME,
            stride=(stride, stride),
            activation=Activation.RELU,
        )
        x = make.add(depthwise, 0.1 * (index + 1))
    return verify(Graph("separable", make.tensors, tuple(make.ops), ("input",), (x.name,)))


def wide_layer(rng: np.random.Generator, weights: int) -> Graph:
    """One fully connected layer with about this many weight bytes."""
    make = _Builder(rng)
    x = make.tensor("input", (1, 1000), 0.05, 0)
    units = weights // 1000
    dense = FullyConnected(
        name="wide", inputs=(x.name, *make.weights("wide_w", (units, 1000), 0, x)), outputs=("output",)
    )
    make.add(dense, 0.5, 0)
    return verify(Graph("wide", make.tensors, tuple(make.ops), ("input",), ("output",)))
