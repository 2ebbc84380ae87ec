"""Operators that work element by element, in whatever order the elements lie."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.layout import Order
from tinyc.frontends.onnx.value import Value
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import (
    Activation,
    Add,
    HardSwish,
    LeakyRelu,
    Logistic,
    Mul,
    Op,
    Relu,
    Relu6,
    Softmax,
    Sub,
    Tanh,
)
from tinyc.ir.tensor import DType, Quantization, Tensor


def unary(op: type[Op]) -> Callable[[Layer], Value]:
    def decode(layer: Layer) -> Value:
        x = layer.operand(0)
        return layer.emit(op, [x], x.order)

    return decode


def leaky_relu(layer: Layer) -> Value:
    x = layer.operand(0)
    return layer.emit(LeakyRelu, [x], x.order, alpha=layer.node.real("alpha", 0.01))


def clip(layer: Layer) -> Value:
    """Clip to the range of a ReLU; bounds are attributes before operator set 11."""
    x, node = layer.operand(0), layer.node
    low, high = (
        node.real(name, bound) if node.opset < 11 else layer.real(place, name, bound)
        for place, (name, bound) in enumerate((("min", -3.4e38), ("max", 3.4e38)), start=1)
    )
    if low <= -3.4e38 and high >= 3.4e38:
        return x
    if low == 0.0 and high >= 3.4e38:
        return layer.emit(Relu, [x], x.order)
    if low == 0.0 and high == 6.0:
        return layer.emit(Relu6, [x], x.order)
    raise Reject(f"clips to [{low:g}, {high:g}]", "[0, 6] or [0, infinity]")


def hard_sigmoid(layer: Layer) -> Value:
    """HardSigmoid max(0, min(1, alpha x + beta)), as a RELU6 of six times that."""
    x = layer.operand(0)
    alpha, beta = layer.node.real("alpha", 0.2), layer.node.real("beta", 0.5)
    slope = layer.emit(Mul, [x, layer.scalar(6.0 * alpha)], x.order, "/slope", inner=True)
    offset = layer.scalar(6.0 * beta)
    clamped = layer.emit(Add, [slope, offset], x.order, "/clamped", inner=True, activation=Activation.RELU6)
    return layer.emit(Mul, [clamped, layer.scalar(1.0 / 6.0)], x.order)


def identity(layer: Layer) -> Value:
    """Identity, and Dropout in inference."""
    if layer.node.op == "Dropout" and layer.optional(2) is not None and layer.real(2, "training_mode", 0.0):
        raise Reject("is in training mode", "a model exported for inference")
    return layer.operand(0)


def cast(layer: Layer) -> Value:
    """Cast between real types, all of which are float32 here."""
    x = layer.operand(0)
    if x.tensor.dtype is not DType.FLOAT32 or layer.node.integer("to", 0) not in (1, 10, 11, 16):
        raise Reject("changes between integers and real numbers at run time", "real to real")
    return x


def binary(op: type[Op]) -> Callable[[Layer], Value]:
    def decode(layer: Layer) -> Value:
        return combined(layer, op, layer.operand(0), layer.operand(1))

    return decode


def div(layer: Layer) -> Value:
    """Division by a constant, as a multiplication by its reciprocal."""
    x, y = layer.operand(0), layer.operand(1)
    data = y.tensor.data
    if data is None or data.dtype.kind != "f" or not np.all(data):
        raise Reject("divides by what is computed at run time, or by 0", "a constant divisor")
    with np.errstate(over="ignore"):
        inverse = (1.0 / data.astype(np.float64)).astype(np.float32)
    if not np.isfinite(inverse).all():
        raise Reject("divides by nearly 0", "a divisor whose reciprocal is finite")
    return combined(layer, Mul, x, Value(y.tensor.with_(data=inverse), y.order))


def total(layer: Layer) -> Value:
    """Sum of any number of operands."""
    first, *rest = layer.operands
    for place, value in enumerate(rest):
        last = place == len(rest) - 1
        first = combined(layer, Add, first, value, "" if last else f"/sum{place}", inner=not last)
    return first


def combined(
    layer: Layer, op: type[Op], x: Value, y: Value, suffix: str = "", *, inner: bool = False
) -> Value:
    """A binary op on operands that broadcast as in NumPy."""
    order = common_order((x, y))
    operands = [widened(layer, value, order) for value in (x, y)]
    if any(value.tensor.quantization is not None and not value.is_constant for value in operands):
        operands = [_quantized(value) for value in operands]
    return layer.emit(op, operands, order, suffix, inner=inner)


def _quantized(value: Value) -> Value:
    """A real number beside quantized values, in a scale of its own that holds it exactly."""
    tensor = value.tensor
    if tensor.data is None or tensor.dtype is not DType.FLOAT32:
        return value
    if tensor.elements != 1:
        raise Reject("a constant of a quantized layer is float32", "DequantizeLinear of int8, or one number")
    number = float(tensor.data.reshape(-1)[0])
    scale = Quantization((abs(number) / 127.0 if number else 1.0,), (0,))
    data = np.full(tensor.shape, np.sign(number) * 127, np.int8)
    return Value(Tensor(tensor.name, tensor.shape, DType.INT8, scale, data), value.order)


def common_order(values: tuple[Value, ...]) -> Order:
    """The order for a result of all values: that of a first activation of full rank, best a changed one."""
    rank = max(value.rank for value in values)
    orders = [value.order for value in values if value.rank == rank and not value.is_constant]
    changed = [order for order in orders if order != layout.plain(rank)]
    return (changed or orders or [layout.plain(rank)])[0]


def widened(layer: Layer, value: Value, order: Order) -> Value:
    """The value with axes of 1 in front, up to the rank of `order`, in that order."""
    missing = len(layout.own_axes(order)) - value.rank
    if missing and value.shape != () and not (value.is_constant and value.tensor.elements == 1):
        value = layer.reshaped(value, (*(1,) * missing, *value.shape))
    elif value.rank < len(layout.own_axes(order)):
        # A scalar broadcasts as it is.
        return value
    return layer.arranged(value, order)


def softmax(layer: Layer) -> Value:
    """Softmax over one axis; before operator set 13 over all axes from `axis` on, taken together."""
    x, node = layer.operand(0), layer.node
    axis = node.integer("axis", -1 if node.opset >= 13 else 1)
    place = x.place(axis) if x.rank else 0
    axis %= max(x.rank, 1)
    if node.opset < 13 and any(extent != 1 for extent in x.shape[axis + 1 :]):
        rows = int(np.prod(x.shape[:axis]))
        flat = layer.reshaped(x, (rows, int(np.prod(x.shape[axis:]))))
        return layer.reshaped(layer.emit(Softmax, [flat], flat.order, "/rows"), x.shape)
    if place != len(x.order) - 1:
        own = layout.own_axes(x.order)
        x = layer.arranged(x, (*(other for other in own if other != axis), axis))
    return layer.emit(Softmax, [x], x.order)


DECODERS: dict[str, Callable[[Layer], Value]] = {
    "Add": binary(Add),
    "Cast": cast,
    "Clip": clip,
    "Div": div,
    "Dropout": identity,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": unary(HardSwish),
    "Identity": identity,
    "LeakyRelu": leaky_relu,
    "Mul": binary(Mul),
    "Relu": unary(Relu),
    "Sigmoid": unary(Logistic),
    "Softmax": softmax,
    "Sub": binary(Sub),
    "Sum": total,
    "Tanh": unary(Tanh),
}
