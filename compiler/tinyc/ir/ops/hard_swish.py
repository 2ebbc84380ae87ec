"""HARD_SWISH: y = x * min(max(x + 3, 0), 6) / 6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary, limits
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import IntArray, quantize_multiplier, rounding_divide_by_power_of_two

_INT16_MIN, _INT16_MAX = -32768, 32767


def _narrow(multiplier: int) -> int:
    """A 32-bit fixed-point multiplier rounded to 16 bits."""
    return _INT16_MAX if multiplier >= 2**31 - 1 - 2**15 else (multiplier + 2**15) >> 16


def _divide_towards_zero(x: IntArray) -> IntArray:
    """x / 2^15 without the fraction, as C divides."""
    return np.asarray(np.sign(x) * (np.abs(x) >> 15))


def _rounding_high_mul(a: IntArray, b: int) -> IntArray:
    """round(a * b / 2^15) in int16; b is a positive multiplier, so nothing saturates."""
    product = a * b
    return _divide_towards_zero(product + np.where(product >= 0, 1 << 14, 1 - (1 << 14)))


def _rounding_divide(x: IntArray, exponent: int) -> IntArray:
    """round(x / 2^exponent) of int16, ties away from zero.

    From an exponent of 16 on, gemmlowp's 16-bit mask is all ones: x >= 0 gives 1, x < 0 gives -1.
    """
    if exponent < 16:
        return rounding_divide_by_power_of_two(x, exponent)
    return np.where(x >= 0, 1, -1).astype(np.int64)


def _saturate(x: IntArray) -> IntArray:
    return np.clip(x, _INT16_MIN, _INT16_MAX)


def _wrap(x: IntArray) -> IntArray:
    return ((x + 0x8000) & 0xFFFF) - 0x8000


@dataclass(frozen=True, slots=True, kw_only=True)
class HardSwish(Unary):
    """input: x; output of the same shape, in its own scale.

    8-bit types are computed in 16-bit fixed point. Source: TensorFlow Lite, `HardSwish`.
    """

    kind: ClassVar[str] = "HARD_SWISH"

    def real(self, x: Array) -> Array:
        return x * np.clip(x + np.float32(3), np.float32(0), np.float32(6)) / np.float32(6)

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        fine_scale = np.float32(1 / 128) * np.float32(operand.scale)
        multiplier, exponent = quantize_multiplier(float(fine_scale / np.float32(result.scale)))
        if exponent > 0:
            raise ValueError(
                f"output scale {result.scale:g} is too fine for an input of scale {operand.scale:g}"
            )
        # The gate maps [-3, 3] to [-1, 1] as a 16-bit fraction.
        gate_scale = np.float32(3) / np.float32(32768)
        gate_multiplier, gate_exponent = quantize_multiplier(float(fine_scale / gate_scale))

        fine = (x - operand.zero_point) * 128
        scaled = _rounding_high_mul(fine, _narrow(multiplier))
        gate = fine
        if gate_exponent > 0:
            gate = _saturate(gate << min(gate_exponent - 1, 31))
        gate = _rounding_high_mul(gate, _narrow(gate_multiplier))
        if gate_exponent > 0:
            gate = _saturate(gate << 1)
        elif gate_exponent < 0:
            gate = _rounding_divide(gate, -gate_exponent)
        gate = (gate + (1 << 15)) >> 1
        product = _divide_towards_zero(gate * scaled)
        y = _wrap(_rounding_divide(product, -exponent) + result.zero_point)
        return np.clip(y, *limits(result.dtype))
