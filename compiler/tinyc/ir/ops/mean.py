"""MEAN: the mean over any subset of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import check_sum
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.ops.float_order import ordered, sum_of
from tinyc.ir.ops.reduction import Reduction
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding, multiply_by_quantized_multiplier, quantize_multiplier


def mean_multiplier(operand: Tensor, result: Tensor, count: int) -> tuple[int, int]:
    """(multiplier, shift) that takes a sum of `count` elements to the output scale.

    The multiplier of the scale ratio is divided by `count` as an integer, after a left shift that
    keeps it within 31 bits (TensorFlow Lite: `QuantizedMeanOrSum`).
    """
    ratio = float(np.float32(operand.scale)) / float(np.float32(result.scale))
    multiplier, shift = quantize_multiplier(ratio)
    headroom = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << headroom) // count, shift - headroom


def rescaled_mean(total: Array, operand: Tensor, result: Tensor, count: int) -> Array:
    """The mean in the result's type, from sums of `count` elements less their zero points."""
    scaled = multiply_by_quantized_multiplier(total, *mean_multiplier(operand, result, count))
    y: Array = np.clip(scaled + result.zero_point, *limits(result.dtype)).astype(result.dtype.numpy)
    return y


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(Reduction):
    """input: x; output as every `Reduction`. No axes at all copy the input."""

    kind: ClassVar[str] = "MEAN"

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
        reduced, count = self.reduced(x.ndim), self.count(x.shape)
        if operand.dtype is DType.FLOAT32:
            y = sum_of(ordered(x, reduced)) / np.float32(count)
            return (np.asarray(y).reshape(result.shape),)
        if not self.axes:
            return (x.reshape(result.shape).astype(result.dtype.numpy),)
        total = x.astype(np.int64).sum(axis=reduced) - operand.zero_point * count
        return (rescaled_mean(total, operand, result, count).reshape(result.shape),)
