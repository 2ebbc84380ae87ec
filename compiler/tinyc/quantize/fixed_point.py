"""The one definition of requantization: real multipliers as int32 fixed point, and its rounding.

A real multiplier M is stored as (multiplier, shift) with multiplier in [2^30, 2^31) and
M = multiplier * 2^(shift - 31). Every NumPy reference and every C kernel scales with these
functions or their C twins in `firmware_templates/kernels/include/tinyc_fixed_point.h`.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (CVPR 2018), appendix B, as gemmlowp and TensorFlow Lite
implement it. This module imports nothing of tinyc.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

IntArray: TypeAlias = npt.NDArray[Any]

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1


class Rounding(Enum):
    """How `x * M` is rounded to an integer.

    DOUBLE: gemmlowp: a saturating rounding doubling high multiply (ties towards plus infinity), then
    a rounding right shift (ties away from zero). TensorFlow Lite Micro uses it everywhere,
    TensorFlow Lite's host reference everywhere but in fully connected layers.
    SINGLE: one 64-bit multiply, one rounding shift (ties towards plus infinity), as TensorFlow
    Lite's host reference does in fully connected layers.
    ANY: as DOUBLE, and float32 sums in whatever order is fastest; for measurements, where the last bits of
    a sum do not matter.
    """

    DOUBLE = "double"
    SINGLE = "single"
    ANY = "any"


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) for a non-negative real multiplier.

    multiplier is 0 or in [2^30, 2^31); shift > 0 means a left shift.
    Raises ValueError for negative, infinite or NaN input and for multipliers of 2^30 or more.
    """
    if not math.isfinite(real) or real < 0.0:
        raise ValueError(f"a multiplier must be finite and not negative, got {real}")
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        raise ValueError(f"the multiplier {real} is too large for 32-bit fixed point")
    return multiplier, shift


def saturating_rounding_doubling_high_mul(a: IntArray, b: IntArray | int) -> IntArray:
    """round(a * b / 2^31) in int32, ties towards plus infinity, saturating at -2^31 * -2^31."""
    a64 = np.asarray(a, dtype=np.int64)
    b64 = np.asarray(b, dtype=np.int64)
    product = a64 * b64
    nudge = np.where(product >= 0, np.int64(1 << 30), np.int64(1 - (1 << 30)))
    total = product + nudge
    # C's division truncates towards zero.
    quotient = np.where(total >= 0, total >> 31, -((-total) >> 31))
    return np.minimum(quotient, INT32_MAX)


def rounding_divide_by_power_of_two(x: IntArray, exponent: IntArray | int) -> IntArray:
    """round(x / 2^exponent), ties away from zero; exponent in [0, 31]."""
    x64 = np.asarray(x, dtype=np.int64)
    e64 = np.asarray(exponent, dtype=np.int64)
    mask = (np.int64(1) << e64) - 1
    remainder = x64 & mask
    threshold = (mask >> 1) + (x64 < 0)
    return (x64 >> e64) + (remainder > threshold)


def wrap32(x: IntArray) -> IntArray:
    """x modulo 2^32, as int32 holds it."""
    return ((np.asarray(x, dtype=np.int64) + 2**31) & 0xFFFFFFFF) - 2**31


def multiply_by_quantized_multiplier(
    x: IntArray, multiplier: IntArray | int, shift: IntArray | int, rounding: Rounding = Rounding.DOUBLE
) -> IntArray:
    """x * multiplier * 2^(shift - 31), rounded; int64 in and out, values in the int32 range.

    `multiplier` and `shift` broadcast against `x` (per_channel along the last axis).
    """
    x64 = np.asarray(x, dtype=np.int64)
    m64 = np.asarray(multiplier, dtype=np.int64)
    s64 = np.asarray(shift, dtype=np.int64)
    if rounding is Rounding.SINGLE:
        total = 31 - s64
        return (x64 * m64 + (np.int64(1) << (total - 1))) >> total
    left = np.maximum(s64, 0)
    right = np.maximum(-s64, 0)
    high = saturating_rounding_doubling_high_mul(wrap32(x64 << left), m64)
    return rounding_divide_by_power_of_two(high, right)


def multiply_int64_by_quantized_multiplier(
    x: IntArray, multiplier: IntArray | int, shift: IntArray | int
) -> IntArray:
    """The int16-activation rule: a 48-bit accumulator times a 16-bit multiplier, one rounding, 32 bits.

    Source: TensorFlow Lite, `MultiplyByQuantizedMultiplier(int64_t, int32_t, int)`.
    """
    total = 15 - np.asarray(shift, dtype=np.int64)
    product = np.asarray(x, dtype=np.int64) * reduced_multiplier(multiplier) + (np.int64(1) << (total - 1))
    return wrap32(product >> total)


def reduced_multiplier(multiplier: IntArray | int) -> IntArray:
    """A multiplier rounded to 16 bits, as the rule for int16 activations takes it; int64."""
    m64 = np.asarray(multiplier, dtype=np.int64)
    return np.where(m64 < 0x7FFF0000, (m64 + (1 << 15)) >> 16, 0x7FFF)


def rounding_multiply_high(x: IntArray, multiplier: IntArray | int) -> IntArray:
    """round(x * multiplier / 2^32), ties towards plus infinity: SMMULR of ARMv7E-M. int64 in and out."""
    product = np.asarray(x, dtype=np.int64) * np.asarray(multiplier, dtype=np.int64)
    return (product + (np.int64(1) << 31)) >> 32


def high_multiplier(real: float, bits: int = 32) -> int:
    """`real` as an integer in steps of 2^-bits, for `rounding_multiply_high` of values shifted by 32 - bits.

    Raises ValueError unless 0 < real < 2^(31 - bits).
    """
    if not math.isfinite(real) or not 0.0 < real < 2.0 ** (31 - bits):
        raise ValueError(f"the multiplier {real:.3g} is not between 0 and {2.0 ** (31 - bits):.3g}")
    return min(max(round(real * 2.0**bits), 1), INT32_MAX)


def high_multipliers(reals: IntArray, bits: int = 32) -> IntArray:
    """`high_multiplier` of each element, int32. Raises ValueError as that does."""
    reals = np.asarray(reals, dtype=np.float64)
    for wrong in reals[~(np.isfinite(reals) & (reals > 0.0) & (reals < 2.0 ** (31 - bits)))][:1]:
        high_multiplier(float(wrong), bits)
    return np.clip(np.rint(reals * 2.0**bits), 1, INT32_MAX).astype(np.int32)
