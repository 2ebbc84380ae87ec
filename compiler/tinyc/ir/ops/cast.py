"""CAST: integers of one type as those of another, whatever their scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.elementwise import SameShape
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast(SameShape):
    """input: x; output of the same shape: the stored values modulo 2^bits; as bool, whether not 0."""

    kind: ClassVar[str] = "CAST"

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        return (values[0].astype(results[0].dtype.numpy),)
