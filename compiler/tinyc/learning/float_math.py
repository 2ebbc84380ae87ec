"""float32 arithmetic that gives the same bits in NumPy and in the C of the firmware.

The twin of firmware_templates/learning/learn_math.h: change both or neither. All functions take and give
float32 arrays, element by element; each operation is rounded once, in the order written. Never use np.sum,
np.dot or np.exp where bits matter: their order and their rounding differ between machines.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

F = np.float32
NO_SCORE = F(-3.402823466e38)
FLT_MIN = F(1.17549435e-38)


def _poly(r: Floats, *coefficients: float) -> Floats:
    value = np.full_like(r, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * r + F(coefficient)
    return value


@np.errstate(all="ignore")
def exp(x: npt.ArrayLike) -> Floats:
    """e^x within 2 units in the last place; x is clamped to [-87, 88] and NaN counts as -87.

    Source: Cephes `expf`, with the two-part ln 2 of Cody and Waite (1980).
    """
    x = np.asarray(x, F)
    x = np.where(x > F(-87), x, F(-87))
    x = np.where(x > F(88), F(88), x)
    t = x * F(1.44269504)
    k = (t + np.where(t < 0, F(-0.5), F(0.5))).astype(np.int32)
    n = k.astype(F)
    r = (x - n * F(0.693359375)) - n * F(-2.12194440e-4)
    p = _poly(
        r,
        *(1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3),
        *(4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1),
    )
    p = (p * (r * r) + r) + F(1)
    return np.asarray((p.view(np.int32) + (k << 23)).view(F))


@np.errstate(all="ignore")
def tanh(x: npt.ArrayLike) -> Floats:
    """tanh(x) within 4 units in the last place. Source: Cephes `tanhf`."""
    x = np.asarray(x, F)
    a = np.where(x < 0, -x, x)
    s = a * a
    p = _poly(s, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
    near = (p * s) * a + a
    doubled = a + a
    far = F(1) - F(2) / (exp(np.where(doubled < F(40), doubled, F(40))) + F(1))
    y = np.where(a < F(0.625), near, far)
    return np.asarray(np.where(x < 0, -y, y))


@np.errstate(all="ignore")
def sqrt(x: npt.ArrayLike) -> Floats:
    """The square root within 1 unit in the last place; 0 below FLT_MIN and for NaN, infinity for itself."""
    x = np.asarray(x, F)
    real = x >= FLT_MIN
    safe = np.where(real, x, F(1))
    y = ((safe.view(np.uint32) >> np.uint32(1)) + np.uint32(0x1FBD1DF5)).view(F)
    for _ in range(3):
        y = np.asarray((y + safe / y) * F(0.5), F)
    return np.asarray(np.where(np.isposinf(x), x, np.where(real, y, F(0))))


def serial_sum(values: npt.NDArray[Any]) -> Any:
    """The sum along the last axis: from zero, then the first element to the last, rounded at each step.

    np.add.accumulate adds one after the other by definition; np.sum adds in pairs. Adding zero at the end
    instead of the start gives the same bits: it turns a negative zero into a positive one.
    """
    return np.add.accumulate(values, axis=-1, dtype=F)[..., -1] + F(0)


def best(scores: Floats) -> int:
    """Index of the highest score, the lowest of several, as a loop over `>` finds it; 0 for NaNs alone."""
    index = 0
    for i in range(1, len(scores)):
        if scores[i] > scores[index]:
            index = i
    return index


def random(state: int) -> int:
    """The next state of the 32-bit xorshift generator (Marsaglia 2003); never 0 after another state."""
    state ^= (state << 13) & 0xFFFFFFFF
    state ^= state >> 17
    state ^= (state << 5) & 0xFFFFFFFF
    return state
