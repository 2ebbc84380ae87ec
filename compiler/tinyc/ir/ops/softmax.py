"""SOFTMAX over the last axis: y_i = exp(beta x_i) / sum_j exp(beta x_j)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.float_order import largest_number, row_sums
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize import float_math
from tinyc.quantize.fixed_point import (
    IntArray,
    Rounding,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)
from tinyc.quantize.fixed_point_functions import exp_of_negative, reciprocal
from tinyc.quantize.interpolation import interpolate, interpolation_table

# The exponent's argument has 5 integer bits: exp(-32) is nothing. The sum of exponentials has 12.
_ARGUMENT_INTEGER_BITS = 5
SUM_INTEGER_BITS = 12
# 2^12 summands of at most 1 would reach the sign bit of the sum.
LARGEST_DEPTH = 2**SUM_INTEGER_BITS - 1


def exponential_table(scale: float, beta: float) -> IntArray:
    """exp(-beta * scale * d) as a fraction of 2^31, for d = 0, 1, ... while it counts; int32.

    Entry d belongs to an input d steps below the largest of its row; inputs further below than the
    table reaches count as 0, exactly. Source: TensorFlow Lite, `PreprocessSoftmaxScaling` and
    `reference_ops::Softmax`.
    Raises ValueError when beta * scale is not positive or too small to be represented.
    """
    real = min(
        float(np.float32(beta)) * float(np.float32(scale)) * 2.0 ** (31 - _ARGUMENT_INTEGER_BITS),
        2.0**31 - 1.0,
    )
    if real <= 1.0:
        raise ValueError(f"beta * scale = {beta * scale:g} is too small for softmax in fixed point")
    if real >= 2.0**30 - 0.25:
        # A left shift by 31: only the largest input itself counts.
        return exp_of_negative(np.zeros(1, dtype=np.int64), _ARGUMENT_INTEGER_BITS).astype(np.int32)
    multiplier, shift = quantize_multiplier(real)
    largest = (2**_ARGUMENT_INTEGER_BITS - 1) * 2.0 ** (31 - _ARGUMENT_INTEGER_BITS) / 2.0**shift
    steps = np.arange(min(int(largest), 255) + 1, dtype=np.int64)
    scaled = multiply_by_quantized_multiplier(-steps, multiplier, shift)
    table = exp_of_negative(scaled, _ARGUMENT_INTEGER_BITS)
    # Less than half a unit of the sum adds nothing to it and is far below half an output step.
    counting = np.flatnonzero(table >= 1 << (SUM_INTEGER_BITS - 1))
    return table[: counting[-1] + 1].astype(np.int32)


def int16_multiplier(scale: float, beta: float) -> tuple[int, int]:
    """(multiplier, shift) that takes an int16 input to steps of 10 / 65535."""
    return quantize_multiplier(float(np.float32(scale) * np.float32(beta)) / (10.0 / 65535.0))


def int16_tables() -> tuple[IntArray, IntArray]:
    """exp over [-10, 0] and 1 / (1 + x) over [0, 1], for `interpolate`."""
    zero, one = np.float64(0), np.float64(1)
    return (
        interpolation_table(math.exp, np.float64(-10), zero, 2**15),
        interpolation_table(lambda x: 1 / (1 + x), zero, one, 2**15),
    )


def _int16(rows: IntArray, scale: float, beta: float) -> IntArray:
    """Softmax of int16 rows as a fraction of 2^15. Source: TensorFlow Lite, `SoftmaxInt16`."""
    exponentials, reciprocals = int16_tables()
    below = rows - rows.max(axis=1, keepdims=True)
    scaled = multiply_by_quantized_multiplier(below, *int16_multiplier(scale, beta))
    power = interpolate(np.clip(scaled + 32767, -32768, 32767), exponentials)
    total = power.sum(axis=1, keepdims=True)
    leading_zeros = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
    # The sum over its power of two, in [1, 2) with 16 fraction bits, less one.
    fraction = ((total << (leading_zeros - 1)) + (1 << 13)) >> 14
    inverse = interpolate(np.clip(fraction - (1 << 15) - (1 << 16), -32768, 32767), reciprocals)
    shift = 31 - leading_zeros
    product = power * inverse + (np.int64(1) << (shift - 1))
    return np.asarray(np.clip(product >> shift, 0, 32767))


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax(Op):
    """input: x [..., depth]; output of the same shape.

    int8 in gives int8 out with scale 1/256 and zero point -128; int16 in, with zero point 0, gives
    int16 out with scale 2^-15.
    """

    kind: ClassVar[str] = "SOFTMAX"

    beta: float = 1.0

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        shape = operands[0].shape
        if not shape:
            raise ValueError("input needs at least one axis")
        if operands[0].dtype is not DType.FLOAT32 and shape[-1] > LARGEST_DEPTH:
            raise ValueError(f"{shape[-1]} classes, at most {LARGEST_DEPTH} in fixed point")
        return (shape,)

    def _rounded(self, x: Array) -> Array:
        """Softmax in float32, rounded step by step. Source: TensorFlow Lite, `reference_ops::Softmax`."""
        power = float_math.exp((x - largest_number(x)) * np.float32(self.beta))
        return np.asarray(power / row_sums(power))

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        operand, result = operands[0], results[0]
        depth = operand.shape[-1]
        if operand.dtype is DType.FLOAT32:
            if rounding is not Rounding.ANY:
                return (self._rounded(values[0]),)
            rows = values[0].reshape(-1, depth)
            power = np.exp((rows - rows.max(axis=1, keepdims=True)) * np.float32(self.beta))
            y = power / power.sum(axis=1, keepdims=True, dtype=np.float32)
            return (y.reshape(result.shape).astype(np.float32),)
        rows = values[0].astype(np.int64).reshape(-1, depth)
        if operand.dtype is DType.INT16:
            return (_int16(rows, operand.scale, self.beta).reshape(result.shape).astype(np.int16),)
        table = exponential_table(operand.scale, self.beta).astype(np.int64)
        below = rows.max(axis=1, keepdims=True) - rows
        counts = below < len(table)
        power = np.where(counts, table[np.minimum(below, len(table) - 1)], 0)
        total = rounding_divide_by_power_of_two(power, SUM_INTEGER_BITS).sum(axis=1)
        inverse, bits_over_unit = reciprocal(total, SUM_INTEGER_BITS)
        product = saturating_rounding_doubling_high_mul(inverse[:, None], power)
        exponent = (bits_over_unit + 31 - 8)[:, None]
        y = np.where(counts, rounding_divide_by_power_of_two(product, exponent) - 128, -128)
        return (np.clip(y, -128, 127).reshape(result.shape).astype(result.dtype.numpy),)
