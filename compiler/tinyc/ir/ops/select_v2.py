"""SELECT_V2: y = a where a condition holds, else b."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.elementwise import broadcast_shape
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectV2(Op):
    """inputs: condition (bool), a, b (all broadcast, any may be a constant); output: the broadcast shape.

    Elements are moved: a, b and the output share one type, scale and zero point.
    """

    kind: ClassVar[str] = "SELECT_V2"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 3:
            raise ValueError(f"needs 3 inputs, got {len(operands)}")
        condition, *values = operands
        if condition.dtype is not DType.BOOL:
            raise ValueError(f"the condition is {condition.dtype.value[0]}, not bool")
        if values[0].dtype is not values[1].dtype:
            raise ValueError(f"selects from {' and '.join(x.dtype.value[0] for x in values)}")
        return (broadcast_shape(*(operand.shape for operand in operands)),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        return (np.where(*values),)
