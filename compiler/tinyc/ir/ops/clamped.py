"""What the activations that cut at two bounds share: RELU, RELU6, RELU_0_TO_1, RELU_N1_TO_1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.common import quantized_range
from tinyc.ir.ops.elementwise import Unary, requantize_clamped
from tinyc.ir.ops.float_order import clamp
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamped(Unary):
    """input: x; output of the same shape, in its own scale: x within `bounds`."""

    bounds: ClassVar[tuple[float, float]]

    def real(self, x: Array) -> Array:
        return clamp(x, *self.bounds)

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        return requantize_clamped(x, operand, result, quantized_range(*self.bounds, result))
