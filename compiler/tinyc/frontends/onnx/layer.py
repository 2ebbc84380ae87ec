"""What a decoder gets: a node of the file with its operands, and what it may do with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.builder import Builder, Emitter
from tinyc.frontends.onnx.node import Node
from tinyc.frontends.onnx.value import Value, constant, dequantized
from tinyc.frontends.reject import Reject
from tinyc.ir.tensor import Array, DType, Quantization, Tensor

_MOST_PARAMETERS = 1024


class Layer(Emitter):
    """A node of the file with its operands, for the decoder of its operator."""

    def __init__(self, build: Builder, node: Node, operands: Sequence[Value | None], name: str) -> None:
        super().__init__(build, name, node.index, [build.scales.get(output) for output in node.outputs])
        self.node = node
        self._operands = tuple(operands)

    def reading(self, *operands: Value | None) -> Layer:
        """The same node with other operands."""
        return Layer(self._build, self.node, operands, self.name)

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

    @property
    def has_scale(self) -> bool:
        """True when the file gives a scale to the node's first result."""
        return self._wanted[0] is not None

    def has_other_scale(self, value: Value) -> bool:
        """True when the file gives another scale to the node's first result than the value has."""
        wanted = self._wanted[0]
        return wanted is not None and wanted.quantization != value.tensor.quantization

    def in_scale_of_result(self, value: Value) -> Value:
        """The value in the scale that the file gives to the node's first result."""
        scale = self._wanted[0]
        return value if scale is None else self.requantized(value, scale)

    def bias(self, bias: Value, x: Value, weights: Value) -> Value:
        """A constant bias as a layer adds it: in quantized ones int32, in units of input times weights."""
        if not bias.is_constant:
            raise Reject("the bias is computed at run time", "a constant bias")
        tensor = bias.tensor
        if x.tensor.quantization is None:
            row = dequantized(tensor).reshape(-1)
            return Value(Tensor(tensor.name, row.shape, DType.FLOAT32, None, row), (0,))
        if weights.tensor.quantization is None:
            raise Reject("the weights of a quantized layer are float32", "int8 with DequantizeLinear")
        scales = np.array(weights.tensor.quantization.scale) * x.tensor.scale
        quantization = Quantization(
            tuple(map(float, scales)), (0,) * len(scales), 0 if len(scales) > 1 else None
        )
        steps = tensor.constant.reshape(-1).astype(np.float64)
        given = tensor.quantization
        if tensor.dtype is DType.FLOAT32 or (given is not None and not _alike(given, quantization)):
            steps = np.rint(dequantized(tensor).reshape(-1).astype(np.float64) / scales)
        if np.abs(steps).max(initial=0.0) >= 2.0**31:
            raise Reject("the bias does not fit 32 bits in units of the input's scale times the weights'")
        data = steps.astype(np.int32)
        return Value(Tensor(tensor.name, data.shape, DType.INT32, quantization, data), (0,))


def _alike(left: Quantization, right: Quantization) -> bool:
    """True for scales that differ by their rounding to float32 alone."""
    return not any(left.zero_point) and bool(np.allclose(left.scale, right.scale, rtol=1e-5, atol=0.0))
