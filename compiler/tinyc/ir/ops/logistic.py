"""LOGISTIC: y = 1 / (1 + exp(-x))."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary, limits
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize import float_math
from tinyc.quantize.fixed_point import IntArray
from tinyc.quantize.interpolation import logistic, logistic_scaling, logistic_table
from tinyc.quantize.lookup_table import apply_real_function

# Input scales of 2^(s - 12) that int16 layers take without a multiplier.
POWER_OF_TWO_SHIFTS = (0,)


def _logistic(x: float) -> float:
    """In float32 after each operation, as TensorFlow Lite; math.exp overflows beyond 709."""
    power = np.float32(math.exp(min(-x, 88.0)))
    return float(np.float32(1) / (np.float32(1) + power))


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic(Unary):
    """input: x; output of the same shape.

    8-bit types are computed through the real function, int16 (zero points 0, output scale 2^-15)
    by interpolation.
    """

    kind: ClassVar[str] = "LOGISTIC"

    def real(self, x: Array) -> Array:
        wide = np.clip(x.astype(np.float64), -700.0, None)
        return np.asarray(1.0 / (1.0 + np.exp(-wide)))

    def rounded(self, x: Array) -> Array:
        return float_math.logistic(x)

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        if operand.dtype is DType.INT16:
            return logistic(x, *logistic_scaling(operand.scale, POWER_OF_TWO_SHIFTS), logistic_table())
        return apply_real_function(
            _logistic,
            x,
            operand.scale,
            operand.zero_point,
            result.scale,
            result.zero_point,
            *limits(result.dtype),
        )
