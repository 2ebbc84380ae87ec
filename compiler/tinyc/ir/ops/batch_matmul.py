"""BATCH_MATMUL: the matrix product of two tensors, over batch axes that broadcast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.convolution import exact_matmul
from tinyc.ir.ops.elementwise import broadcast_shape, limits
from tinyc.ir.ops.float_order import product_sums
from tinyc.ir.ops.wide_sums import LARGEST_SUM, check_wide_shift
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import (
    Rounding,
    multiply_by_quantized_multiplier,
    multiply_int64_by_quantized_multiplier,
    quantize_multiplier,
)

# Products of two int8, each less its zero point, that 32 bits hold; and of two int16 that a wide sum holds.
_MOST = {DType.INT8: (2**31 - 1) // 255**2, DType.INT16: LARGEST_SUM // 2**30 - 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMatMul(Op):
    """inputs: x [..., rows, depth], y [..., depth, columns]; output [..., rows, columns].

    `adj_x` and `adj_y`: the last two axes of that input are swapped. The axes before them broadcast.
    Either input may be a constant. int8 has zero points in both.
    """

    kind: ClassVar[str] = "BATCH_MATMUL"

    adj_x: bool = False
    adj_y: bool = False

    def extents(self, operands: Sequence[Tensor]) -> tuple[int, int, int]:
        """(rows, depth, columns). Raises ValueError when the depths differ."""
        x, y = operands[0].shape, operands[1].shape
        rows, depth = x[-2:] if not self.adj_x else x[:-3:-1]
        second, columns = y[-2:] if not self.adj_y else y[:-3:-1]
        if depth != second:
            raise ValueError(f"rows of {depth} elements and columns of {second}")
        return rows, depth, columns

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 2:
            raise ValueError(f"needs 2 inputs, got {len(operands)}")
        x, y = operands
        if x.dtype is not y.dtype:
            raise ValueError(f"inputs need one type, got {x.dtype.value[0]} and {y.dtype.value[0]}")
        if min(len(x.shape), len(y.shape)) < 2:
            raise ValueError(f"needs matrices, got {list(x.shape)} and {list(y.shape)}")
        rows, depth, columns = self.extents(operands)
        if depth > (most := _MOST.get(x.dtype, depth)):
            raise ValueError(f"sums of {depth} products, at most {most} of {x.dtype.value[0]}")
        return ((*broadcast_shape(x.shape[:-2], y.shape[:-2]), rows, columns),)

    def macs(self, operands: Sequence[Tensor], results: Sequence[Tensor]) -> int:
        return results[0].elements * self.extents(operands)[1]

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, y = values
        result = results[0]
        x = x.swapaxes(-1, -2) if self.adj_x else x
        y = y.swapaxes(-1, -2) if self.adj_y else y
        if result.dtype is DType.FLOAT32:
            return (product_sums(x, y, rounding),)
        left, right = operands
        sums = exact_matmul(x.astype(np.int32) - left.zero_point, y.astype(np.int32) - right.zero_point)
        multiplier, shift = output_multiplier(left, right, result)
        if result.dtype is DType.INT16:
            scaled = multiply_int64_by_quantized_multiplier(sums, multiplier, shift)
        else:
            scaled = multiply_by_quantized_multiplier(sums, multiplier, shift)
        return (np.clip(scaled + result.zero_point, *limits(result.dtype)).astype(result.dtype.numpy),)


def output_multiplier(left: Tensor, right: Tensor, result: Tensor) -> tuple[int, int]:
    """(multiplier, shift) from sums of products to the output; the product of the scales is float32.

    Raises ValueError where the sums of int16 cannot be scaled by it.
    """
    product = float(np.float32(left.scale) * np.float32(right.scale))
    multiplier, shift = quantize_multiplier(product / float(np.float32(result.scale)))
    if result.dtype is DType.INT16:
        check_wide_shift(shift)
    return multiplier, shift
