"""A value of the file: the tensor that holds it, and how its axes lie there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.frontends.names import printable
from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.layout import Order
from tinyc.frontends.reject import Reject
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor


@dataclass(frozen=True, slots=True)
class Value:
    """A constant or an activation, and the order of its axes."""

    tensor: Tensor
    order: Order

    @property
    def shape(self) -> Shape:
        """The shape in the file."""
        return layout.onnx_shape(self.tensor.shape, self.order)

    @property
    def rank(self) -> int:
        return len(layout.own_axes(self.order))

    @property
    def is_constant(self) -> bool:
        return self.tensor.is_constant

    def transposed(self, permutation: tuple[int, ...]) -> Value:
        """The value with its axes renumbered: axis i of the result is axis `permutation[i]` of this one."""
        order = tuple(axis if axis == layout.ADDED else permutation.index(axis) for axis in self.order)
        return Value(self.tensor, order)

    def place(self, axis: int) -> int:
        """Where an axis of the file lies in memory; negative axes count from the end. Raises Reject."""
        if not -self.rank <= axis < self.rank:
            raise Reject(f"axis {axis} of an input of rank {self.rank}", "an axis that exists")
        return self.order.index(axis % self.rank)


def constant(name: str, data: Array, quantization: Quantization | None = None) -> Value:
    """A constant of the file. Raises Reject for a type that tinyc does not know."""
    try:
        dtype = DType.of(data.dtype)
    except KeyError as error:
        raise Reject(f"the constant {name} holds {data.dtype.name}") from error
    tensor = Tensor(printable(name) or "constant", data.shape, dtype, quantization, data)
    return Value(tensor, layout.plain(data.ndim))


def dequantized(tensor: Tensor) -> Array:
    """The real values of a constant, float32."""
    quantization = tensor.quantization
    if quantization is None:
        return tensor.constant.astype(np.float32)
    extents = [1] * len(tensor.shape)
    if quantization.axis is not None:
        extents[quantization.axis] = -1
    scale, zero_point = (
        np.reshape(numbers, extents if len(numbers) > 1 else [1] * len(extents))
        for numbers in (quantization.scale, quantization.zero_point)
    )
    return np.asarray((tensor.constant.astype(np.float64) - zero_point) * scale, np.float32)


def real(value: Value) -> Value:
    """A quantized constant as an operator on real numbers reads it."""
    tensor = value.tensor
    if not value.is_constant or tensor.quantization is None:
        return value
    data = dequantized(tensor)
    return Value(tensor.with_(dtype=DType.FLOAT32, quantization=None, data=data), value.order)


def moved_axis(value: Value, order: Order) -> Quantization | None:
    """The quantization of a constant with the axis of its scales where the axis of the file goes."""
    quantization = value.tensor.quantization
    if quantization is None or quantization.axis is None:
        return quantization
    axis = order.index(value.order[quantization.axis])
    return Quantization(quantization.scale, quantization.zero_point, axis)
