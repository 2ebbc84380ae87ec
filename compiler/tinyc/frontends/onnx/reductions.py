"""Operators that take axes together: means, sums, extremes, their positions, and running sums."""

from __future__ import annotations

from collections.abc import Callable

from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.elementwise import combined
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.movement import axes_of
from tinyc.frontends.onnx.value import Value
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import Add, ArgMax, ArgMin, Cumsum, Mean, Mul, Op, ReduceMax, ReduceMin, Sqrt, Sum
from tinyc.ir.ops.reduction import Reduction


def reduction(op: type[Reduction]) -> Callable[[Layer], Value]:
    def decode(layer: Layer) -> Value:
        return _reduced(layer, op, layer.operand(0))

    return decode


def _reduced(layer: Layer, op: type[Reduction], x: Value, suffix: str = "", *, inner: bool = False) -> Value:
    """Axes are an attribute in older operator sets; without any all are meant."""
    given = layer.attribute_or_input("axes", 1)
    if not given:
        if layer.node.integer("noop_with_empty_axes", 0):
            return x
        given = tuple(range(x.rank))
    axes = axes_of(given, x.rank)
    if not axes:
        raise Reject("reduces a number without axes", "at least one axis")
    keep = bool(layer.node.integer("keepdims", 1))
    order = x.order if keep else layout.without_axes(x.order, axes)
    places = tuple(sorted(map(x.place, axes)))
    return layer.emit(op, [x], order, suffix, inner=inner, axes=places, keep_dims=keep)


def _of_squares(layer: Layer) -> Value:
    x = layer.operand(0)
    return layer.emit(Mul, [x, x], x.order, "/squares", inner=True)


def sum_of_squares(layer: Layer) -> Value:
    return _reduced(layer, Sum, _of_squares(layer))


def length(layer: Layer) -> Value:
    """ReduceL2: the root of the sum of squares."""
    total = _reduced(layer, Sum, _of_squares(layer), "/sum", inner=True)
    return layer.emit(Sqrt, [total], total.order)


def extreme_position(op: type[Op]) -> Callable[[Layer], Value]:
    """ArgMax and ArgMin, whose results are int32."""

    def decode(layer: Layer) -> Value:
        x, node = layer.operand(0), layer.node
        if node.integer("select_last_index", 0):
            raise Reject("takes the last of equal elements", "the first")
        axis = node.integer("axis", 0)
        place, own = x.place(axis), axis % x.rank
        order = layout.without_axes(x.order, (own,))
        found = layer.emit(op, [x], order, axis=place)
        if not node.integer("keepdims", 1):
            return found
        return layer.reshaped(found, (*x.shape[:own], 1, *x.shape[own + 1 :]))

    return decode


def cumsum(layer: Layer) -> Value:
    x, node = layer.operand(0), layer.node
    (axis,) = layer.integers(1, "axis")
    return layer.emit(
        Cumsum,
        [x],
        x.order,
        axis=x.place(axis),
        exclusive=bool(node.integer("exclusive", 0)),
        reverse=bool(node.integer("reverse", 0)),
    )


def mean(layer: Layer) -> Value:
    """Mean of any number of operands."""
    first, *rest = layer.operands
    if not rest:
        return first
    for place, value in enumerate(rest):
        first = combined(layer, Add, first, value, f"/sum{place}", inner=True)
    return combined(layer, Mul, first, layer.scalar(1.0 / (len(rest) + 1)))


DECODERS: dict[str, Callable[[Layer], Value]] = {
    "ArgMax": extreme_position(ArgMax),
    "ArgMin": extreme_position(ArgMin),
    "CumSum": cumsum,
    "Mean": mean,
    "ReduceL2": length,
    "ReduceMax": reduction(ReduceMax),
    "ReduceMean": reduction(Mean),
    "ReduceMin": reduction(ReduceMin),
    "ReduceSum": reduction(Sum),
    "ReduceSumSquare": sum_of_squares,
}
