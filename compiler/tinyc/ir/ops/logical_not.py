"""LOGICAL_NOT: y = not x."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import SameShape
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalNot(SameShape):
    """input: x, bool; output of the same shape, bool."""

    kind: ClassVar[str] = "LOGICAL_NOT"

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        return (np.logical_not(values[0]),)
