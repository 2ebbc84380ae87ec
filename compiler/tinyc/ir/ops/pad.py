"""PAD: a border of real zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Op):
    """input: x; output: x with `paddings` (before, after) elements added along each axis.

    The border holds the real value 0, which is the zero point of a quantized tensor. Input and
    output have one quantization.
    """

    kind: ClassVar[str] = "PAD"

    paddings: tuple[tuple[int, int], ...]

    def border(self, result: Tensor) -> int | float:
        """The stored value that the border holds."""
        return 0 if result.quantization is None else result.zero_point

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        shape = operands[0].shape
        if len(self.paddings) != len(shape):
            raise ValueError(f"{len(self.paddings)} paddings for an input of rank {len(shape)}")
        if any(min(pair) < 0 for pair in self.paddings):
            raise ValueError(f"paddings cannot be negative, got {[list(pair) for pair in self.paddings]}")
        return (tuple(e + before + after for e, (before, after) in zip(shape, self.paddings, strict=True)),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        return (np.pad(values[0], self.paddings, constant_values=self.border(results[0])),)
