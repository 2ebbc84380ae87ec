"""The int16 functions by interpolation are close to the real ones, and their tables are well formed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyc.quantize.interpolation import (
    function_table,
    interpolate,
    interpolation_table,
    logistic,
    logistic_scaling,
    logistic_table,
    tanh,
)

pytestmark = pytest.mark.unit

EVERY = np.arange(-32768, 32768)


def test_an_interpolated_function_is_within_two_steps() -> None:
    table = interpolation_table(math.exp, np.float64(-10), np.float64(0), 2**15)
    assert table.shape == (513,) and table.dtype == np.int16
    real = np.exp((EVERY + 32768) / 65536 * 10 - 10)
    assert np.abs(interpolate(EVERY, table) / 32768 - real).max() < 2 / 32768


def test_a_table_that_jumps_wraps_around() -> None:
    table = np.full(513, -32768, np.int16)
    table[257:] = 32767
    y = interpolate(np.array([-1, 0, 64, 65, 127, 128]), table)
    assert y.tolist() == [-32768, -32768, -32768, 32767, 32767, 32767]


def test_the_function_of_a_table_is_cut_off_where_it_has_no_value() -> None:
    table = function_table(lambda x: math.log(x) if x > 0 else -math.inf, 1e-3, 1e-3)
    assert (table[:256] == -32768).all() and table[-1] == round(math.log(32.767) / 1e-3)
    with pytest.raises(ValueError, match="no finite result"):
        function_table(lambda x: math.exp(x) if x < 88.7 else math.inf, 0.01, 1.0)


def test_the_logistic_table_rises_to_one() -> None:
    table = logistic_table()
    assert table[0] == 32768 and table[-1] == 65535
    assert (np.diff(table.astype(int)) >= 0).all()
    exact = 65536 / (1 + np.exp(-np.arange(256) / 24))
    assert np.abs(table - exact).max() < 1.5


@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 1e-3, 1e-4, 3e-6])
def test_logistic_and_tanh_are_close_to_the_real_functions(scale: float) -> None:
    real = np.float32(scale) * EVERY.astype(np.float64)
    y = logistic(EVERY, *logistic_scaling(scale, (0,)), logistic_table())
    assert np.abs(y / 32768 - 1 / (1 + np.exp(-real))).max() < 4 / 32768
    y = tanh(EVERY, *logistic_scaling(scale, (0, 1)), logistic_table())
    assert np.abs(y / 32768 - np.tanh(real)).max() < 6 / 32768


def test_a_scale_of_a_power_of_two_needs_no_shift() -> None:
    assert logistic_scaling(2.0**-12, (0,)) == (3, 0)
    assert logistic_scaling(2.0**-11, (0, 1)) == (6, 0)
    assert logistic_scaling(2.0**-11, (0,))[1] > 0


def test_a_coarse_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="input scale 3 is too coarse"):
        logistic_scaling(3.0, (0,))
