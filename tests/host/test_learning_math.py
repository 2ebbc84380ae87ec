"""exp, tanh and sqrt of the learning code: C equals NumPy bit for bit, and both are as exact as they say."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from tinyc.learning import float_math
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

pytestmark = pytest.mark.host

_SOURCE = """
#include "learn_math.h"
#define EACH(name) \\
    void each_##name(float *x, uint32_t n); \\
    void each_##name(float *x, uint32_t n) { for (uint32_t i = 0; i < n; i++) x[i] = learn_##name(x[i]); }
EACH(exp)
EACH(tanh)
EACH(sqrt)
uint32_t next_random(uint32_t state);
uint32_t next_random(uint32_t state) { return learn_random(state); }
"""
FUNCTIONS = ("exp", "tanh", "sqrt")
# Of all bit patterns every 2047th: each exponent and sign a few thousand times, NaNs and infinities too.
PATTERNS = np.arange(0, 2**32, 2047, dtype=np.uint64).astype(np.uint32)


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    header = data_folder("firmware_templates") / "learning" / "learn_math.h"
    texts = {"learn_math.h": header.read_text(encoding="utf-8"), "each.c": _SOURCE}
    flags = (*WARNINGS, "-O2", "-ffp-contract=off", "-shared", "-fPIC")
    return ctypes.CDLL(str(compile_cached(find_compiler(), texts, flags, "each.so")))


def in_c(library: ctypes.CDLL, name: str, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    values = x.copy()
    library[f"each_{name}"](values.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint32(len(values)))
    return values


@pytest.mark.parametrize("name", FUNCTIONS)
def test_equal_over_all_kinds_of_numbers(library: ctypes.CDLL, name: str) -> None:
    function: Callable[..., npt.NDArray[np.float32]] = getattr(float_math, name)
    near = np.linspace(-90, 90, 500_001).astype(np.float32)
    for x in (PATTERNS.view(np.float32), near):
        assert np.array_equal(in_c(library, name, x).view(np.uint32), function(x).view(np.uint32))


@pytest.mark.parametrize(
    ("name", "low", "high", "units"), [("exp", -87, 88, 2), ("tanh", -20, 20, 4), ("sqrt", 1e-30, 1e30, 1)]
)
def test_accuracy(name: str, low: float, high: float, units: float) -> None:
    x = np.linspace(low, high, 1_000_001).astype(np.float32)
    x = x if name != "sqrt" else np.geomspace(low, high, 1_000_001).astype(np.float32)
    exact = getattr(np, name)(x.astype(np.float64))
    spacing = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    error = np.abs(getattr(float_math, name)(x).astype(np.float64) - exact) / np.maximum(spacing, 1e-45)
    assert error.max() <= units


def test_limits() -> None:
    x = np.array([-np.inf, np.inf, np.nan, -88, 89, 0, -0.0], np.float32)
    assert float_math.exp(x).tolist() == [
        *np.tile(float_math.exp(np.float32(-87)), 1),
        float(float_math.exp(np.float32(88))),
        float(float_math.exp(np.float32(-87))),
        float(float_math.exp(np.float32(-87))),
        float(float_math.exp(np.float32(88))),
        *(1.0, 1.0),
    ]
    assert float_math.tanh(x).tolist()[:2] == [-1.0, 1.0]
    assert float_math.sqrt(x).tolist() == [
        0.0,
        np.inf,
        0.0,
        0.0,
        float(float_math.sqrt(np.float32(89))),
        0,
        0,
    ]


def test_exp_never_falls() -> None:
    x = np.linspace(-87, 88, 2_000_001).astype(np.float32)
    assert (np.diff(float_math.exp(x).astype(np.float64)) >= 0).all()


def test_serial_sum_adds_one_after_the_other() -> None:
    """A case where sums in pairs differ, and one with a negative zero."""
    x = np.random.default_rng(0).normal(0, 1, (3, 1001)).astype(np.float32)
    total = np.zeros(3, np.float32)
    for column in x.T:
        total = total + column
    assert total.tobytes() == float_math.serial_sum(x).tobytes()
    assert (total != x.sum(axis=1)).any()
    assert not np.signbit(float_math.serial_sum(np.array([-0.0, -0.0], np.float32)))


def test_the_generator_is_the_same_and_never_stops(library: ctypes.CDLL) -> None:
    library.next_random.restype = ctypes.c_uint32
    state = 1
    for _ in range(1000):
        after = float_math.random(state)
        assert after == library.next_random(ctypes.c_uint32(state)) != 0
        state = after
