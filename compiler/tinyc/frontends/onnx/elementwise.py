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
    Abs,
    Activation,
    Add,
    Div,
    Elu,
    Exp,
    Gelu,
    HardSwish,
    LeakyRelu,
    Log,
    Logistic,
    LogSoftmax,
    Mul,
    Op,
    Relu,
    Softmax,
    Sqrt,
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


def elu(layer: Layer) -> Value:
    x, alpha = layer.operand(0), layer.node.real("alpha", 1.0)
    if alpha != 1.0:
        raise Reject(f"alpha is {alpha:g}", "1")
    return layer.emit(Elu, [x], x.order)


def gelu(layer: Layer) -> Value:
    x = layer.operand(0)
    return layer.emit(Gelu, [x], x.order, approximate=layer.node.text("approximate", "none") == "tanh")


def power(layer: Layer) -> Value:
    """Pow by 2 or one half."""
    x, exponent = layer.operand(0), layer.real(1, "exponent", 2.0)
    if exponent == 2.0:
        return layer.emit(Mul, [x, x], x.order)
    if exponent == 0.5:
        return layer.emit(Sqrt, [x], x.order)
    raise Reject(f"the exponent is {exponent:g}", "2 or 0.5")


def negated(layer: Layer) -> Value:
    """Neg, as a product: TensorFlow Lite's NEG keeps the scale, which seldom suits both signs."""
    x = layer.operand(0)
    return layer.emit(Mul, [x, _beside(x, layer.scalar(-1.0))], x.order)


def swish(layer: Layer) -> Value:
    """Swish: x times the sigmoid of alpha x."""
    x, alpha = layer.operand(0), layer.node.real("alpha", 1.0)
    scaled = x if alpha == 1.0 else layer.emit(Mul, [x, layer.scalar(alpha)], x.order, "/scaled", inner=True)
    gate = layer.emit(Logistic, [scaled], x.order, "/gate", inner=True)
    return layer.emit(Mul, [x, gate], x.order)


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
    if x.tensor.dtype is not DType.FLOAT32 or layer.node.integer("to", 0) not in (1, 10, 11):
        raise Reject("changes between integers and real numbers at run time", "real to real")
    return x


def binary(op: type[Op]) -> Callable[[Layer], Value]:
    def decode(layer: Layer) -> Value:
        return combined(layer, op, layer.operand(0), _aligned(layer))

    return decode


def _aligned(layer: Layer) -> Value:
    """The second operand; before operator set 7 its axes may belong to those of the first from `axis` on."""
    x, y = layer.operand(0), layer.operand(1)
    axis = layer.node.integer("axis", x.rank - y.rank) if layer.node.opset < 7 else x.rank - y.rank
    behind = x.rank - y.rank - axis
    return layer.reshaped(y, (*y.shape, *(1,) * behind)) if behind > 0 else y


def div(layer: Layer) -> Value:
    """Division by a real constant as a multiplication by its reciprocal, any other as a quotient."""
    x, y = layer.operand(0), _aligned(layer)
    data = y.tensor.data
    if data is None or data.dtype.kind != "f":
        return combined(layer, Div, x, y)
    with np.errstate(over="ignore", divide="ignore"):
        inverse = (1.0 / data.astype(np.float64)).astype(np.float32)
    if not np.isfinite(inverse).all():
        raise Reject("divides by 0 or nearly 0", "a divisor whose reciprocal is finite")
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
    active = next((value for value in operands if not value.is_constant), operands[0])
    return layer.emit(op, [_beside(active, value) for value in operands], order, suffix, inner=inner)


def _beside(active: Value, value: Value) -> Value:
    """A real number that an operator reads beside quantized values: in a scale that holds it exactly."""
    tensor = value.tensor
    if active.tensor.quantization is None or tensor.data is None or tensor.dtype is not DType.FLOAT32:
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


def softmax(layer: Layer, op: type[Op] = Softmax) -> Value:
    """Softmax over one axis; before operator set 13 over all axes from `axis` on, taken together."""
    x, node = layer.operand(0), layer.node
    axis = node.integer("axis", -1 if node.opset >= 13 else 1)
    place = x.place(axis)
    axis %= x.rank
    if node.opset < 13 and any(extent != 1 for extent in x.shape[axis + 1 :]):
        rows = int(np.prod(x.shape[:axis]))
        flat = layer.reshaped(x, (rows, int(np.prod(x.shape[axis:]))))
        return layer.reshaped(layer.emit(op, [flat], flat.order, "/rows"), x.shape)
    if place != len(x.order) - 1:
        own = layout.own_axes(x.order)
        x = layer.arranged(x, (*(other for other in own if other != axis), axis))
    return layer.emit(op, [x], x.order)


def log_softmax(layer: Layer) -> Value:
    return softmax(layer, LogSoftmax)


DECODERS: dict[str, Callable[[Layer], Value]] = {
    "Abs": unary(Abs),
    "Add": binary(Add),
    "Cast": cast,
    "Div": div,
    "Dropout": identity,
    "Elu": elu,
    "Exp": unary(Exp),
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": unary(HardSwish),
    "Identity": identity,
    "LeakyRelu": leaky_relu,
    "Log": unary(Log),
    "LogSoftmax": log_softmax,
    "Mul": binary(Mul),
    "Neg": negated,
    "Pow": power,
    "Relu": unary(Relu),
    "Sigmoid": unary(Logistic),
    "Softmax": softmax,
    "Sqrt": unary(Sqrt),
    "Sub": binary(Sub),
    "Sum": total,
    "Swish": swish,
    "Tanh": unary(Tanh),
}
