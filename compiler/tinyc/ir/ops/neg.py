"""NEG: y = -x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import quantization_mismatch
from tinyc.ir.ops.elementwise import Unary
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Neg(Unary):
    """input: x; output of the same shape, scale and zero point.

    Source: TensorFlow Lite, `neg.cc`, which negates the stored number and lets it wrap around: the
    smallest one stays what it is. That is the negative only where the zero point is 0.
    """

    kind: ClassVar[str] = "NEG"

    def real(self, x: Array) -> Array:
        return -x

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        if operand.zero_point != 0:
            raise ValueError(f"NEG of zero point {operand.zero_point}, only 0 is its own negative")
        if mismatch := quantization_mismatch([operand], [result]):
            raise ValueError(f"NEG keeps the scale, but {mismatch}")
        return (-x).astype(result.dtype.numpy).astype(np.int64)
