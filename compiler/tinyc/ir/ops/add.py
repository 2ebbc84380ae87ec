"""ADD: y = activation(a + b)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.elementwise import Binary, quantized_sum, sum_scaling
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Binary):
    """inputs: a, b (broadcast, either may be a constant); output: the broadcast shape."""

    kind: ClassVar[str] = "ADD"

    def real(self, left: Array, right: Array) -> Array:
        return left + right

    def quantized(
        self, left: IntArray, right: IntArray, operands: Sequence[Tensor], result: Tensor
    ) -> IntArray:
        scaling = sum_scaling(operands[0], operands[1], result)
        return quantized_sum(left, right, operands, result, scaling)
