"""RELU_N1_TO_1: y = min(max(x, -1), 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.clamped import Clamped


@dataclass(frozen=True, slots=True, kw_only=True)
class ReluN1To1(Clamped):
    """See `Clamped`."""

    kind: ClassVar[str] = "RELU_N1_TO_1"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
