"""A placeholder for an operator that cannot be compiled, kept until all of them can be reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported(Op):
    """Stands for the operator `operator`; `reason` says what is wrong, `accepted` what would do.

    Only front ends make it; `passes.legalize` reports every one in a single error. `known` are the operators
    of the file's format that can be compiled.
    """

    kind: ClassVar[str] = "UNSUPPORTED"

    operator: str
    reason: str
    accepted: str
    shapes: tuple[Shape, ...]
    known: tuple[str, ...] = ()

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        return self.shapes

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        raise ValueError(f"{self.operator} {self.name!r} is not supported: {self.reason}")
