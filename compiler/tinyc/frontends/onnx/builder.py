"""The graph under construction: values of the file by name, and what a decoder may do at its node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.frontends.names import Names, printable
from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.layout import Order
from tinyc.frontends.onnx.node import Node
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import Op, Reshape, Source, Transpose
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor, TensorName

_MOST_PARAMETERS = 1024


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the file: the tensor that holds it and the order of its axes there."""

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


class Builder:
    """Collects tensors and ops. `file` stands in the source of each op."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.tensors: dict[TensorName, Tensor] = {}
        self.ops: list[Op] = []
        self._tensor_names = Names()
        self._layer_names = Names()
        self._moved: dict[tuple[TensorName, Order], Value] = {}

    def input(self, name: str, shape: Shape, dtype: DType, order: Order) -> Value:
        own = self._tensor_names.unique(printable(name) or "input")
        tensor = Tensor(own, layout.stored_shape(shape, order), dtype)
        self.tensors[own] = tensor
        return Value(tensor, order)

    def layer(self, name: str) -> str:
        return self._layer_names.unique(name)

    def result(
        self, name: str, shape: Shape, dtype: DType, quantization: Quantization | None = None
    ) -> Tensor:
        own = self._tensor_names.unique(name)
        self.tensors[own] = Tensor(own, shape, dtype, quantization)
        return self.tensors[own]

    def operand(self, value: Value) -> TensorName:
        """The name of a value that an op is going to read; constants are filed when they are first read."""
        tensor = value.tensor
        present = self.tensors.get(tensor.name)
        if present is not None and (present is tensor or not tensor.is_constant):
            return present.name
        own = self._tensor_names.unique(tensor.name)
        self.tensors[own] = tensor if own == tensor.name else tensor.with_(name=own)
        return own

    def moved(self, value: Value, order: Order) -> Value | None:
        """The value in another order when an op was made for it already."""
        return self._moved.get((value.tensor.name, order))

    def remember(self, value: Value, moved: Value) -> None:
        self._moved[value.tensor.name, moved.order] = moved


class Emitter:
    """Appends ops under the name of a layer of the file."""

    def __init__(self, build: Builder, name: str, index: int) -> None:
        self.name = name
        self._build = build
        self._source = Source(build.file, index)

    def emit(
        self, op: type[Op], operands: Sequence[Value], order: Order, suffix: str = "", **fields: Any
    ) -> Value:
        """Append an op with one result, whose axes lie in `order`. Raises Reject when they do not fit."""
        (result,) = self.emit_all(op, operands, (order,), suffix, **fields)
        return result

    def emit_all(
        self,
        op: type[Op],
        operands: Sequence[Value],
        orders: Sequence[Order],
        suffix: str = "",
        **fields: Any,
    ) -> tuple[Value, ...]:
        """Append an op with a result for each of `orders`."""
        name = self._build.layer(self.name + suffix)
        inputs = tuple(self._build.operand(value) for value in operands)
        made = op(name=name, inputs=inputs, outputs=(), source=self._source, **fields)
        try:
            shapes = made.output_shapes([self._build.tensors[operand] for operand in inputs])
        except (ValueError, IndexError) as error:
            raise Reject(str(error)) from error
        results = []
        for place, (shape, order) in enumerate(zip(shapes, orders, strict=True)):
            tail = f":{place}" if len(shapes) > 1 else ""
            results.append(Value(self._build.result(name + tail, shape, DType.FLOAT32), order))
        self._build.ops.append(made.with_(outputs=tuple(value.tensor.name for value in results)))
        return tuple(results)

    def arranged(self, value: Value, order: Order) -> Value:
        """The value with its axes in `order`: constants now, activations by TRANSPOSE and RESHAPE."""
        if value.order == order:
            return value
        if value.tensor.data is not None:
            data = layout.arranged(value.tensor.data, value.order, order)
            tensor = value.tensor.with_(shape=data.shape, data=data, quantization=_moved_axis(value, order))
            return Value(tensor, order)
        known = self._build.moved(value, order)
        if known is None:
            known = self._moved(value, order)
            self._build.remember(value, known)
        return known

    def _moved(self, value: Value, order: Order) -> Value:
        shape, bare = value.shape, layout.own_axes(order)
        if layout.same_elements(shape, value.order, order):
            return self._reshape(value, layout.stored_shape(shape, order), order)
        own = layout.own_axes(value.order)
        if own != value.order:
            value = self._reshape(value, layout.stored_shape(shape, own), own)
        permutation = tuple(own.index(axis) for axis in bare)
        moved = self.emit(Transpose, [value], bare, "/transpose", permutation=permutation)
        if bare == order:
            return moved
        return self._reshape(moved, layout.stored_shape(shape, order), order)

    def _reshape(self, value: Value, stored: Shape, order: Order) -> Value:
        return self.emit(Reshape, [value], order, "/reshape", shape=stored)

    def plain(self, value: Value) -> Value:
        """The value in the file's own order."""
        return self.arranged(value, layout.plain(value.rank))

    def reshaped(self, value: Value, shape: Shape) -> Value:
        """The elements, in the file's sequence, under another shape of the file."""
        if value.shape == shape:
            return value
        if value.tensor.data is not None:
            whole = self.plain(value).tensor
            return Value(
                whole.with_(shape=shape, data=whole.constant.reshape(shape)), layout.plain(len(shape))
            )
        if not layout.same_elements(value.shape, value.order, layout.plain(value.rank)):
            value = self.plain(value)
        return self.emit(Reshape, [value], layout.plain(len(shape)), shape=shape)


