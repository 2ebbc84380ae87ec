"""RESHAPE: the same elements in the same order under another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape(Op):
    """input: x; output of `shape`, with every extent given."""

    kind: ClassVar[str] = "RESHAPE"

    shape: Shape

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        if any(extent < 0 for extent in self.shape) or math.prod(self.shape) != operands[0].elements:
            raise ValueError(f"shape {list(operands[0].shape)} cannot become {list(self.shape)}")
        return (self.shape,)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        return (values[0].reshape(self.shape),)
