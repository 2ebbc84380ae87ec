"""LEAKY_RELU: y = x where x > 0, else alpha * x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary, limits
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray, multiply_by_quantized_multiplier, quantize_multiplier


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu(Unary):
    """input: x; output of the same shape, in its own scale. `alpha` may have any finite value."""

    kind: ClassVar[str] = "LEAKY_RELU"

    alpha: float

    def real(self, x: Array) -> Array:
        return np.where(x > 0, x, x * np.float32(self.alpha))

    def slopes(self, operand: Tensor, result: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
        """(multiplier, shift) from zero on, and below. Raises ValueError where they are too large."""
        # TensorFlow Lite forms both ratios in float32. A negative alpha negates the multiplier.
        input_scale, output_scale = np.float32(operand.scale), np.float32(result.scale)
        ratio = float(input_scale * np.float32(self.alpha) / output_scale)
        multiplier, shift = quantize_multiplier(abs(ratio))
        identity = quantize_multiplier(float(input_scale / output_scale))
        return identity, (-multiplier if ratio < 0 else multiplier, shift)

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        centred = x - operand.zero_point
        positive, negative = (
            multiply_by_quantized_multiplier(centred, *slope) for slope in self.slopes(operand, result)
        )
        y = np.where(centred >= 0, positive, negative) + result.zero_point
        return np.asarray(np.clip(y, *limits(result.dtype)))
