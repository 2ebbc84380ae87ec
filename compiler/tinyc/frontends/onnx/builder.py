"""The graph under construction: tensors and ops, and how they are added under the name of a layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tinyc.frontends.names import Names, printable
from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.layout import Order
from tinyc.frontends.onnx.scales import REAL, Scale
from tinyc.frontends.onnx.value import Value, moved_axis, real
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import (
    AveragePool2D,
    Concatenation,
    L2Normalization,
    Logistic,
    LogSoftmax,
    MaxPool2D,
    Op,
    Pad,
    Quantize,
    Reshape,
    ResizeBilinear,
    Softmax,
    Source,
    Split,
    StridedSlice,
    Take,
    Tanh,
    Transpose,
)
from tinyc.ir.ops.arg_extreme import ArgExtreme
from tinyc.ir.ops.extremes import Extreme
from tinyc.ir.ops.reduce_extreme import ReduceExtreme
from tinyc.ir.tensor import DType, Quantization, Shape, Tensor, TensorName

# Their results have the scale of what they read.
_MOVES = (
    *(AveragePool2D, Concatenation, Extreme, MaxPool2D, Pad, ReduceExtreme, Reshape, ResizeBilinear, Split),
    *(StridedSlice, Take, Transpose),
)
# Their results in int8 have one scale, as in TensorFlow Lite.
_FIXED: dict[type[Op], Quantization] = {
    L2Normalization: Quantization((1.0 / 128.0,), (0,)),
    LogSoftmax: Quantization((1.0 / 16.0,), (127,)),
    Logistic: Quantization((1.0 / 256.0,), (-128,)),
    Softmax: Quantization((1.0 / 256.0,), (-128,)),
    Tanh: Quantization((1.0 / 128.0,), (0,)),
}


class Builder:
    """Collects tensors and ops. `file` stands in the source of each op, `scales` are those of the file."""

    def __init__(self, file: str, scales: Mapping[str, Scale]) -> None:
        self.file = file
        self.scales = scales
        self.tensors: dict[TensorName, Tensor] = {}
        self.ops: list[Op] = []
        self._tensor_names = Names()
        self._layer_names = Names()
        self._moved: dict[tuple[TensorName, Order], Value] = {}

    def input(self, name: str, shape: Shape, order: Order) -> Value:
        """An input of the model: float32, or of the type and scale that the file gives to it."""
        own, scale = printable(name) or "input", self.scales.get(name, REAL)
        return Value(
            self.result(own, layout.stored_shape(shape, order), scale.dtype, scale.quantization), order
        )

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


def _scale(op: type[Op], source: Tensor, wanted: Scale | None) -> Scale:
    """Type and scale of a result: those that the operator asks for, else those of the file."""
    if issubclass(op, ArgExtreme):
        return Scale(DType.INT32, None)
    if issubclass(op, _MOVES):
        return Scale(source.dtype, source.quantization)
    if op is not Quantize and source.quantization is None:
        return REAL
    if op in _FIXED and source.dtype is DType.INT8:
        return Scale(DType.INT8, _FIXED[op])
    if wanted is None:
        raise Reject("a result of it has no scale", "QuantizeLinear and DequantizeLinear behind it")
    return wanted


class Emitter:
    """Appends ops under the name of a layer of the file."""

    def __init__(self, build: Builder, name: str, index: int, wanted: Sequence[Scale | None] = ()) -> None:
        self.name = name
        self._wanted = tuple(wanted)
        self._build = build
        self._source = Source(build.file, index)

    def emit(
        self,
        op: type[Op],
        operands: Sequence[Value],
        order: Order,
        suffix: str = "",
        *,
        inner: bool = False,
        scale: Scale | None = None,
        **fields: Any,
    ) -> Value:
        """Append an op with one result, whose axes lie in `order`. Raises Reject when they do not fit.

        `inner` says that the result is none of the file, so that the file has no scale for it; `scale` is
        used in place of the file's.
        """
        wanted = (scale,) if scale is not None or inner else self._wanted
        (result,) = self.emit_all(op, operands, (order,), suffix, wanted, **fields)
        return result

    def emit_all(
        self,
        op: type[Op],
        operands: Sequence[Value],
        orders: Sequence[Order],
        suffix: str = "",
        wanted: Sequence[Scale | None] = (),
        **fields: Any,
    ) -> tuple[Value, ...]:
        """Append an op with a result for each of `orders`; `wanted` are their scales in the file."""
        source = next((value for value in operands if not value.is_constant), operands[0]).tensor
        if source.quantization is None:
            operands = [real(value) for value in operands]
        missing = (None,) * (len(orders) - len(wanted))
        scales = [_scale(op, source, scale) for scale in (*wanted[: len(orders)], *missing)]
        name = self._build.layer(self.name + suffix)
        inputs = tuple(self._build.operand(value) for value in operands)
        made = op(name=name, inputs=inputs, outputs=(), source=self._source, **fields)
        try:
            shapes = made.output_shapes([self._build.tensors[operand] for operand in inputs])
        except (ValueError, IndexError) as error:
            raise Reject(str(error)) from error
        results = []
        for place, (shape, order, scale) in enumerate(zip(shapes, orders, scales, strict=True)):
            tail = f":{place}" if len(shapes) > 1 else ""
            tensor = self._build.result(name + tail, shape, scale.dtype, scale.quantization)
            results.append(Value(tensor, order))
        self._build.ops.append(made.with_(outputs=tuple(value.tensor.name for value in results)))
        return tuple(results)

    @staticmethod
    def scale_of(value: Value) -> Scale:
        return Scale(value.tensor.dtype, value.tensor.quantization)

    def requantized(self, value: Value, scale: Scale) -> Value:
        """The value in another scale."""
        if value.tensor.quantization in (None, scale.quantization):
            return value
        return self.emit(Quantize, [value], value.order, "/requantize", scale=scale)

    def arranged(self, value: Value, order: Order) -> Value:
        """The value with its axes in `order`: constants now, activations by TRANSPOSE and RESHAPE."""
        if value.order == order:
            return value
        if value.tensor.data is not None:
            data = layout.arranged(value.tensor.data, value.order, order)
            tensor = value.tensor.with_(shape=data.shape, data=data, quantization=moved_axis(value, order))
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
        if math.prod(shape) != value.tensor.elements or min(shape, default=1) < 1:
            raise Reject(f"{list(value.shape)} has not the elements of {list(shape)}", "as many elements")
        if value.tensor.data is not None:
            whole = self.plain(value).tensor
            if whole.quantization is not None and whole.quantization.per_channel:
                raise Reject("reshapes a constant with a scale for each channel", "one scale")
            return Value(
                whole.with_(shape=shape, data=whole.constant.reshape(shape)), layout.plain(len(shape))
            )
        groups = layout.groups(value.shape, shape)
        # The groups stay where they are in memory; within each the axes have to follow one another.
        ordered = sorted(groups, key=lambda group: layout.first_place(value.shape, value.order, group[0]))
        value = self.arranged(value, tuple(axis for old, _ in ordered for axis in old))
        order = tuple(axis for _, new in ordered for axis in new)
        return self.emit(Reshape, [value], order, shape=layout.stored_shape(shape, order))
