"""RELU6: y = min(max(x, 0), 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.clamped import Clamped


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu6(Clamped):
    """See `Clamped`."""

    kind: ClassVar[str] = "RELU6"
    bounds: ClassVar[tuple[float, float]] = (0.0, 6.0)
