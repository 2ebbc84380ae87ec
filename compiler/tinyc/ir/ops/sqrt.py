"""SQRT: the square root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary, limits
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sqrt(Unary):
    """input: x; output of the same shape, in its own scale.

    Quantized roots are computed in float32 and cut off, not rounded, as LiteRT's reference kernel does;
    it refuses negative numbers, whose root is 0 here.
    """

    kind: ClassVar[str] = "SQRT"

    def real(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return np.sqrt(x)

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        real = np.float32(operand.scale) * np.maximum(x - operand.zero_point, 0).astype(np.float32)
        steps = (np.sqrt(real) / np.float32(result.scale)).astype(np.float64)
        y = np.trunc(steps).astype(np.int64) + result.zero_point
        return np.asarray(np.clip(y, *limits(result.dtype)))
