"""QUANTIZE: real to quantized, or from one quantization to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import SameShape, limits
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize.fixed_point import (
    IntArray,
    Rounding,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)


def quantize_real(x: Array, scale: float, zero_point: int, low: int, high: int) -> IntArray:
    """round(x / scale) + zero_point, clamped to [low, high]; int64.

    The division is in float32, ties round away from zero. Infinities clamp; NaN gives `low`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = (x.astype(np.float32) / np.float32(scale)).astype(np.float64)
    # Far outside of every integer type, and safe to convert.
    ratio = np.clip(np.where(np.isnan(ratio), -1e9, ratio), -1e9, 1e9)
    rounded = np.copysign(np.floor(np.abs(ratio) + 0.5), ratio).astype(np.int64)
    return np.clip(rounded + zero_point, low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantize(SameShape):
    """input: x, float32 or quantized, int32 among it; output of the same shape, quantized per tensor."""

    kind: ClassVar[str] = "QUANTIZE"

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        operand, result = operands[0], results[0]
        low, high = limits(result.dtype)
        if operand.dtype is DType.FLOAT32:
            y = quantize_real(values[0], result.scale, result.zero_point, low, high)
        else:
            ratio = float(np.float32(operand.scale)) / float(np.float32(result.scale))
            multiplier, shift = quantize_multiplier(ratio)
            centred = values[0].astype(np.int64) - operand.zero_point
            y = multiply_by_quantized_multiplier(centred, multiplier, shift) + result.zero_point
        return (np.clip(y, low, high).astype(result.dtype.numpy),)
