"""SEQUENCE_LENGTH: how many tokens stand before the first padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceLength(Op):
    """input: token ids [1, n], int16 or int32; output: int32 [1], 1 to n.

    A sentence without tokens counts as one of padding, so that everything after it is defined.
    """

    kind: ClassVar[str] = "SEQUENCE_LENGTH"

    padding: int = 0

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1 or len(operands[0].shape) != 2 or operands[0].shape[0] != 1:
            raise ValueError("needs token ids of shape [1, n]")
        return ((1,),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        ids = values[0].reshape(-1)
        padding = np.flatnonzero(ids == self.padding)
        count = int(padding[0]) if len(padding) else len(ids)
        return (np.array([max(count, 1)], dtype=np.int32),)
