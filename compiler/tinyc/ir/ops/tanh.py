"""TANH: the hyperbolic tangent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary, limits
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize import float_math
from tinyc.quantize.fixed_point import IntArray
from tinyc.quantize.interpolation import logistic_scaling, logistic_table, tanh
from tinyc.quantize.lookup_table import apply_real_function

# Input scales of 2^(s - 12) that int16 layers take without a multiplier.
POWER_OF_TWO_SHIFTS = (0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tanh(Unary):
    """input: x; output of the same shape.

    8-bit types are computed through the real function, correctly rounded to float32. A host whose
    tanhf is off by a unit in the last place can give TensorFlow Lite another answer at a tie: seen
    for one code in five million. int16 (zero points 0, output scale 2^-15) is interpolated.
    """

    kind: ClassVar[str] = "TANH"

    def real(self, x: Array) -> Array:
        return np.asarray(np.tanh(x.astype(np.float64)))

    def rounded(self, x: Array) -> Array:
        return float_math.tanh(x)

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        if operand.dtype is DType.INT16:
            return tanh(x, *logistic_scaling(operand.scale, POWER_OF_TWO_SHIFTS), logistic_table())
        return apply_real_function(
            math.tanh,
            x,
            operand.scale,
            operand.zero_point,
            result.scale,
            result.zero_point,
            *limits(result.dtype),
        )
