"""RELU_0_TO_1: y = min(max(x, 0), 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import quantized_range
from tinyc.ir.ops.elementwise import Unary, requantize_clamped
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu0To1(Unary):
    """input: x; output of the same shape, in its own scale."""

    kind: ClassVar[str] = "RELU_0_TO_1"

    def real(self, x: Array) -> Array:
        return np.clip(x, np.float32(0), np.float32(1))

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        return requantize_clamped(x, operand, result, quantized_range(0.0, 1.0, result))
