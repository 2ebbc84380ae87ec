"""ELU: y = x where x >= 0, else exp(x) - 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.curved import Curved
from tinyc.ir.tensor import Array
from tinyc.quantize import float_math


@dataclass(frozen=True, slots=True, kw_only=True)
class Elu(Curved):
    """input: x; output of the same shape, in its own scale."""

    kind: ClassVar[str] = "ELU"

    def function(self, x: float) -> float:
        return x if x >= 0.0 else float(np.float32(math.exp(x)) - np.float32(1))

    def real(self, x: Array) -> Array:
        return np.where(x >= 0, x, np.expm1(np.minimum(x, 0)))

    def rounded(self, x: Array) -> Array:
        return np.where(x < 0, float_math.expm1(np.minimum(x, 0)), x)
