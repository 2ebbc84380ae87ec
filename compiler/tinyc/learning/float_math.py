"""float32 arithmetic that gives the same bits in NumPy and in the C of the firmware.

The twin of firmware_templates/learning/learn_math.h: change both or neither. All functions take and give
float32 arrays, element by element; each operation is rounded once, in the order written. Never use np.sum,
np.dot or np.exp where bits matter: their order and their rounding differ between machines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.quantize import float_math
from tinyc.quantize.float_math import F, Floats

__all__ = ["FLT_MIN", "NO_SCORE", "F", "Floats", "best", "exp", "random", "serial_sum", "sqrt"]

NO_SCORE = F(-3.402823466e38)
FLT_MIN = F(1.17549435e-38)


def exp(x: npt.ArrayLike) -> Floats:
    """e^x; x is clamped to [-87, 88] and NaN counts as -87, so that sums are neither 0 nor infinite."""
    x = np.asarray(x, F)
    x = np.where(x > F(-87), x, F(-87))
    return float_math.exp(np.where(x > F(88), F(88), x))


def sqrt(x: npt.ArrayLike) -> Floats:
    """The square root; 0 below FLT_MIN and for NaN."""
    x = np.asarray(x, F)
    return float_math.sqrt(np.where(x >= FLT_MIN, x, F(0)))


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
