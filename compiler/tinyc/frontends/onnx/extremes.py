"""Operators that choose between values or bound them: Max, Min, Clip and PRelu."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyc.frontends.onnx.elementwise import combined, common_order, widened
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.value import Value, dequantized
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import Maximum, Minimum, Op, Prelu, Relu, Relu0To1, Relu6, ReluN1To1
from tinyc.ir.ops.extremes import Extreme
from tinyc.ir.tensor import Tensor

# The largest number that exporters write for "no bound".
_OPEN = 3.4e38
_CLIPS: dict[tuple[float, float], type[Op]] = {
    (-1.0, 1.0): ReluN1To1,
    (0.0, 1.0): Relu0To1,
    (0.0, 6.0): Relu6,
}


def clip(layer: Layer) -> Value:
    """Clip by constant bounds, which are attributes before operator set 11."""
    x, node = layer.operand(0), layer.node
    low, high = (
        node.real(name, bound) if node.opset < 11 else layer.real(place, name, bound)
        for place, (name, bound) in enumerate((("min", -_OPEN), ("max", _OPEN)), start=1)
    )
    if low == 0.0 and high >= _OPEN:
        return layer.emit(Relu, [x], x.order)
    if (low, high) in _CLIPS:
        return layer.emit(_CLIPS[low, high], [x], x.order)
    if low > -_OPEN:
        x = _chosen(layer, Maximum, x, layer.scalar(low), "/low" if high < _OPEN else "")
    if high < _OPEN:
        x = _chosen(layer, Minimum, x, layer.scalar(high), "")
    return x


def extreme(op: type[Extreme]) -> Callable[[Layer], Value]:
    """Max or Min of any number of operands."""

    def decode(layer: Layer) -> Value:
        first, *rest = layer.operands
        for place, value in enumerate(rest):
            first = _chosen(layer, op, first, value, "" if place == len(rest) - 1 else f"/part{place}")
        return first

    return decode


def _chosen(layer: Layer, op: type[Extreme], x: Value, y: Value, suffix: str) -> Value:
    """Both operands in one scale, in which stored numbers compare as the real ones do."""
    if x.is_constant:
        x, y = y, x
    y = _in_scale_of(layer, y, x)
    order = common_order((x, y))
    return layer.emit(op, [widened(layer, value, order) for value in (x, y)], order, suffix)


def _in_scale_of(layer: Layer, value: Value, other: Value) -> Value:
    scale = layer.scale_of(other)
    if scale.quantization is None:
        return value
    if not value.is_constant:
        return layer.requantized(value, scale)
    steps = (
        np.rint(dequantized(value.tensor).astype(np.float64) / other.tensor.scale) + other.tensor.zero_point
    )
    limits = np.iinfo(scale.dtype.numpy)
    data = np.clip(steps, limits.min, limits.max).astype(scale.dtype.numpy)
    return Value(Tensor(value.tensor.name, data.shape, scale.dtype, scale.quantization, data), value.order)


def prelu(layer: Layer) -> Value:
    """PRelu: the slopes broadcast to the input, mostly one for each channel."""
    x, slope = layer.operand(0), layer.operand(1)
    if layer.node.opset < 7 and slope.rank == 1 and x.rank > 1:
        slope = layer.reshaped(slope, (*slope.shape, *(1,) * (x.rank - 2)))
    if slope.rank > x.rank:
        raise Reject(f"slopes of rank {slope.rank} for an input of rank {x.rank}", "slopes that broadcast")
    return combined(layer, Prelu, x, slope)


DECODERS: dict[str, Callable[[Layer], Value]] = {
    "Clip": clip,
    "Max": extreme(Maximum),
    "Min": extreme(Minimum),
    "PRelu": prelu,
}
