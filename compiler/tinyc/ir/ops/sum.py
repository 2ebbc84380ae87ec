"""SUM: the sum over any subset of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import check_sum
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.ops.float_order import ordered, running_sums
from tinyc.ir.ops.reduction import Reduction
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding, multiply_by_quantized_multiplier, quantize_multiplier


def sum_multiplier(operand: Tensor, result: Tensor) -> tuple[int, int]:
    """(multiplier, shift) that takes a sum of elements to the output scale."""
    return quantize_multiplier(float(np.float32(operand.scale)) / float(np.float32(result.scale)))


def rescaled_sum(total: Array, operand: Tensor, result: Tensor) -> Array:
    """The sum in the result's type, from sums of elements less their zero points."""
    scaled = multiply_by_quantized_multiplier(total, *sum_multiplier(operand, result))
    y: Array = np.clip(scaled + result.zero_point, *limits(result.dtype)).astype(result.dtype.numpy)
    return y


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum(Reduction):
    """input: x; output as every `Reduction`, with a scale of its own.

    Source: TensorFlow Lite, `QuantizedMeanOrSum`, as TensorFlow Lite Micro runs it; LiteRT's host kernel
    for int8 gives other numbers.
    """

    kind: ClassVar[str] = "SUM"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        shapes = Reduction.output_shapes(self, operands)
        check_sum(operands[0], self.count(operands[0].shape))
        return shapes

    def first_zero(self, rank: int) -> float:
        """What float32 sums begin with: over all axes -0, which changes no sum, as in TensorFlow Lite."""
        return -0.0 if len(self.reduced(rank)) == rank else 0.0

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, operand, result = values[0], operands[0], results[0]
        reduced = self.reduced(x.ndim)
        if operand.dtype is DType.FLOAT32:
            y = running_sums(ordered(x, reduced))[-1] + np.float32(self.first_zero(x.ndim))
            return (y.reshape(result.shape),)
        total = x.astype(np.int64).sum(axis=reduced) - operand.zero_point * self.count(x.shape)
        return (rescaled_sum(total, operand, result).reshape(result.shape),)
