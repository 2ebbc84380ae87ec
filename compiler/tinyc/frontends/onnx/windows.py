"""Convolutions and pools: operators that slide a window over the axes behind batch and channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.value import Value, constant
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    MaxPool2D,
    Mean,
    Mul,
    Pad,
    Padding,
)
from tinyc.ir.ops.common import same_padding
from tinyc.ir.tensor import Quantization, Shape

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """A window over height and width; `pads` is (top, bottom, left, right)."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    pads: tuple[int, int, int, int]

    @property
    def padding(self) -> Padding:
        return Padding.EXPLICIT if any(self.pads) else Padding.VALID


def _spatial(x: Value) -> Shape:
    if x.rank not in (3, 4):
        raise Reject(f"the input has rank {x.rank}", "[batch, channels, length] or [..., height, width]")
    return x.shape[2:]


def window_over(layer: Layer, x: Value, kernel: Shape, *, ceil: bool = False) -> Window:
    """The window that the attributes describe; of a sequence, its only axis is the width."""
    node, extents = layer.node, _spatial(x)
    axes = len(extents)
    strides = node.integers("strides") or (1,) * axes
    dilations = node.integers("dilations") or (1,) * axes
    given = node.integers("pads") or (0,) * (2 * axes)
    if not len(kernel) == len(strides) == len(dilations) == axes or len(given) != 2 * axes:
        raise Reject("kernel, strides, dilations and pads do not fit the input's rank")
    if min(*kernel, *strides, *dilations) < 1:
        raise Reject("kernel, strides and dilations have to be positive")
    auto = node.text("auto_pad", "NOTSET")
    pads: list[Pair] = []
    for axis, (extent, window, stride, step) in enumerate(
        zip(extents, kernel, strides, dilations, strict=True)
    ):
        before, after = given[axis], given[axes + axis]
        if auto == "VALID":
            before, after = 0, 0
        elif auto in ("SAME_UPPER", "SAME_LOWER"):
            before, after = same_padding(extent, window, stride, step)
            if auto == "SAME_LOWER":
                before, after = after, before
        elif auto != "NOTSET":
            raise Reject(f"auto_pad is {auto}", "NOTSET, VALID, SAME_UPPER or SAME_LOWER")
        if min(before, after) < 0:
            raise Reject("pads are negative", "pads of 0 or more")
        if ceil and auto == "NOTSET":
            after += _ceil_pad(extent, before, after, window, stride, step)
        pads.append((before, after))
    if axes == 1:
        pads, kernel, strides, dilations = (
            [(0, 0), *pads],
            (1, *kernel),
            (1, *strides),
            (1, *dilations),
        )
    (top, bottom), (left, right) = pads
    return Window(
        (kernel[0], kernel[1]),
        (strides[0], strides[1]),
        (dilations[0], dilations[1]),
        (top, bottom, left, right),
    )


