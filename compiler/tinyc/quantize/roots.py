"""Reciprocal square roots in integers. A leaf module: it imports nothing of tinyc but fixed_point.

The number is shifted to 32 bits by an even count, a table of 48 entries gives 6 bits of the root, and
two steps of Newton's method give the rest. `tinyc_roots.h` is the C twin.
"""

from __future__ import annotations

import numpy as np

from tinyc.quantize.fixed_point import IntArray

_LARGEST = 2**31 - 1


def seeds() -> IntArray:
    """2^46 / sqrt(f) at the middle of each 1/64 of f's range from 2^30 on, int64 [48], below 2^31."""
    middle = (np.arange(16, 64) + 0.5) * 2.0**26
    return np.asarray(np.minimum(np.rint(2.0**46 / np.sqrt(middle)), _LARGEST), dtype=np.int64)


def inverse_root(value: IntArray) -> tuple[IntArray, IntArray]:
    """(root, half): value^(-1/2) = root * 2^(-30 - half), root in [2^30, 2^31); value in [1, 2^62).

    The relative error is below 2^-22: tests/unit/test_roots.py.
    """
    _, root, half = _normalised_root(value)
    return root, half


def square_root(value: IntArray) -> IntArray:
    """The square root, rounded down but for the relative error of `inverse_root`; value in [1, 2^62)."""
    f, root, half = _normalised_root(value)
    # sqrt(value) = sqrt(f) * 2^(half - 16), and f * root = sqrt(f) * 2^46.
    return np.asarray((f * root) >> (62 - half))


def _normalised_root(value: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """(f, root, half): f in [2^30, 2^32) is value * 4^(16 - half), root belongs to it."""
    value = np.asarray(value, dtype=np.int64)
    bits = np.where(value >= 2**31, 31, 0) + np.frexp(
        np.where(value >= 2**31, value >> 31, value).astype(np.float64)
    )[1].astype(np.int64)
    even = (bits + 1) // 2 * 2
    wide = np.maximum(even - 32, 0)
    f = (value >> wide) << np.maximum(32 - even, 0)
    root = seeds()[(f >> 26) - 16]
    for _ in range(2):
        square = (root * root) >> 32
        excess = 3 * 2**30 - ((square * f) >> 30)
        root = np.minimum((root * excess) >> 31, _LARGEST)
    return f, root, even // 2
