"""RELU_0_TO_1: y = min(max(x, 0), 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.clamped import Clamped


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu0To1(Clamped):
    """See `Clamped`."""

    kind: ClassVar[str] = "RELU_0_TO_1"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
