"""Pieces of random CONV_2D and DEPTHWISE_CONV_2D layers: windows, filters and scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from strategies import common
from strategies.common import constant, random_scale
from tinyc.ir.ops import Activation, Padding
from tinyc.ir.ops.convolution import Pads
from tinyc.ir.tensor import DType, Quantization, Shape, Tensor


@dataclass(frozen=True, slots=True)
class RandomWindow:
    """A window that fits into `extent` (height, width)."""

    extent: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    pads: Pads


def random_window(rng: np.random.Generator) -> RandomWindow:
    """Odd and even kernels up to 5, strides and dilations up to 3; plain 1x1 comes often."""
    if rng.random() < 0.2:
        extent = tuple(int(v) for v in rng.integers(1, 7, 2))
        return RandomWindow(extent, (1, 1), (1, 1), (1, 1), Padding.VALID, (0, 0, 0, 0))
    kernel = tuple(int(v) for v in rng.integers(1, 6, 2))
    stride = tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2))
    dilation = tuple(int(v) for v in rng.choice([1, 1, 1, 2, 3], 2))
    padding = Padding(str(rng.choice(["SAME", "VALID", "EXPLICIT"])))
    pads = (0, 0, 0, 0)
    if padding is Padding.EXPLICIT:
        pads = tuple(int(v) for v in rng.integers(0, 4, 4))
    extent = []
    for axis in (0, 1):
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        least = 1 if padding is Padding.SAME else max(1, reach - pads[2 * axis] - pads[2 * axis + 1])
        extent.append(int(rng.integers(least, least + 9)))
    return RandomWindow((extent[0], extent[1]), kernel, stride, dilation, padding, pads)


def whole_window(rng: np.random.Generator) -> RandomWindow:
    """A window that is all of its input, so that one pixel comes out."""
    extent = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    return RandomWindow(extent, extent, (1, 1), (1, 1), Padding.VALID, (0, 0, 0, 0))


def random_filters(rng: np.random.Generator, shape: Shape, axis: int) -> Tensor:
    """Symmetric int8 filters, per channel along `axis` or per tensor; some channels are all zero."""
    count = shape[axis] if rng.random() < 0.75 else 1
    data = rng.integers(-127, 128, shape).astype(np.int8)
    dead = rng.random(shape[axis]) < 0.1
    data[(slice(None),) * axis + (dead,)] = 0
    scales = tuple(random_scale(rng, 1e-4, 0.02) for _ in range(count))
    return constant("filters", data, Quantization(scales, (0,) * count, axis if count > 1 else None))


def random_bias(rng: np.random.Generator, x: Tensor, filters: Tensor, channels: int) -> Tensor:
    """An int32 bias with the scales that TensorFlow Lite asks for: input scale times filter scale."""
    assert filters.quantization is not None
    scales = tuple(float(np.float32(np.float32(x.scale) * np.float32(s))) for s in filters.quantization.scale)
    axis = 0 if filters.quantization.per_channel else None
    data = rng.integers(-20_000, 20_000, channels).astype(np.int32)
    # Channels that training left without weights get tiny scales, and with them huge biases.
    channel_axis = 0 if filters.shape[0] == channels else len(filters.shape) - 1
    dead = ~filters.constant.any(axis=tuple(a for a in range(len(filters.shape)) if a != channel_axis))
    if len(dead) == channels and rng.integers(2):
        data[dead] = rng.integers(-(2**31), 2**31, int(dead.sum())).astype(np.int32)
    return constant("bias", data, Quantization(scales, (0,) * len(scales), axis))


def random_output(
    rng: np.random.Generator, shape: Shape, x: Tensor, filters: Tensor, activation: Activation
) -> Tensor:
    """The output of a layer: anything, or as a trained net has it.

    A trained net's scale fits the spread of the accumulators, and its RELU begins at the lowest code.
    """
    if rng.random() < 0.5:
        return common.activation(rng, "y", shape, low=0.01)
    assert filters.quantization is not None
    products = filters.elements / max(1, len(filters.quantization.scale), shape[-1])
    spread = x.scale * float(np.mean(filters.quantization.scale)) * 5000 * np.sqrt(products)
    scale = float(np.float32(spread / 128 * rng.uniform(0.5, 4)))
    rectified = activation in (Activation.RELU, Activation.RELU6)
    zero_point = -128 if rectified else int(rng.integers(-40, 40))
    return Tensor("y", tuple(shape), DType.INT8, Quantization((scale,), (zero_point,)))


def random_activation(rng: np.random.Generator) -> Activation:
    return Activation(str(rng.choice([member.value for member in Activation])))
