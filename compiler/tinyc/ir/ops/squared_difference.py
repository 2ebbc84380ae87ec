"""SQUARED_DIFFERENCE: y = (a - b)^2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import REAL_RANGES
from tinyc.ir.ops.elementwise import Binary
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize.fixed_point import IntArray, multiply_by_quantized_multiplier, quantize_multiplier

# The square of a difference of all steps, shifted so far, stays below 2^31.
_LEFT_SHIFT = {DType.INT8: 7, DType.INT16: 0}


@dataclass(frozen=True, slots=True)
class SquareScaling:
    """Fixed-point parameters: both inputs to twice the larger scale, the square to the output scale.

    Each is (multiplier, shift); those of the inputs do not shift to the left. `left_shift` gives both inputs
    room for fractions.
    """

    left_shift: int
    left: tuple[int, int]
    right: tuple[int, int]
    output: tuple[int, int]


def square_scaling(left: Tensor, right: Tensor, result: Tensor) -> SquareScaling:
    """Source: TensorFlow Lite Micro, `squared_difference.cc`; TensorFlow Lite has no int16 form."""
    left_shift = _LEFT_SHIFT[result.dtype]
    left_scale, right_scale = float(np.float32(left.scale)), float(np.float32(right.scale))
    output = float(np.float32(1 << 2 * left_shift) * np.float32(result.scale))
    twice_largest = 2.0 * max(left_scale, right_scale)
    return SquareScaling(
        left_shift,
        quantize_multiplier(left_scale / twice_largest),
        quantize_multiplier(right_scale / twice_largest),
        quantize_multiplier(twice_largest * twice_largest / output),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SquaredDifference(Binary):
    """inputs: a, b (broadcast, either may be a constant); output: the broadcast shape."""

    kind: ClassVar[str] = "SQUARED_DIFFERENCE"

    @property
    def real_range(self) -> tuple[float, float]:
        # TensorFlow Lite's has no fused activation, not even one that keeps infinities out.
        return REAL_RANGES[self.activation]

    def real(self, left: Array, right: Array) -> Array:
        return np.asarray(np.square(left - right))

    def quantized(
        self, left: IntArray, right: IntArray, operands: Sequence[Tensor], result: Tensor
    ) -> IntArray:
        scaling = square_scaling(operands[0], operands[1], result)
        a, b = (
            multiply_by_quantized_multiplier((x - tensor.zero_point) << scaling.left_shift, *scale)
            for x, tensor, scale in zip((left, right), operands, (scaling.left, scaling.right), strict=True)
        )
        square = np.square(a - b)
        return multiply_by_quantized_multiplier(square, *scaling.output) + result.zero_point
