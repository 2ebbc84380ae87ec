"""ASSIGN_VARIABLE: a state becomes a value that the model has computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.ops.elementwise import SameShape
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignVariable(SameShape):
    """input: the value; output: the state after the inference, the same elements."""

    kind: ClassVar[str] = "ASSIGN_VARIABLE"
    state_outputs: ClassVar[tuple[int, ...]] = (0,)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands, results)
        return (values[0],)
