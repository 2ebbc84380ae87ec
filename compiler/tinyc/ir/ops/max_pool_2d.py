"""MAX_POOL_2D: the largest element of each window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import LARGEST_FLOAT
from tinyc.ir.ops.float_order import extreme, ordered
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool2D(Pool2D):
    """See `Pool2D`. Scales are not changed."""

    kind: ClassVar[str] = "MAX_POOL_2D"

    def reduce(self, window: Array) -> Array:
        if window.dtype == np.float32:
            rows = ordered(window, (1, 2))
            return extreme(np.concatenate([np.full_like(rows[:1], -LARGEST_FLOAT), rows]), np.greater)
        return np.asarray(window.max(axis=(1, 2)))
