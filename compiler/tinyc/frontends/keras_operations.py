"""Operations of keras.ops that stand between layers: sums, products, slices, reshapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyc.frontends.keras_activations import squared
from tinyc.frontends.keras_builder import Builder, Refused, Value
from tinyc.frontends.keras_layers import Handler, first_row, reshape
from tinyc.frontends.keras_walk import Call


def _pair(build: Builder, call: Call) -> tuple[Value, Value]:
    inputs = call.args[0] if len(call.args) == 1 else call.args
    if len(inputs) != 2:
        raise Refused(f"takes {len(inputs)} inputs", "two")
    return build.value(inputs[0]), build.value(inputs[1])


def _add(build: Builder, call: Call) -> Value:
    return build.plus(call.name, *_pair(build, call))


def _subtract(build: Builder, call: Call) -> Value:
    left, right = _pair(build, call)
    negative = build.scaled(f"{call.name}/negative", right, -1.0) if isinstance(right, str) else -right
    return build.plus(call.name, left, negative)


def _multiply(build: Builder, call: Call) -> Value:
    left, right = _pair(build, call)
    if not isinstance(left, str):
        left, right = right, left
    if isinstance(left, str) and isinstance(right, str):
        if left != right:
            raise Refused("multiplies two activations", "a product with constants, the square of a ReLU")
        return squared(build, call, left)
    if not isinstance(left, str) or isinstance(right, str):
        return np.asarray(np.multiply(left, right), np.float32)
    units = build.shape(left)[-1]
    if np.size(right) not in (1, units) or (np.size(right) > 1 and np.shape(right)[-1] != units):
        raise Refused("multiplies rows by different numbers", "one number, or one for each unit")
    return build.scaled(call.name, left, right)


def _divide(build: Builder, call: Call) -> Value:
    left, right = _pair(build, call)
    if not isinstance(left, str) or isinstance(right, str) or np.size(right) != 1:
        raise Refused("divides by something else than a number", "a number")
    return build.scaled(call.name, left, 1.0 / np.asarray(right, np.float32))


def _square(build: Builder, call: Call) -> Value:
    return squared(build, call, build.activation(call.args[0]))


def _power(build: Builder, call: Call) -> Value:
    left, right = _pair(build, call)
    if not isinstance(left, str) or isinstance(right, str) or float(right) != 2.0:
        raise Refused("is a power", "the square of a ReLU")
    return squared(build, call, left)


def _get_item(build: Builder, call: Call) -> Value:
    key: Any = call.args[1] if len(call.args) > 1 else call.kwargs.get("key")
    parts = list(key) if isinstance(key, tuple | list) else [key]
    while parts and (parts[-1] is Ellipsis or parts[-1] == slice(None)):
        parts.pop()
    if len(parts) != 2 or parts[0] != slice(None) or parts[1] not in (0, slice(0, 1), slice(None, 1)):
        raise Refused("takes other elements than the first row", "x[:, 0] or x[:, 0:1]")
    return first_row(build, call.name, build.activation(call.args[0]), keep=parts[1] != 0)


LAYERS: dict[str, Handler] = {
    "Multiply": _multiply,
    "Subtract": _subtract,
    "ops>Add": _add,
    "ops>Divide": _divide,
    "ops>Flatten": reshape,
    "ops>GetItem": _get_item,
    "ops>Multiply": _multiply,
    "ops>Power": _power,
    "ops>Reshape": reshape,
    "ops>Square": _square,
    "ops>Squeeze": reshape,
    "ops>Subtract": _subtract,
    "ops>TrueDivide": _divide,
}