def _ceil_pad(extent: int, before: int, after: int, window: int, stride: int, step: int) -> int:
    """More padding at the end, for the last window that begins inside of input and padding before it."""
    room = extent + before + after - ((window - 1) * step + 1)
    count = -(-room // stride) + 1
    if (count - 1) * stride >= extent + before:
        count -= 1
    return max(0, (count - 1) * stride - room)


def conv(layer: Layer) -> Value:
    """Conv: weights [out, in / group, ...] are reordered; the bias is optional."""
    x, weights = layer.operand(0), layer.operand(1)
    if not weights.is_constant:
        raise Reject("weights are computed at run time", "constant weights")
    if len(weights.shape) != x.rank:
        raise Reject(f"weights have shape {list(weights.shape)}", f"rank {x.rank}")
    window = window_over(layer, x, weights.shape[2:])
    stated = layer.node.integers("kernel_shape")
    if stated is not None and stated != weights.shape[2:]:
        raise Reject(f"kernel_shape is {list(stated)}", f"that of the weights, {list(weights.shape[2:])}")
    groups, (out, depth), channels = layer.node.integer("group", 1), weights.shape[:2], x.shape[1]
    if groups < 1 or channels != groups * depth or out % groups:
        raise Reject(
            f"{groups} groups of {channels} input and {out} output channels", "groups that divide both"
        )
    depthwise = groups == channels > 1
    where = layout.image(x.rank)
    # [out, 1, kh, kw] to [1, kh, kw, out], or [out, in, kh, kw] to [out, kh, kw, in].
    wide = (1, *where[1:3], 0) if depthwise else (0, *where[1:3], 1)
    operands = [layer.arranged(x, where), layer.arranged(weights, wide)]
    bias = layer.optional(2)
    if bias is not None:
        operands.append(layer.bias(bias, x, operands[1]))
    return layer.emit(
        DepthwiseConv2D if depthwise else Conv2D,
        operands,
        where,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        pads=window.pads,
    )


def _pool_window(layer: Layer, x: Value) -> Window:
    kernel = layer.node.integers("kernel_shape")
    if kernel is None:
        raise Reject("kernel_shape is absent")
    window = window_over(layer, x, kernel, ceil=bool(layer.node.integer("ceil_mode", 0)))
    if window.dilation != (1, 1):
        raise Reject("the window is dilated", "dilations of 1")
    return window


def max_pool(layer: Layer) -> Value:
    """MaxPool; padding never wins."""
    x = layer.operand(0)
    if len([name for name in layer.node.outputs if name]) > 1:
        raise Reject("gives the indices of the largest elements", "the values alone")
    window, where = _pool_window(layer, x), layout.image(x.rank)
    return layer.emit(
        MaxPool2D,
        [layer.arranged(x, where)],
        where,
        filter_height=window.kernel[0],
        filter_width=window.kernel[1],
        stride_height=window.stride[0],
        stride_width=window.stride[1],
        padding=window.padding,
        pads=window.pads,
    )


def average_pool(layer: Layer) -> Value:
    """AveragePool; padding that counts is a PAD of its own."""
    x = layer.operand(0)
    window, where = _pool_window(layer, x), layout.image(x.rank)
    x = layer.arranged(x, where)
    pads, padding = window.pads, window.padding
    if layer.node.integer("count_include_pad", 0) and any(pads):
        if layer.node.integer("ceil_mode", 0):
            raise Reject("ceil_mode with count_include_pad", "one of them")
        (top, bottom, left, right), pads, padding = pads, (0, 0, 0, 0), Padding.VALID
        x = layer.emit(Pad, [x], where, "/pad", paddings=((0, 0), (top, bottom), (left, right), (0, 0)))
    if layer.has_other_scale(x) and not any(pads):
        return _mean_of_windows(layer, x, window)
    return layer.emit(
        AveragePool2D,
        [x],
        where,
        filter_height=window.kernel[0],
        filter_width=window.kernel[1],
        stride_height=window.stride[0],
        stride_width=window.stride[1],
        padding=padding,
        pads=pads,
    )


def _mean_of_windows(layer: Layer, x: Value, window: Window) -> Value:
    """An average pool whose result has a scale of its own: a convolution, which rounds once.

    Its weights are as large as they may be, because the multiplier rounds a small sum to an integer first.
    """
    height, width = window.kernel
    data = np.full((1, height, width, x.tensor.shape[3]), 127, np.int8)
    scale = Quantization((1.0 / (127 * height * width),), (0,))
    weights = constant(f"{layer.name}/weights", data, scale)
    return layer.emit(DepthwiseConv2D, [x, weights], x.order, stride=window.stride)


def global_average_pool(layer: Layer) -> Value:
    x = layer.operand(0)
    _spatial(x)
    where = layout.image(x.rank)
    return layer.emit(Mean, [layer.arranged(x, where)], where, axes=(1, 2), keep_dims=True)


def global_max_pool(layer: Layer) -> Value:
    x = layer.operand(0)
    height, width = (1, *_spatial(x))[-2:]
    where = layout.image(x.rank)
    return layer.emit(MaxPool2D, [layer.arranged(x, where)], where, filter_height=height, filter_width=width)


def batch_normalization(layer: Layer) -> Value:
    """BatchNormalization in inference: MUL and ADD by a constant for each channel, which the passes fold."""
    if layer.node.integer("training_mode", 0) or len([name for name in layer.node.outputs if name]) > 1:
        raise Reject("is in training mode", "a model exported for inference")
    x = layer.operand(0)
    if x.rank < 2:
        raise Reject(f"the input has rank {x.rank}", "[batch, channels, ...]")
    gain, beta, mean, variance = (
        layer.array(place, what).astype(np.float64).reshape(-1)
        for place, what in enumerate(("scale", "bias", "mean", "variance"), start=1)
    )
    if {len(gain), len(beta), len(mean), len(variance)} != {x.shape[1]}:
        raise Reject("scale, bias, mean and variance do not have one number for each channel")
    root = np.sqrt(variance + layer.node.real("epsilon", 1e-5))
    with np.errstate(all="ignore"):
        factor, offset = gain / root, beta - mean * gain / root
    if not (np.isfinite(factor).all() and np.isfinite(offset).all()):
        raise Reject("the variance is negative or the parameters are not finite")
    shape = (1, x.shape[1], *(1,) * (x.rank - 2))
    scale, shift = (
        layer.arranged(constant(f"{layer.name}/{role}", data.astype(np.float32).reshape(shape)), x.order)
        for role, data in (("scale", factor), ("shift", offset))
    )
    scaled = layer.emit(Mul, [x, scale], x.order, "/scaled", inner=True)
    return layer.emit(Add, [scaled, shift], x.order)


DECODERS = {
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Conv": conv,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "MaxPool": max_pool,
}
