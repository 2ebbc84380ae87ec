"""EXP: the exponential function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.curved import Curved
from tinyc.ir.tensor import Array
from tinyc.quantize import float_math

# Its exponential is about the largest float32.
LARGEST_EXPONENT = 88.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Exp(Curved):
    """input: x; output of the same shape, in its own scale."""

    kind: ClassVar[str] = "EXP"

    def function(self, x: float) -> float:
        return math.exp(x) if x < LARGEST_EXPONENT else math.inf

    def real(self, x: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(x)

    def rounded(self, x: Array) -> Array:
        return float_math.exp(x)
