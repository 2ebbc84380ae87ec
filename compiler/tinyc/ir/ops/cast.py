"""CAST: integers of one type as those of another, whatever their scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast(Op):
    """input: x; output of the same shape: the stored values modulo 2^bits; as bool, whether not 0."""

    kind: ClassVar[str] = "CAST"

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
        return (values[0].astype(results[0].dtype.numpy),)
