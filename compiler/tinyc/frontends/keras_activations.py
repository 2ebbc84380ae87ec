"""Keras' activation functions and activation layers as operators."""

from __future__ import annotations

from typing import Any

from tinyc.frontends.keras_builder import Builder, Refused, Value
from tinyc.frontends.keras_walk import Call
from tinyc.ir.ops import Activation, Gelu, Linear, Logistic, Op, Silu, Softmax, SquaredRelu, Tanh
from tinyc.ir.tensor import TensorName

_FUSED = {
    "linear": Activation.NONE,
    "relu": Activation.RELU,
    "relu6": Activation.RELU6,
}
_OPS: dict[str, type[Op]] = {
    "gelu": Gelu,
    "sigmoid": Logistic,
    "silu": Silu,
    "softmax": Softmax,
    "tanh": Tanh,
}
ALLOWED = ", ".join([*_FUSED, *sorted(_OPS)]) + ", squared ReLU as Multiply()([r, r]) of a ReLU r"


def _known(function: Any) -> str:
    """The name of one of Keras' activation functions. Raises Refused for any other."""
    name = str(getattr(function, "__name__", type(function).__name__))
    if not str(getattr(function, "__module__", "")).startswith("keras.") or name not in {*_FUSED, *_OPS}:
        raise Refused(f"has the activation `{name}`", ALLOWED)
    return name


def fused(function: Any) -> Activation | None:
    """The clamp that a linear layer does by itself, None for an operator of its own."""
    return _FUSED.get(_known(function))


def activate(build: Builder, name: str, x: TensorName, function: Any) -> TensorName:
    """x through one of Keras' activation functions."""
    return _applied(build, name, x, _known(function))


def _applied(build: Builder, name: str, x: TensorName, known: str) -> TensorName:
    clamp = _FUSED.get(known)
    if clamp is None:
        return build.add(_OPS[known], name, (x,))
    return x if clamp is Activation.NONE else build.clamp(name, x, clamp)


def activation_layer(build: Builder, call: Call) -> Value:
    return activate(build, call.name, build.activation(call.args[0]), call.layer.activation)


def relu_layer(build: Builder, call: Call) -> Value:
    layer = call.layer
    if layer.negative_slope or layer.threshold or layer.max_value not in (None, 6, 6.0):
        raise Refused("has a slope, a threshold or another maximum than 6", "ReLU or ReLU6")
    clamp = Activation.RELU if layer.max_value is None else Activation.RELU6
    return build.clamp(call.name, build.activation(call.args[0]), clamp)


def softmax_layer(build: Builder, call: Call) -> Value:
    if call.layer.axis != -1 or len(call.tensors()) > 1:
        raise Refused("has a mask or another axis than the last", "Softmax() of the logits")
    return build.add(Softmax, call.name, (build.activation(call.args[0]),))


def operation(build: Builder, call: Call) -> Value:
    """An activation called as an operation of keras.ops."""
    name = type(call.layer).__name__.lower()
    if name == "softmax" and getattr(call.layer, "axis", -1) != -1:
        raise Refused("has another axis than the last", "softmax of the logits")
    x = build.activation(call.args[0])
    if name == "gelu":
        return build.add(Gelu, call.name, (x,), approximate=bool(getattr(call.layer, "approximate", True)))
    return _applied(build, call.name, x, name)


def squared(build: Builder, call: Call, x: TensorName) -> TensorName:
    """The square of a ReLU. Raises Refused for the square of anything else."""
    before = build.producer(x)
    if not isinstance(before, Linear) or before.activation is not Activation.RELU:
        raise Refused("squares something else than a ReLU", "squared ReLU")
    return build.add(SquaredRelu, call.name, (build.clamped.get(x, x),))


LAYERS = {
    "Activation": activation_layer,
    "ReLU": relu_layer,
    "Softmax": softmax_layer,
    **{f"ops>{name}": operation for name in ("Gelu", "Relu", "Relu6", "Sigmoid", "Silu", "Softmax", "Tanh")},
}
