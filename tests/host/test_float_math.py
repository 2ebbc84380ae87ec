"""The float32 functions of the firmware: C equals NumPy bit for bit, and both are as exact as documented."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
import pytest

from support.float_functions import MEASURED, PATTERNS, Measured, in_c, library_of
from tinyc.quantize import float_math
from tinyc.toolchain.host_compiler import compiler_called, find_compiler

pytestmark = pytest.mark.host

NAMES = tuple(measured.name for measured in MEASURED)
# Borders of the ranges that the functions are computed in, their neighbours and what is no number.
ENDS = (0.625, 0.75, 1.5, 2.75, 4.75, 8.5, 14.5, 18, 20, 88.72283, 104, np.pi / 4, np.pi)
BORDERS = np.array(ENDS, np.float32)
SPECIAL = np.array([0x7F800000, 0x7FC00000, 0x7FC12345, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0], np.uint32)


def arguments(measured: Measured) -> npt.NDArray[np.float32]:
    near = np.concatenate([np.nextafter(BORDERS, np.float32(side)) for side in (0, 100)])
    x = np.concatenate([PATTERNS[::3], np.linspace(-110, 110, 300_001, dtype=np.float32), BORDERS, near])
    x = np.concatenate([x, -BORDERS, -near, SPECIAL.view(np.float32), -SPECIAL.view(np.float32)])
    return np.copysign(x, np.float32(-1)) if measured.name == "expm1" else x


@pytest.fixture(scope="module", params=["default", "clang"])
def library(request: pytest.FixtureRequest) -> ctypes.CDLL:
    compiler = find_compiler() if request.param == "default" else compiler_called(request.param)
    if compiler is None:
        pytest.skip(f"no {request.param}")
    return library_of(compiler, "tinyc_float_math.h", "tinyc_float_", NAMES)


@pytest.mark.parametrize("measured", MEASURED, ids=NAMES)
def test_equal_over_all_kinds_of_numbers(library: ctypes.CDLL, measured: Measured) -> None:
    x = arguments(measured)
    assert np.array_equal(in_c(library, measured.name, x), measured.function(x).view(np.uint32))


@pytest.mark.parametrize("measured", MEASURED, ids=NAMES)
def test_accuracy(measured: Measured) -> None:
    error, where = measured.error(9973)
    assert error <= measured.ulp, f"{error:.2f} ulp at {where!r}"


def test_every_angle_has_its_sine() -> None:
    """Against the remainder of exact integers, up to the largest numbers."""
    turn = 2 * _pi(400)
    x = PATTERNS[PATTERNS > 1e5][::977]
    ratios = [value.as_integer_ratio() for value in x.tolist()]
    wide = np.array([((above << 400) // below % turn) / 2.0**400 for above, below in ratios])
    assert np.abs(float_math.sin(x) - np.sin(wide)).max() < 1.6 * 2.0**-24
    assert np.abs(float_math.cos(x) - np.cos(wide)).max() < 1.6 * 2.0**-24


def _pi(bits: int) -> int:
    """pi with so many bits after the point, by Machin's formula."""

    def inverse_tangent(x: int) -> int:
        term = (1 << bits + 32) // x
        total, n, sign = term, 3, -1
        while term:
            term //= x * x
            total, n, sign = total + sign * (term // n), n + 2, -sign
        return total

    return 4 * (4 * inverse_tangent(5) - inverse_tangent(239)) >> 32


def test_limits() -> None:
    infinity = np.float32(np.inf)
    x = np.array([-infinity, infinity, np.nan, -0.0, 0.0], np.float32)
    wanted = {
        "exp": [0.0, infinity, np.nan, 1.0, 1.0],
        "log": [np.nan, infinity, np.nan, -infinity, -infinity],
        "tanh": [-1.0, 1.0, np.nan, -0.0, 0.0],
        "logistic": [0.0, 1.0, np.nan, 0.5, 0.5],
        "normal": [0.0, 1.0, np.nan, 0.5, 0.5],
        "sin": [np.nan, np.nan, np.nan, 0.0, 0.0],
        "cos": [np.nan, np.nan, np.nan, 1.0, 1.0],
        "sqrt": [np.nan, infinity, np.nan, -0.0, 0.0],
    }
    for name, values in wanted.items():
        y = getattr(float_math, name)(x)
        assert np.array_equal(y.view(np.uint32), np.array(values, np.float32).view(np.uint32)), name
    assert float_math.expm1(x[[0, 2, 3]]).tobytes() == np.array([-1, np.nan, 0], np.float32).tobytes()


@pytest.mark.parametrize("name", ["exp", "tanh", "logistic"])
def test_never_falls(name: str) -> None:
    """A softmax or a gate keeps the order of its inputs."""
    x = np.linspace(-104, 88, 2_000_001, dtype=np.float32)
    y = getattr(float_math, name)(x).astype(np.float64)
    assert (np.diff(y) >= 0).all()
