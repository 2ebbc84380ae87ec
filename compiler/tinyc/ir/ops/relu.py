"""RELU: y = max(x, 0)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.clamped import Clamped


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu(Clamped):
    """See `Clamped`."""

    kind: ClassVar[str] = "RELU"
    bounds: ClassVar[tuple[float, float]] = (0.0, math.inf)
