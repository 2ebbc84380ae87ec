"""Base classes and arithmetic of operators that work element by element."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.ops.base import Activation, Op
from tinyc.ir.ops.common import activation_range, real_range
from tinyc.ir.ops.float_order import clamp
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import (
    IntArray,
    Rounding,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)

_LEFT_SHIFT = {DType.INT8: 20, DType.UINT8: 20, DType.INT16: 15}


def broadcast_shape(*shapes: Shape) -> Shape:
    """The shape that the operands broadcast to: axes align at the end, an extent of 1 stretches.

    Raises ValueError when two extents differ and neither is 1.
    """
    rank = max(map(len, shapes))
    extents = []
    for axis in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        longest = max(axis)
        if any(extent not in (1, longest) for extent in axis):
            raise ValueError(f"shapes {' and '.join(str(list(shape)) for shape in shapes)} do not broadcast")
        extents.append(longest)
    return tuple(extents)


def on_row(op: Op, operands: Sequence[Tensor], results: Sequence[Tensor], x: Array) -> Array:
    """The reference of an element-wise op for a row of values [n] of its one activation; [n].

    Its other operands are constants of one element.
    """
    # Constants lose their shape, so that the result has the shape of the row.
    tensors = [
        t.with_(shape=(1,), data=t.constant.reshape(1)) if t.is_constant else t.with_(shape=x.shape)
        for t in operands
    ]
    values = [t.constant if t.is_constant else x for t in tensors]
    (y,) = op.reference(values, tensors, [t.with_(shape=x.shape) for t in results], Rounding.DOUBLE)
    return y


@dataclass(frozen=True, slots=True, kw_only=True)
class SameShape(Op):
    """One input, one output of the same shape."""

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        return (operands[0].shape,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function(SameShape):
    """A function of one tensor, of reals and of quantized values."""

    @abstractmethod
    def real(self, x: Array) -> Array:
        """The function of reals, as exact as NumPy has it: quantization needs no more."""

    def rounded(self, x: Array) -> Array:
        """The function in float32, rounded step by step as in C; `real`, where that takes these steps."""
        return self.real(x)

    @abstractmethod
    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        """The function on quantized values: int64 in, int64 out, within the type of `result`."""

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        operand, result = operands[0], results[0]
        if operand.dtype is DType.FLOAT32:
            y = self.real(values[0]) if rounding is Rounding.ANY else self.rounded(values[0])
            return (y.astype(np.float32),)
        y = self.quantized(values[0].astype(np.int64), operand, result)
        return (y.astype(result.dtype.numpy),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Function):
    """Each element of the output depends on its own of the input alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairwise(Op):
    """Two inputs of one type that broadcast against each other."""

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 2:
            raise ValueError(f"needs 2 inputs, got {len(operands)}")
        left, right = operands
        if left.dtype is not right.dtype:
            raise ValueError(f"inputs need one type, got {left.dtype.value[0]} and {right.dtype.value[0]}")
        return (broadcast_shape(left.shape, right.shape),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Pairwise):
    """Arithmetic of two inputs, and a fused activation. int32 without a scale wraps around."""

    activation: Activation = Activation.NONE

    @property
    def real_range(self) -> tuple[float, float]:
        """Clamp limits in float32."""
        return real_range(self.activation)

    @abstractmethod
    def real(self, left: Array, right: Array) -> Array:
        """The function in float32, and of integers without a scale in int64."""

    @abstractmethod
    def quantized(
        self, left: IntArray, right: IntArray, operands: Sequence[Tensor], result: Tensor
    ) -> IntArray:
        """The function on quantized values, before the clamp to the activation range; int64."""

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        result = results[0]
        if result.dtype is DType.FLOAT32:
            y = clamp(self.real(values[0], values[1]), *self.real_range)
            return (y.astype(np.float32),)
        left, right = (value.astype(np.int64) for value in values)
        if result.dtype is DType.INT32:
            y = self.real(left, right).astype(np.int32)
        else:
            y = self.quantized(left, right, operands, result)
        low, high = activation_range(self.activation, result)
        return (np.clip(y, low, high).astype(result.dtype.numpy),)


@dataclass(frozen=True, slots=True)
class SumScaling:
    """Fixed-point parameters of ADD and SUB.

    Both inputs are shifted left by `left_shift`, brought to twice the larger input scale, added
    and brought to the output scale. Every shift is 0 or negative. SUB negates `right_multiplier`,
    which rounds ties as TensorFlow Lite does.
    """

    left_shift: int
    left_multiplier: int
    left_exponent: int
    right_multiplier: int
    right_exponent: int
    output_multiplier: int
    output_exponent: int


def sum_scaling(left: Tensor, right: Tensor, result: Tensor, *, negate_right: bool = False) -> SumScaling:
    """Scaling of a quantized sum (TensorFlow Lite: add.cc, sub.cc).

    Raises ValueError when the output scale is so fine that the result cannot be represented.
    """
    left_shift = _LEFT_SHIFT[result.dtype]
    left_scale, right_scale, output_scale = (
        float(np.float32(tensor.scale)) for tensor in (left, right, result)
    )
    twice_largest = 2.0 * max(left_scale, right_scale)
    real_output = twice_largest / ((1 << left_shift) * output_scale)
    if real_output >= 1.0:
        raise ValueError(
            f"output scale {output_scale:g} is too fine for inputs of {left_scale:g} and {right_scale:g}"
        )
    left_multiplier, left_exponent = quantize_multiplier(left_scale / twice_largest)
    right_multiplier, right_exponent = quantize_multiplier(right_scale / twice_largest)
    output_multiplier, output_exponent = quantize_multiplier(real_output)
    return SumScaling(
        left_shift,
        left_multiplier,
        left_exponent,
        -right_multiplier if negate_right else right_multiplier,
        right_exponent,
        output_multiplier,
        output_exponent,
    )


def quantized_sum(
    left: IntArray, right: IntArray, operands: Sequence[Tensor], result: Tensor, scaling: SumScaling
) -> IntArray:
    """left + right in the units of `result`, before the clamp."""
    a = multiply_by_quantized_multiplier(
        (left - operands[0].zero_point) << scaling.left_shift, scaling.left_multiplier, scaling.left_exponent
    )
    b = multiply_by_quantized_multiplier(
        (right - operands[1].zero_point) << scaling.left_shift,
        scaling.right_multiplier,
        scaling.right_exponent,
    )
    y = multiply_by_quantized_multiplier(a + b, scaling.output_multiplier, scaling.output_exponent)
    return y + result.zero_point


def limits(dtype: DType) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    return dtype.limits


def requantize_clamped(x: IntArray, operand: Tensor, result: Tensor, clamp: tuple[int, int]) -> IntArray:
    """x in the units of `result`, clamped to [low, high]; the scale ratio is formed in float32."""
    multiplier, shift = quantize_multiplier(float(np.float32(operand.scale) / np.float32(result.scale)))
    y = multiply_by_quantized_multiplier(x - operand.zero_point, multiplier, shift) + result.zero_point
    clamped: IntArray = np.clip(y, *clamp)
    return clamped
