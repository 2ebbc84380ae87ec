"""exp, sqrt and the generator of the learning code: C equals NumPy bit for bit, both keep their limits."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from support.float_functions import PATTERNS, in_c, library_of
from tinyc.learning import float_math
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

FUNCTIONS = ("exp", "sqrt")
_RANDOM = """
uint32_t next_random(uint32_t state);
uint32_t next_random(uint32_t state) { return learn_random(state); }
"""


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return library_of(find_compiler(), "learn_math.h", "learn_", FUNCTIONS, _RANDOM)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_equal_over_all_kinds_of_numbers(library: ctypes.CDLL, name: str) -> None:
    near = np.linspace(-90, 90, 500_001).astype(np.float32)
    for x in (PATTERNS, near):
        assert np.array_equal(in_c(library, name, x), getattr(float_math, name)(x).view(np.uint32))


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
    assert float_math.sqrt(x).tolist() == [
        0.0,
        np.inf,
        0.0,
        0.0,
        float(float_math.sqrt(np.float32(89))),
        0,
        0,
    ]


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
