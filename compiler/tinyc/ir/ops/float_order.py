"""float32 arithmetic in the one order that the C has too: that of TensorFlow Lite's reference kernels.

Every sum and product is rounded to float32 at once, to the nearest, ties to even; sums grow term by term.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.tensor import Array
from tinyc.quantize.fixed_point import Rounding

_ZERO = np.float32(0)


def clamp(x: Array, low: float, high: float) -> Array:
    """x within [low, high]; a NaN stays, and a zero keeps its sign."""
    bottom, top = np.float32(low), np.float32(high)
    raised = np.where(x < bottom, bottom, x)
    return np.where(raised > top, top, raised)


def ordered(x: Array, axes: tuple[int, ...]) -> Array:
    """x with `axes` as one first axis, along which the elements lie in the order of the memory."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    return x.transpose(*axes, *kept).reshape(-1, *(x.shape[axis] for axis in kept))


def running_sums(terms: Array) -> Array:
    """y_i = x_0 + ... + x_i along the first axis, one addition after the other."""
    # Its sum() adds by halves.
    return np.add.accumulate(terms, axis=0, dtype=terms.dtype)


def sum_of(terms: Array) -> Array:
    """0 + x_0 + x_1 + ... along the first axis."""
    # Of a sum from 0 on only the sign of a zero differs.
    return np.asarray(running_sums(terms)[-1] + _ZERO)


def extreme(x: Array, exceeds: np.ufunc) -> Array:
    """The element along the first axis that no later one `exceeds`: np.greater or np.less.

    Of equal ones (zeros of either sign) it is the first. Nothing exceeds a first NaN; others exceed nothing.
    """
    found = x[0]
    for row in x[1:]:
        found = np.where(exceeds(row, found), row, found)
    return np.asarray(found)


def position(x: Array, exceeds: np.ufunc) -> Array:
    """Where along the first axis the first extreme is, int64; NaNs are none beside numbers."""
    found, at = x[0], np.zeros(x.shape[1:], np.int64)
    for index, row in enumerate(x[1:], 1):
        better = exceeds(row, found) | (np.isnan(found) & ~np.isnan(row))
        found, at = np.where(better, row, found), np.where(better, index, at)
    return at


def largest_number(rows: Array) -> Array:
    """The largest along the last axis, which is kept; no NaN, and no infinity below all numbers."""
    lowest = np.finfo(np.float32).min
    return np.asarray(np.fmax.reduce(rows, axis=-1, keepdims=True, initial=lowest))


def row_sums(rows: Array) -> Array:
    """0 + x_0 + x_1 + ... along the last axis, which is kept."""
    return sum_of(np.moveaxis(rows, -1, 0))[..., None]


def product_sums(left: Array, right: Array, rounding: Rounding, inside: Array | None = None) -> Array:
    """left @ right of [..., rows, depth] and [..., depth, columns], from 0 and in the order of the depth.

    Terms where `inside` [rows, depth] is false are left out: they are padding. In any order, and fast, for
    `Rounding.ANY`.
    """
    if rounding is Rounding.ANY:
        return np.asarray(left @ right)
    outer = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    total = np.zeros((*outer, left.shape[-2], right.shape[-1]), np.float32)
    for index in range(left.shape[-1]):
        terms = left[..., index, None] * right[..., index, None, :]
        total += terms if inside is None else np.where(inside[:, index, None], terms, _ZERO)
    return total
