"""Exponential and reciprocal in 32-bit fixed point, bit for bit as gemmlowp computes them.

A value with k integer bits is raw * 2^(k - 31). Arrays are int64 that hold int32 values.
Source: gemmlowp, `fixedpoint/fixedpoint.h` (`exp_on_negative_values`,
`one_over_one_plus_x_for_x_in_0_1`) and TensorFlow Lite, `GetReciprocal`.
"""

from __future__ import annotations

import math

import numpy as np

from tinyc.quantize.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    IntArray,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)


def _fraction(real: float, integer_bits: int = 0) -> int:
    """A constant with `integer_bits` integer bits."""
    return min(math.floor(real * 2.0 ** (31 - integer_bits) + 0.5), INT32_MAX)


_EXP_OF_MINUS_EIGHTH = _fraction(math.exp(-1 / 8))
_THIRD = _fraction(1 / 3)
_48_OVER_17 = _fraction(48 / 17, 2)
_MINUS_32_OVER_17 = _fraction(-32 / 17, 2)
# exp(-2^p) for the bits p of the argument that lie above a quarter.
_POWERS = tuple((p, _fraction(math.exp(-(2.0**p)))) for p in range(-2, 5))


def _saturating_left_shift(x: IntArray, exponent: int) -> IntArray:
    saturated: IntArray = np.clip(np.asarray(x, dtype=np.int64) << exponent, INT32_MIN, INT32_MAX)
    return saturated


def _exp_near_zero(x: IntArray) -> IntArray:
    """exp of x in [-1/4, 0) with 0 integer bits: a Taylor series of degree 4 around -1/8."""
    mul = saturating_rounding_doubling_high_mul
    x1 = x + (1 << 28)
    x2 = mul(x1, x1)
    x3 = mul(x2, x1)
    x4 = mul(x2, x2)
    tail = mul(rounding_divide_by_power_of_two(x4, 2) + x3, _THIRD) + x2
    series = x1 + rounding_divide_by_power_of_two(tail, 1)
    return _EXP_OF_MINUS_EIGHTH + mul(np.full_like(series, _EXP_OF_MINUS_EIGHTH), series)


def exp_of_negative(x: IntArray, integer_bits: int) -> IntArray:
    """exp(x) with 0 integer bits, for x <= 0 with `integer_bits` in [1, 5] integer bits."""
    x64 = np.asarray(x, dtype=np.int64)
    quarter = 1 << (29 - integer_bits)
    part = (x64 & (quarter - 1)) - quarter
    result = _exp_near_zero(_saturating_left_shift(part, integer_bits))
    rest = part - x64
    for power, factor in _POWERS:
        if power < integer_bits:
            bit = (rest >> (31 - integer_bits + power)) & 1
            result = np.where(bit != 0, saturating_rounding_doubling_high_mul(result, factor), result)
    return np.where(x64 == 0, INT32_MAX, result)


def reciprocal(x: IntArray, integer_bits: int) -> tuple[IntArray, IntArray]:
    """(mantissa with 0 integer bits, exponent): 1 / x = mantissa * 2^-exponent.

    x > 0 has `integer_bits` integer bits. Three Newton-Raphson steps.
    """
    x64 = np.asarray(x, dtype=np.int64)
    mul = saturating_rounding_doubling_high_mul
    # frexp is exact here: x has 31 bits.
    leading_zeros = 32 - np.frexp(x64.astype(np.float64))[1].astype(np.int64)
    above_one = (x64 << leading_zeros) - (1 << 31)
    half_denominator = (above_one + INT32_MAX + 1) >> 1
    estimate = _48_OVER_17 + mul(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - mul(half_denominator, estimate)
        estimate = estimate + _saturating_left_shift(mul(estimate, error), 2)
    return _saturating_left_shift(estimate, 1), integer_bits - leading_zeros
