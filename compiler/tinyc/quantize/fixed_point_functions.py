"""Exponential, reciprocal, logarithm and inverse square root in 32-bit fixed point, bit for bit as gemmlowp.

A value with k integer bits is raw * 2^(k - 31). Arrays are int64 that hold int32 values.
Source: gemmlowp, `fixedpoint/fixedpoint.h` (`exp_on_negative_values`,
`one_over_one_plus_x_for_x_in_0_1`) and TensorFlow Lite, `kernels/internal/common.h` (`GetReciprocal`,
`log_x_for_x_greater_than_or_equal_to_1`, `GetInvSqrtQuantizedMultiplierExp`).
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


def _saturating_left_shift(x: IntArray, exponent: IntArray | int) -> IntArray:
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


def _leading_zeros(x: IntArray) -> IntArray:
    """Of positive 32-bit numbers. frexp is exact here."""
    return np.asarray(32 - np.frexp(x.astype(np.float64))[1].astype(np.int64))


def _one_over_one_plus(x: IntArray) -> IntArray:
    """1 / (1 + x) for x in [0, 1), both with 0 integer bits. Three Newton-Raphson steps."""
    mul = saturating_rounding_doubling_high_mul
    half_denominator = (x + INT32_MAX + 1) >> 1
    estimate = _48_OVER_17 + mul(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - mul(half_denominator, estimate)
        estimate = estimate + _saturating_left_shift(mul(estimate, error), 2)
    return _saturating_left_shift(estimate, 1)


def reciprocal(x: IntArray, integer_bits: int) -> tuple[IntArray, IntArray]:
    """(mantissa with 0 integer bits, exponent): 1 / x = mantissa * 2^-exponent.

    x > 0 has `integer_bits` integer bits.
    """
    x64 = np.asarray(x, dtype=np.int64)
    leading_zeros = _leading_zeros(x64)
    return _one_over_one_plus((x64 << leading_zeros) - (1 << 31)), integer_bits - leading_zeros


_ROOT_OF_HALF = _fraction(math.sqrt(0.5))
_FOURTH_ROOT_OF_HALF = _fraction(0.5**0.25)
_LOG_OF_2 = _fraction(math.log(2.0))
# A rational approximation of the logarithm around the fourth root of a half.
_FOURTH_ROOT_OF_2 = 2.0**0.25
_ALPHA_N = _fraction(11 / 240 * _FOURTH_ROOT_OF_2)
_ALPHA_D = _fraction(1 / 20 * _FOURTH_ROOT_OF_2)
_ALPHA_I = _fraction(2 / _FOURTH_ROOT_OF_2 - _FOURTH_ROOT_OF_2)
_ALPHA_F = _fraction(1 / 4 * _FOURTH_ROOT_OF_2)


def logarithm(x: IntArray, integer_bits: int, output_bits: int) -> IntArray:
    """log(x) with `output_bits` integer bits, for x >= 1 with `integer_bits` of them."""
    x64 = np.asarray(x, dtype=np.int64)
    mul = saturating_rounding_doubling_high_mul
    # One bit more, as the power of two and the rest are added.
    power_bits = 31 - (output_bits + 1)
    quarter = np.int64(1 << (power_bits - 2))
    headroom = _leading_zeros(x64) - 1
    mantissa = _saturating_left_shift(mul(x64 << headroom, _ROOT_OF_HALF), 1)
    power = ((integer_bits - 1 - headroom) << power_bits) + quarter
    scaled_headroom = _leading_zeros(mul(x64, _ROOT_OF_HALF)) - 1
    scaled_power = ((integer_bits - scaled_headroom) << power_bits) - quarter
    r = np.minimum(mantissa, _saturating_left_shift(x64, scaled_headroom))
    power = np.maximum(power, scaled_power)
    middle = (r + _FOURTH_ROOT_OF_HALF + 1) >> 1
    q = 2 * (r - _FOURTH_ROOT_OF_HALF)
    square = mul(q, q)
    numerator = mul(q, r) + mul(mul(q, square), _ALPHA_N)
    denominator = mul(middle, _ALPHA_I + q + mul(square, _ALPHA_D)) + mul(q, _ALPHA_F)
    rest = mul(rounding_divide_by_power_of_two(numerator, output_bits + 1), _one_over_one_plus(denominator))
    return _saturating_left_shift(mul(power, _LOG_OF_2) + rest, 1)


def inverse_square_root(x: IntArray) -> tuple[IntArray, IntArray]:
    """(multiplier, shift): 1 / sqrt(x) = multiplier * 2^(shift - 31), shift <= 0; 0 counts as 1.

    Five Newton-Raphson steps in values with 3 integer bits.
    """
    x64 = np.maximum(np.asarray(x, dtype=np.int64), 2)
    right = np.full(x64.shape, 11, np.int64)
    for _ in range(2):
        large = x64 >= 1 << 29
        x64, right = np.where(large, x64 >> 2, x64), right + large
    pairs = (_leading_zeros(x64) - 1) // 2 - 1
    mul = saturating_rounding_doubling_high_mul
    half = rounding_divide_by_power_of_two(x64 << (2 * pairs) >> 1, 1)
    right = right - pairs
    root = np.full(x64.shape, 1 << 28, np.int64)
    for _ in range(5):
        cube = _saturating_left_shift(mul(mul(root, root), root), 6)
        root = _saturating_left_shift(mul(root, 3 << 27) - mul(half, cube), 3)
    root = mul(root, _ROOT_OF_HALF) << np.maximum(-right, 0)
    small = np.asarray(x) <= 1
    return np.where(small, INT32_MAX, root), np.where(small, 0, -np.maximum(right, 0))
