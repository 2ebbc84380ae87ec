"""CAST: numbers of one type as those of another, whatever their scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import SameShape
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast(SameShape):
    """input: x; output of the same shape: the stored values modulo 2^bits; as bool, whether not 0.

    float32 becomes an integer without its fraction, within the type's limits, and 0 of NaN: TensorFlow Lite
    leaves open what does not fit.
    """

    kind: ClassVar[str] = "CAST"

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, dtype = values[0], results[0].dtype
        if operands[0].dtype is DType.FLOAT32 and dtype is not DType.BOOL:
            x = np.clip(np.trunc(np.nan_to_num(x.astype(np.float64))), *dtype.limits)
        return (x.astype(dtype.numpy),)
