"""Requantization against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyc.quantize.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    Rounding,
    multiply_by_quantized_multiplier,
    multiply_int64_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)

pytestmark = pytest.mark.unit

EDGES = (0, 1, 2, 3, 2**30 - 1, 2**30, 2**30 + 1, INT32_MAX - 1, INT32_MAX)
int32 = st.integers(INT32_MIN, INT32_MAX) | st.sampled_from(
    [s * e for e in EDGES for s in (1, -1)] + [INT32_MIN]
)
multipliers = st.integers(2**30, INT32_MAX) | st.sampled_from([0, 2**30, 2**30 + 1, INT32_MAX])
HALF = Fraction(1, 2)


def ties_up(value: Fraction) -> int:
    return floor(value + HALF)


def ties_away(value: Fraction) -> int:
    return floor(value + HALF) if value >= 0 else -floor(-value + HALF)


def wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


@given(st.floats(2.0**-31, 2.0**30 - 1))
def test_a_multiplier_is_the_nearest_31_bit_fraction(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    error = abs(Fraction(multiplier) * Fraction(2) ** (shift - 31) - Fraction(real))
    assert error <= Fraction(2) ** (shift - 32)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (0.5, (2**30, 0)),
        (1.0, (2**30, 1)),
        (1.0 - 2.0**-40, (2**30, 1)),  # rounds up to 2^31, which is halved again
        (2.0**-32, (2**30, -31)),
        (2.0**-33, (0, 0)),  # too small for a 32-bit shift
        (1e-300, (0, 0)),
        (2.0**29, (2**30, 30)),
    ],
)
def test_multipliers_at_the_edges(real: float, expected: tuple[int, int]) -> None:
    assert quantize_multiplier(real) == expected


@pytest.mark.parametrize("real", [-1.0, -1e-30, float("nan"), float("inf"), -float("inf"), 2.0**30, 1e30])
def test_multipliers_that_cannot_be_stored_are_refused(real: float) -> None:
    with pytest.raises(ValueError, match="multiplier"):
        quantize_multiplier(real)


@given(int32, int32)
def test_the_high_multiply_rounds_ties_up_and_saturates(a: int, b: int) -> None:
    expected = min(ties_up(Fraction(a * b, 2**31)), INT32_MAX)
    assert int(saturating_rounding_doubling_high_mul(np.int64(a), b)) == expected


@given(int32, st.integers(0, 31))
def test_the_rounding_shift_rounds_ties_away_from_zero(x: int, exponent: int) -> None:
    expected = ties_away(Fraction(x, 2**exponent))
    assert int(rounding_divide_by_power_of_two(np.int64(x), exponent)) == expected


@given(int32, multipliers, st.integers(-31, 30))
def test_double_rounding_is_the_two_steps_with_a_wrapping_left_shift(
    x: int, multiplier: int, shift: int
) -> None:
    shifted = wrap(x << max(shift, 0))
    high = min(ties_up(Fraction(shifted * multiplier, 2**31)), INT32_MAX)
    expected = ties_away(Fraction(high, 2 ** max(-shift, 0)))
    assert int(multiply_by_quantized_multiplier(np.int64(x), multiplier, shift)) == expected


@given(int32, multipliers, st.integers(-31, 30))
def test_single_rounding_is_one_rounding_of_the_exact_product(x: int, multiplier: int, shift: int) -> None:
    expected = ties_up(Fraction(x * multiplier) * Fraction(2) ** (shift - 31))
    actual = multiply_by_quantized_multiplier(np.int64(x), multiplier, shift, Rounding.SINGLE)
    assert int(actual) == expected


@given(st.integers(-(2**47), 2**47 - 1), multipliers, st.integers(-31, 7))
def test_the_64_bit_rule_has_a_15_bit_multiplier(x: int, multiplier: int, shift: int) -> None:
    reduced = min((multiplier + 2**15) >> 16, 2**15 - 1)
    rounded = ties_up(Fraction(x * reduced) * Fraction(2) ** (shift - 15))
    expected = (rounded + 2**31) % 2**32 - 2**31
    assert int(multiply_int64_by_quantized_multiplier(np.int64(x), multiplier, shift)) == expected


def test_the_two_roundings_differ_where_they_should() -> None:
    # 2.5 exactly, and 2.4999 that the first rounding lifts to 2.5.
    x = np.array([5, -5, 2**20 - 1])
    multiplier = np.array([2**30, 2**30, 2**30 + 1])
    shift = np.array([0, 0, -20])
    double = multiply_by_quantized_multiplier(x, multiplier, shift)
    single = multiply_by_quantized_multiplier(x, multiplier, shift, Rounding.SINGLE)
    assert double.tolist() == [3, -2, 1]
    assert single.tolist() == [3, -2, 0]


def test_multipliers_broadcast_along_the_last_axis() -> None:
    x = np.arange(-6, 6).reshape(2, 2, 3) * 1000
    multiplier, shift = np.array([2**30, 2**31 - 1, 0]), np.array([-1, 1, 0])
    whole = multiply_by_quantized_multiplier(x, multiplier, shift)
    for channel in range(3):
        one = multiply_by_quantized_multiplier(x[..., channel], int(multiplier[channel]), int(shift[channel]))
        assert np.array_equal(whole[..., channel], one)
