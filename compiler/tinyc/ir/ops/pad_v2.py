"""PADV2: a border of one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.pad import Pad
from tinyc.ir.tensor import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PadV2(Pad):
    """`Pad` whose border holds `fill`, a stored value of the tensor's type, finite."""

    kind: ClassVar[str] = "PADV2"

    fill: int | float

    def border(self, result: Tensor) -> int | float:
        return self.fill
