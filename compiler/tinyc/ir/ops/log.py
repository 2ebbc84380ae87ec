"""LOG: the natural logarithm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.curved import Curved
from tinyc.ir.tensor import Array
from tinyc.quantize import float_math


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Curved):
    """input: x; output of the same shape, in its own scale. What has no logarithm gives the smallest code."""

    kind: ClassVar[str] = "LOG"

    def function(self, x: float) -> float:
        return math.log(x) if x > 0.0 else -math.inf

    def real(self, x: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(x)

    def rounded(self, x: Array) -> Array:
        return float_math.log(x)
