"""ABS: y = |x|."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary, limits
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray, multiply_by_quantized_multiplier, quantize_multiplier


@dataclass(frozen=True, slots=True, kw_only=True)
class Abs(Unary):
    """input: x; output of the same shape, in its own scale. Source: TensorFlow Lite, `elementwise.cc`."""

    kind: ClassVar[str] = "ABS"

    def real(self, x: Array) -> Array:
        return np.abs(x)

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        # The ratio of the scales is formed in float32; a ratio of 1 multiplies exactly.
        ratio = float(np.float32(operand.scale) / np.float32(result.scale))
        magnitude = np.abs(x - operand.zero_point)
        y = multiply_by_quantized_multiplier(magnitude, *quantize_multiplier(ratio)) + result.zero_point
        return np.asarray(np.clip(y, *limits(result.dtype)))