class Layer(Emitter):
    """A node of the file with its operands, for the decoder of its operator."""

    def __init__(self, build: Builder, node: Node, operands: Sequence[Value | None], name: str) -> None:
        super().__init__(build, name, node.index)
        self.node = node
        self._operands = tuple(operands)

    def optional(self, position: int) -> Value | None:
        return self._operands[position] if position < len(self._operands) else None

    def operand(self, position: int) -> Value:
        """An input that has to be there."""
        value = self.optional(position)
        if value is None:
            raise Reject(f"input {position} is absent")
        return value

    @property
    def operands(self) -> tuple[Value, ...]:
        """All inputs; none may be absent."""
        return tuple(self.operand(position) for position in range(len(self._operands)))

    def array(self, position: int, what: str) -> Array:
        """The data of a constant input."""
        value = self.operand(position)
        if value.tensor.data is None:
            raise Reject(f"{what} is computed at run time", f"a constant {what}")
        return layout.arranged(value.tensor.data, value.order, layout.plain(value.rank))

    def integers(self, position: int, what: str) -> tuple[int, ...]:
        """The values of a constant integer input."""
        data = self.array(position, what)
        if data.dtype.kind not in "iu" or data.size > _MOST_PARAMETERS:
            raise Reject(f"{what} is {data.dtype}{list(data.shape)}", f"a few integers for {what}")
        return tuple(int(value) for value in data.reshape(-1))

    def real(self, position: int, what: str, default: float) -> float:
        """The value of a constant input with one element, `default` when it is absent."""
        if self.optional(position) is None:
            return default
        data = self.array(position, what)
        if data.size != 1:
            raise Reject(f"{what} has {data.size} elements", "one")
        return float(data.reshape(-1)[0])

    def attribute_or_input(self, name: str, position: int) -> tuple[int, ...] | None:
        """Integers that older operator sets have as an attribute and newer ones as an input."""
        given = self.node.integers(name)
        if given is None and self.optional(position) is not None:
            return self.integers(position, name)
        return given

    def scalar(self, value: float) -> Value:
        return constant(f"{self.name}/value", np.array(value, np.float32))


def _moved_axis(value: Value, order: Order) -> Quantization | None:
    """The quantization of a constant with the axis of its scales where the axis of the file goes."""
    quantization = value.tensor.quantization
    if quantization is None or quantization.axis is None:
        return quantization
    axis = order.index(value.order[quantization.axis])
    return Quantization(quantization.scale, quantization.zero_point, axis)
