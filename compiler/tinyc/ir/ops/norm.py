"""LAYER_NORM and RMS_NORM over the last axis.

y = (x - mean) / sqrt(variance + epsilon) * gain + beta; RMS_NORM has neither mean nor beta.
Source: Ba, Kiros and Hinton, "Layer Normalization" (2016); Zhang and Sennrich, "Root Mean Square Layer
Normalization" (2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import (
    IntArray,
    Rounding,
    high_multiplier,
    rounding_multiply_high,
)
from tinyc.quantize.roots import inverse_root

# The largest row for which every intermediate fits.
LARGEST_DEPTH = 4096


@dataclass(frozen=True, slots=True)
class RowScale:
    """How a row is scaled: the constants of `Norm.row_multipliers`.

    `epsilon` is added to the sum of squares. `constant`, in [2^30, 2^31), times 2^-`exponent` is what the
    reciprocal root is multiplied with.
    """

    epsilon: int
    constant: int
    exponent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm(Op):
    """inputs: x [..., depth]; gain [depth] if `gain`; beta [depth] if `beta`. Output of x's shape.

    Quantized: x int8 or int16 with zero point 0, the output int8 or int16 with zero point 0. Gain and
    beta stay float32 constants in the graph: the kernel's integers are made of them here.
    """

    centred: ClassVar[bool]

    epsilon: float = 1e-6
    gain: bool = False
    beta: bool = False

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        wanted = 1 + self.gain + self.beta
        if len(operands) != wanted:
            raise ValueError(f"needs {wanted} inputs, got {len(operands)}")
        if self.beta and not self.gain:
            raise ValueError("a beta needs a gain")
        shape = operands[0].shape
        if not shape or not 3 <= shape[-1] <= LARGEST_DEPTH:
            raise ValueError(f"rows of {shape[-1:]} elements, 3 to {LARGEST_DEPTH} are possible")
        if any(operand.elements != shape[-1] for operand in operands[1:]):
            raise ValueError(f"gain and beta need {shape[-1]} elements")
        return (shape,)

    def fraction_bits(self, depth: int) -> int:
        """Fraction bits of a normalised element before gain and beta: as many as int16 has room for."""
        return math.floor(math.log2(32767.0 / math.sqrt(depth)))

    def row_scale(self, x: Tensor, result: Tensor) -> RowScale:
        """Raises ValueError for scales out of range."""
        depth = x.shape[-1]
        unit = 2.0 ** -self.fraction_bits(depth) if self.gain else result.scale
        real = math.sqrt(depth) / unit
        fraction, exponent = math.frexp(real)
        if not -8 <= exponent <= 24:
            raise ValueError(f"an output scale of {unit:.3g} for rows of {depth}")
        epsilon = round(depth * self.epsilon / x.scale**2)
        return RowScale(min(max(epsilon, 1), 2**40), min(round(fraction * 2**31), 2**31 - 1), 31 - exponent)

    def gains(self, operands: Sequence[Tensor], result: Tensor) -> tuple[IntArray, IntArray, int]:
        """(int16 gains, int32 offsets, shift): y = (normalised * gain + offset) >> shift.

        Raises ValueError for gains that the output scale cannot hold.
        """
        depth = operands[0].shape[-1]
        bits = self.fraction_bits(depth)
        gain = operands[1].constant.astype(np.float64).reshape(-1) / result.scale
        beta = np.zeros(depth)
        if self.beta:
            beta = operands[2].constant.astype(np.float64).reshape(-1) / result.scale
        for shift in range(24, 0, -1):
            gains = np.rint(gain * 2.0 ** (shift - bits))
            offsets = np.rint(beta * 2.0**shift) + 2.0 ** (shift - 1)
            if np.abs(gains).max() <= 32767 and np.abs(offsets).max() < 2**30:
                return gains.astype(np.int16), offsets.astype(np.int32), shift
        raise ValueError(f"gains of up to {np.abs(gain).max():.3g} output steps")

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, (result,) = operands[0], results
        if result.dtype is DType.FLOAT32:
            return (self._real(values).astype(np.float32),)
        rows = values[0].astype(np.int64)
        if self.centred:
            mean = rounding_multiply_high(
                rows.sum(axis=-1, keepdims=True), high_multiplier(1.0 / rows.shape[-1])
            )
            rows = np.clip(rows - mean, -32768, 32767)
        scale = self.row_scale(x, result)
        power = np.square(rows).sum(axis=-1, keepdims=True) + scale.epsilon
        multiplier, shift = row_multipliers(power, scale)
        y = (rows * multiplier + (np.int64(1) << (shift - 1))) >> shift
        if self.gain:
            gains, offsets, right = self.gains(operands, result)
            y = (np.clip(y, -32768, 32767) * gains.astype(np.int64) + offsets) >> right
        return (np.clip(y, *limits(result.dtype)).astype(result.dtype.numpy),)

    def _real(self, values: Sequence[Array]) -> Array:
        x = values[0].astype(np.float64)
        if self.centred:
            x = x - x.mean(axis=-1, keepdims=True)
        y = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + self.epsilon)
        if self.gain:
            y = y * values[1].reshape(-1)
        if self.beta:
            y = y + values[2].reshape(-1)
        return np.asarray(y)


def row_multipliers(power: IntArray, scale: RowScale) -> tuple[IntArray, IntArray]:
    """(multiplier below 2^15, right shift in [1, 31]) that take the elements of rows to the output.

    `power` is the sum of squares of each row, at least 1.
    """
    root, half = inverse_root(power)
    product = (root * scale.constant) >> 31
    # The product lies in [2^29, 2^31): 15 bits of it, rounded.
    wide = product >= 2**30
    drop = np.where(wide, 16, 15)
    multiplier = np.minimum((product + (np.int64(1) << (drop - 1))) >> drop, 32767)
    # 1 / sqrt(power) = root * 2^(-30 - half), and the constant stands for constant * 2^-exponent.
    shift = np.clip(scale.exponent + half - 1 - drop, 1, 31)
    return multiplier, shift


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm(Norm):
    kind: ClassVar[str] = "LAYER_NORM"
    centred: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RmsNorm(Norm):
    kind: ClassVar[str] = "RMS_NORM"
    centred: ClassVar[bool] = False
