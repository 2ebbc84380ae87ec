"""LOG_SOFTMAX over the last axis: y_i = x_i - log sum_j exp(x_j)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Function
from tinyc.ir.ops.float_order import largest_number, row_sums
from tinyc.ir.ops.softmax import LARGEST_DEPTH, SUM_INTEGER_BITS, exponential_table
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize import float_math
from tinyc.quantize.fixed_point import (
    IntArray,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
)
from tinyc.quantize.fixed_point_functions import logarithm

_DIFFERENCE_INTEGER_BITS = 5
# The output has steps of 1/16 and ends 16 below its top; what lies further below is its lowest code.
_OUTPUT_SHIFT = 31 - _DIFFERENCE_INTEGER_BITS - 4
_DEEPEST = 16.0


@dataclass(frozen=True, slots=True)
class LogSoftmaxScaling:
    """`entries` counts the differences to the largest of a row that do not end at the lowest code.

    A difference becomes steps of 2^-26 by (multiplier, shift); `exponentials` as in SOFTMAX.
    """

    entries: int
    multiplier: int
    shift: int
    exponentials: IntArray


def log_softmax_scaling(scale: float) -> LogSoftmaxScaling:
    """Fixed-point parameters for an input scale. Raises ValueError when it is too small."""
    real = float(np.float32(scale)) * 2.0 ** (31 - _DIFFERENCE_INTEGER_BITS)
    # From 16 on only the largest element of a row counts, whose difference is 0.
    multiplier, shift = quantize_multiplier(real) if scale < _DEEPEST else (0, 0)
    entries = min(int(_DEEPEST / scale), 255) + 1 if multiplier else 1
    return LogSoftmaxScaling(entries, multiplier, shift, exponential_table(scale, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSoftmax(Function):
    """input: x [..., depth]; output of the same shape. int8 output has scale 1/16 and zero point 127.

    Source: TensorFlow Lite, `reference_ops::LogSoftmaxQuantized`.
    """

    kind: ClassVar[str] = "LOG_SOFTMAX"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        (shape,) = Function.output_shapes(self, operands)
        if not shape:
            raise ValueError("input needs at least one axis")
        if operands[0].dtype is not DType.FLOAT32 and shape[-1] > LARGEST_DEPTH:
            raise ValueError(f"{shape[-1]} classes, at most {LARGEST_DEPTH} in fixed point")
        return (shape,)

    def real(self, x: Array) -> Array:
        below = x - x.max(axis=-1, keepdims=True)
        return np.asarray(below - np.log(np.exp(below).sum(axis=-1, keepdims=True, dtype=np.float32)))

    def rounded(self, x: Array) -> Array:
        below = x - largest_number(x)
        return np.asarray(below - float_math.log(row_sums(float_math.exp(below))))

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        scaling = log_softmax_scaling(operand.scale)
        below = x.max(axis=-1, keepdims=True) - x
        table = scaling.exponentials.astype(np.int64)
        power = np.where(below < len(table), table[np.minimum(below, len(table) - 1)], 0)
        total = rounding_divide_by_power_of_two(power, SUM_INTEGER_BITS).sum(axis=-1, keepdims=True)
        difference = multiply_by_quantized_multiplier(
            -np.minimum(below, scaling.entries - 1), scaling.multiplier, scaling.shift
        )
        log = logarithm(total, SUM_INTEGER_BITS, _DIFFERENCE_INTEGER_BITS)
        y = rounding_divide_by_power_of_two(difference - log, _OUTPUT_SHIFT) + 127
        return np.where(below < scaling.entries, np.clip(y, -128, 127), -128)
