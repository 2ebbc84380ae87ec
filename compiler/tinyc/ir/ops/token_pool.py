"""TOKEN_POOL: one row from all rows of a sentence, by mean or root mean square."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding, rounding_multiply_high
from tinyc.quantize.roots import square_root

MOST_ROWS = 2048
# A sum of int16 over that many rows leaves room for so many more bits.
SUM_BITS = 4
_RATIO_BITS = 28
_ROOT_BITS = 24


class Pooling(Enum):
    MEAN = "mean"
    RMS = "rms"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPool(Op):
    """input: x [1, n, depth]; output [1, 1, depth].

    Quantized: x int8 or int16 with zero point 0, y int16 with zero point 0. For a sentence of n rows
    MEAN gives high(sum << 4, ratio / n) with the ratio of the scales in steps of 2^-28.
    RMS gives high(square root of (power << 16), ratio), the ratio in steps of 2^-24; power is the sum of
    squares / n, rounded down, at least 1. `epsilon` is added to the mean square, in float32 only: it is
    below that least power.
    """

    kind: ClassVar[str] = "TOKEN_POOL"

    pooling: Pooling = Pooling.MEAN
    epsilon: float = 0.0

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1 or len(operands[0].shape) != 3 or operands[0].shape[0] != 1:
            raise ValueError("needs one input of shape [1, rows, depth]")
        if operands[0].shape[1] > MOST_ROWS:
            raise ValueError(f"{operands[0].shape[1]} rows, at most {MOST_ROWS}")
        return ((1, 1, operands[0].shape[2]),)

    def ratio(self, x: Tensor, result: Tensor) -> int:
        """Ratio of the scales: in steps of 2^-28 (MEAN), 2^-24 (RMS). Raises ValueError out of range."""
        bits = _RATIO_BITS if self.pooling is Pooling.MEAN else _ROOT_BITS
        real = x.scale / result.scale
        if not 2.0**-8 < real < 2.0 ** (31 - bits):
            raise ValueError(f"an input scale of {real:.3g} times the output's")
        return round(real * 2.0**bits)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        (x,), (result,) = values, results
        rows = x.shape[1]
        if result.dtype is DType.FLOAT32:
            wide = x.astype(np.float64)
            if self.pooling is Pooling.MEAN:
                return (wide.mean(axis=1, keepdims=True).astype(np.float32),)
            return (np.sqrt(np.square(wide).mean(axis=1, keepdims=True) + self.epsilon).astype(np.float32),)
        wide = x.astype(np.int64)
        ratio = self.ratio(operands[0], result)
        if self.pooling is Pooling.MEAN:
            total = wide.sum(axis=1, keepdims=True)
            y = rounding_multiply_high(total << SUM_BITS, ratio // rows)
        else:
            power = np.square(wide).sum(axis=1, keepdims=True) // rows
            y = rounding_multiply_high(square_root(np.maximum(power, 1) << 16), ratio)
        return (np.clip(y, -32768, 32767).astype(result.dtype.numpy),)
