"""TRANSPOSE: axes in another order."""

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
class Transpose(Op):
    """input: x; output axis i is input axis permutation[i]."""

    kind: ClassVar[str] = "TRANSPOSE"

    permutation: tuple[int, ...]

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        shape = operands[0].shape
        if sorted(self.permutation) != list(range(len(shape))):
            raise ValueError(f"{list(self.permutation)} does not permute the axes of rank {len(shape)}")
        return (tuple(shape[axis] for axis in self.permutation),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        return (np.ascontiguousarray(values[0].transpose(self.permutation)).reshape(results[0].shape),)
