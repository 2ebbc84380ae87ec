"""L2_NORMALIZATION over the last axis: y_i = x_i / sqrt(sum_j x_j^2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Function
from tinyc.ir.ops.float_order import row_sums
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize import float_math
from tinyc.quantize.fixed_point import INT32_MAX, IntArray, multiply_by_quantized_multiplier
from tinyc.quantize.fixed_point_functions import inverse_square_root

_LARGEST_DEPTH = INT32_MAX // 255**2
_OUTPUT_BITS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class L2Normalization(Function):
    """input: x [..., depth]; output of the same shape. int8 output has scale 1/128 and zero point 0.

    Source: TensorFlow Lite, `reference_integer_ops::L2Normalization`; a row of zeros stays one.
    """

    kind: ClassVar[str] = "L2_NORMALIZATION"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        (shape,) = Function.output_shapes(self, operands)
        if not shape:
            raise ValueError("input needs at least one axis")
        if operands[0].dtype is not DType.FLOAT32 and shape[-1] > _LARGEST_DEPTH:
            raise ValueError(f"{shape[-1]} elements to a row, at most {_LARGEST_DEPTH} in fixed point")
        return (shape,)

    def real(self, x: Array) -> Array:
        norm = np.sqrt(np.square(x).sum(axis=-1, keepdims=True, dtype=np.float32))
        return np.asarray(x / np.maximum(norm, np.float32(1e-6)))

    def rounded(self, x: Array) -> Array:
        return np.asarray(x / np.maximum(float_math.sqrt(row_sums(x * x)), np.float32(1e-6)))

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        centred = x - operand.zero_point
        multiplier, shift = inverse_square_root(np.square(centred).sum(axis=-1, keepdims=True))
        return np.clip(multiply_by_quantized_multiplier(centred, multiplier, shift + _OUTPUT_BITS), -128, 127)
