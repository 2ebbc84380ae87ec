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

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        # TensorFlow Lite forms both ratios in float32. A negative alpha negates the multiplier.
        input_scale, output_scale = np.float32(operand.scale), np.float32(result.scale)
        ratio = float(input_scale * np.float32(self.alpha) / output_scale)
        multiplier, shift = quantize_multiplier(abs(ratio))
        identity_multiplier, identity_shift = quantize_multiplier(float(input_scale / output_scale))
        centred = x - operand.zero_point
        positive = multiply_by_quantized_multiplier(centred, identity_multiplier, identity_shift)
        negative = multiply_by_quantized_multiplier(centred, -multiplier if ratio < 0 else multiplier, shift)
        y = np.where(centred >= 0, positive, negative) + result.zero_point
        return np.asarray(np.clip(y, *limits(result.dtype)))
