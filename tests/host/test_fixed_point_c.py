"""The C twins of fixed_point.py give the same numbers, at the extremes too."""

from __future__ import annotations

import subprocess
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tinyc.quantize.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    multiply_by_quantized_multiplier,
    saturating_rounding_doubling_high_mul,
)
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

pytestmark = pytest.mark.host

HEADERS = ("tinyc_fixed_point.h", "tinyc_dsp.h", "tinyc_scalar.h")
REQUANTIZE, OUTPUT_S8, HIGH_MUL, BY_HALVES, SCALAR = range(5)
MULTIPLIERS = (2**30, 2**30 + 1, 3 * 2**29 - 1, 3 * 2**29, INT32_MAX - 1, INT32_MAX)


@cache
def program() -> Path:
    include = data_folder("firmware_templates") / "kernels" / "include"
    texts = {name: (include / name).read_text(encoding="utf-8") for name in HEADERS}
    texts["main.c"] = (Path(__file__).parent / "fixed_point_main.c").read_text(encoding="utf-8")
    compiler = find_compiler()
    flags = (*WARNINGS, "-O1", *compiler.sanitizer_flags())
    return compile_cached(compiler, texts, flags, "fixed_point")


def call(what: int, *columns: npt.ArrayLike) -> npt.NDArray[np.int32]:
    arrays = np.broadcast_arrays(np.int32(what), *columns, *[0] * (4 - len(columns)))
    records = np.stack(arrays, axis=-1).astype(np.int32)
    environment = {"ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        [program()], input=records.tobytes(), capture_output=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return np.frombuffer(done.stdout, np.int32)


def edges(limit: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Numbers of all magnitudes below `limit`, with what lies beside each power of two."""
    powers = [2**k for k in range(limit.bit_length()) if 2**k <= limit]
    near = {p + d for p in powers for d in (-1, 0, 1)} | {limit}
    small = range(-300, 301)
    random = rng.integers(-limit, limit, 4000) >> rng.integers(0, 30, 4000)
    values = {s * v for v in near for s in (1, -1)} | set(small) | set(random.tolist())
    return np.array(sorted(v for v in values if abs(v) <= limit), np.int64)


def test_requantize_equals_the_python_rule() -> None:
    x = np.append(edges(INT32_MAX, np.random.default_rng(1)), INT32_MIN)
    for multiplier, shift in product((0, *MULTIPLIERS), (30, 8, 1, 0, -1, -2, -15, -30, -31)):
        expected = multiply_by_quantized_multiplier(x, multiplier, shift)
        assert np.array_equal(call(REQUANTIZE, x, multiplier, shift), expected), (multiplier, shift)


def test_the_high_multiply_equals_the_python_rule() -> None:
    x = np.append(edges(INT32_MAX, np.random.default_rng(2)), INT32_MIN)
    for other in (INT32_MIN, INT32_MIN + 1, -1, 0, 1, 2**30, INT32_MAX):
        expected = saturating_rounding_doubling_high_mul(x, other)
        assert np.array_equal(call(HIGH_MUL, x, other), expected), other


def test_the_narrow_requantization_equals_the_python_rule_over_its_whole_range() -> None:
    rng = np.random.default_rng(3)
    some = (0, *MULTIPLIERS, *rng.integers(2**30, 2**31, 6).tolist())
    for multiplier, right in product(some, range(31)):
        # Accumulators of all magnitudes, and those whose results straddle the ties of int8.
        near = np.arange(-260, 261) * 2.0 ** (right + 1) * 2**30 / max(multiplier, 1)
        ties = (np.rint(near)[:, None] + np.arange(-2, 3)).reshape(-1)
        acc = np.concatenate([edges(2**30 - 1, rng), ties[np.abs(ties) < 2**30].astype(np.int64)])
        zero_point = int(rng.choice([-128, -1, 0, 127]))
        scaled = multiply_by_quantized_multiplier(acc, multiplier, -(right + 1))
        expected = np.clip(scaled + zero_point, -128, 127)
        actual = call(OUTPUT_S8, acc, multiplier, right, 2 * zero_point + 1)
        assert np.array_equal(actual, expected), (multiplier, right, zero_point)


def scaled(x: npt.NDArray[np.int64], multiplier: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (x * multiplier + 2**30) >> 31


def test_scale_by_halves() -> None:
    rng = np.random.default_rng(4)
    x, multiplier = np.meshgrid(edges(INT32_MAX, rng), edges(INT32_MAX, rng)[::17])
    np.testing.assert_array_equal(
        call(BY_HALVES, x.ravel(), multiplier.ravel()), scaled(x, multiplier).ravel()
    )
    lowest = np.full(1000, INT32_MIN)
    others = rng.integers(-INT32_MAX, INT32_MAX + 1, 1000)
    np.testing.assert_array_equal(call(BY_HALVES, lowest, others), scaled(lowest, others))


def test_scale_of_the_scalar_kernels() -> None:
    rng = np.random.default_rng(5)
    values = edges(INT32_MAX, rng)
    x, multiplier = np.meshgrid(
        edges(2**29 - 1, rng), np.concatenate([MULTIPLIERS, values[values >= 0][::23]])
    )
    np.testing.assert_array_equal(call(SCALAR, x.ravel(), multiplier.ravel()), scaled(x, multiplier).ravel())
