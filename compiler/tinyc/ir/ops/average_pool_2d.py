"""AVERAGE_POOL_2D: the rounded mean of each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import check_sum
from tinyc.ir.ops.float_order import ordered, sum_of
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import Array, Shape, Tensor


def rounded_mean(total: Array, count: int) -> Array:
    """Sums of `count` elements divided by it, to nearest, ties away from zero."""
    return np.asarray(np.sign(total) * ((np.abs(total) + count // 2) // count))


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePool2D(Pool2D):
    """See `Pool2D`. Quantized means round to nearest, ties away from zero; scales are not changed."""

    kind: ClassVar[str] = "AVERAGE_POOL_2D"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        shapes = Pool2D.output_shapes(self, operands)
        _, height, width, _ = operands[0].shape
        check_sum(operands[0], min(self.filter_height, height) * min(self.filter_width, width))
        return shapes

    def reduce(self, window: Array) -> Array:
        count = window.shape[1] * window.shape[2]
        if window.dtype == np.float32:
            return np.asarray(sum_of(ordered(window, (1, 2))) / np.float32(count))
        return rounded_mean(window.sum(axis=(1, 2)), count)
