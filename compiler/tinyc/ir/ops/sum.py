"""SUM: the sum over any subset of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import check_sum
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.ops.float_order import ordered, running_sums, sum_of
from tinyc.ir.ops.reduction import Reduction
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding, multiply_by_quantized_multiplier, quantize_multiplier


def sum_multiplier(operand: Tensor, result: Tensor) -> tuple[int, int]:
    """(multiplier, shift) that takes a sum of elements to the output scale."""
    return quantize_multiplier(float(np.float32(operand.scale)) / float(np.float32(result.scale)))


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
            # A sum of all begins at its first number, others at 0, which only the sign of a zero tells.
            terms = ordered(x, reduced)
            total = running_sums(terms)[-1] if len(reduced) == x.ndim else sum_of(terms)
            return (total.reshape(result.shape),)
        total = x.astype(np.int64).sum(axis=reduced) - operand.zero_point * self.count(x.shape)
        scaled = multiply_by_quantized_multiplier(total, *sum_multiplier(operand, result))
        y = np.clip(scaled + result.zero_point, *limits(result.dtype))
        return (y.reshape(result.shape).astype(result.dtype.numpy),)
