"""DIV: y = activation(a / b)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Binary
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import (
    INT32_MAX,
    IntArray,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)
from tinyc.quantize.fixed_point_functions import reciprocal


def quotient_multiplier(left: Tensor, right: Tensor, result: Tensor) -> tuple[int, int]:
    """(multiplier, shift) of a quantized quotient; TensorFlow Lite forms the ratio in float32.

    Raises ValueError when the output scale is so fine that results cannot be represented.
    """
    ratio = np.float32(left.scale) / (np.float32(right.scale) * np.float32(result.scale))
    multiplier, shift = quantize_multiplier(float(ratio))
    # A numerator of 255 steps has 23 bits of headroom, which is all that may be shifted back.
    if shift > 22:
        raise ValueError(f"output scale {result.scale:g} is too fine for a quotient of these inputs")
    return multiplier, shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Div(Binary):
    """inputs: a, b (broadcast, either may be a constant); output: the broadcast shape.

    Integers without a scale are divided towards zero. A division by zero, whose answer TensorFlow Lite
    leaves open, gives 0. Source of the int8 form: `reference/div.h`; where that shifts by more than 31
    bits, which C leaves undefined, the quotient is rounded to 0.
    """

    kind: ClassVar[str] = "DIV"

    def real(self, left: Array, right: Array) -> Array:
        if left.dtype.kind == "f":
            return left / right
        # C's division truncates towards zero.
        quotient = np.abs(left) // np.maximum(np.abs(right), 1) * np.sign(left) * np.sign(right)
        return np.asarray(np.minimum(quotient, INT32_MAX))

    def quantized(
        self, left: IntArray, right: IntArray, operands: Sequence[Tensor], result: Tensor
    ) -> IntArray:
        multiplier, shift = quotient_multiplier(operands[0], operands[1], result)
        b = right - operands[1].zero_point
        a = (left - operands[0].zero_point) * np.sign(b)
        inverse, exponent = reciprocal(np.maximum(np.abs(b), 1), 31)
        # Bits that the numerator can be shifted to the left by; frexp is exact here.
        headroom = 31 - np.frexp(np.where(a < 0, ~a, a).astype(np.float64))[1].astype(np.int64)
        quotient = saturating_rounding_doubling_high_mul(a << headroom, inverse)
        right_shift = headroom + exponent - shift
        scaled = saturating_rounding_doubling_high_mul(quotient, multiplier)
        y = rounding_divide_by_power_of_two(scaled, np.minimum(right_shift, 31))
        return np.where(right_shift > 31, 0, y) + result.zero_point
