"""L2_POOL_2D: the root mean square of each window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.float_order import ordered, sum_of
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import Array
from tinyc.quantize import float_math


@dataclass(frozen=True, slots=True, kw_only=True)
class L2Pool2D(Pool2D):
    """See `Pool2D`. float32 alone. Source: TensorFlow Lite, `reference_ops.h`, `L2Pool`."""

    kind: ClassVar[str] = "L2_POOL_2D"

    def reduce(self, window: Array) -> Array:
        if window.dtype != np.float32:
            raise ValueError(f"{self.kind} has no quantized form")
        count = np.float32(window.shape[1] * window.shape[2])
        return float_math.sqrt(sum_of(np.square(ordered(window, (1, 2)))) / count)
