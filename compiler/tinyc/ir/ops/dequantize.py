"""DEQUANTIZE: quantized to real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import SameShape
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Dequantize(SameShape):
    """input: x, quantized per tensor; output: float32 of the same shape, scale * (x - zero_point)."""

    kind: ClassVar[str] = "DEQUANTIZE"

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
