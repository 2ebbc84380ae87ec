"""RELU6: y = min(max(x, 0), 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.base import Activation
from tinyc.ir.ops.common import activate_float, activation_range
from tinyc.ir.ops.elementwise import Unary, requantize_clamped
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu6(Unary):
    """input: x; output of the same shape, in its own scale."""

    kind: ClassVar[str] = "RELU6"

    def real(self, x: Array) -> Array:
        return activate_float(x, Activation.RELU6)

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        return requantize_clamped(x, operand, result, activation_range(Activation.RELU6, result))
