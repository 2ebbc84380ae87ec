"""DEQUANTIZE: quantized to real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Dequantize(Op):
    """input: x, quantized per tensor; output: float32 of the same shape, scale * (x - zero_point)."""

    kind: ClassVar[str] = "DEQUANTIZE"

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        return (operands[0].shape,)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        operand = operands[0]
        centred = (values[0].astype(np.int64) - operand.zero_point).astype(np.float32)
        return (np.float32(operand.scale) * centred,)
