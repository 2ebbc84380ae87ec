"""MUL: y = activation(a * b), element by element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Binary
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray, multiply_by_quantized_multiplier, quantize_multiplier


def product_multiplier(left: Tensor, right: Tensor, result: Tensor) -> tuple[int, int]:
    """(multiplier, shift) of a quantized product; TensorFlow Lite forms the ratio in float32."""
    product = np.float32(left.scale) * np.float32(right.scale)
    return quantize_multiplier(float(product / np.float32(result.scale)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mul(Binary):
    """inputs: a, b (broadcast, either may be a constant); output: the broadcast shape."""

    kind: ClassVar[str] = "MUL"

    def real(self, left: Array, right: Array) -> Array:
        return left * right

    def quantized(
        self, left: IntArray, right: IntArray, operands: Sequence[Tensor], result: Tensor
    ) -> IntArray:
        multiplier, shift = product_multiplier(operands[0], operands[1], result)
        product = (left - operands[0].zero_point) * (right - operands[1].zero_point)
        return multiply_by_quantized_multiplier(product, multiplier, shift) + result.zero_point
