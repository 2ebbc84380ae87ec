"""CUMSUM: running sums along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Function, limits
from tinyc.ir.ops.float_order import running_sums
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import IntArray, multiply_by_quantized_multiplier, quantize_multiplier

# An element less its zero point counts 2^19 in the accumulator, so these sums are what int32 holds.
STEP = 1 << 19
LOWEST, HIGHEST = -(2**31) // STEP, 2**31 // STEP - 1


def cumsum_multiplier(operand: Tensor, result: Tensor) -> tuple[int, int]:
    """(multiplier, shift) from accumulator to output. Raises ValueError when the output is far finer."""
    real = 2.0 * float(np.float32(operand.scale)) / (2.0**20 * float(np.float32(result.scale)))
    if real >= 1.0:
        raise ValueError(f"output scale {result.scale:g} is too fine for an input of {operand.scale:g}")
    return quantize_multiplier(real)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cumsum(Function):
    """input: x; output of the same shape: y_i = x_0 + ... + x_i along `axis`.

    `exclusive` leaves x_i out, `reverse` sums from the end.
    int8 follows TensorFlow Lite Micro's kernel, which begins each sum at the real value of the number 0:
    with an input zero point other than 0 every sum has that much more. A sum that its 32-bit accumulator
    could not hold stays at the end of its range.
    """

    kind: ClassVar[str] = "CUMSUM"

    axis: int
    exclusive: bool = False
    reverse: bool = False

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        shapes = Function.output_shapes(self, operands)
        if not 0 <= self.axis < len(operands[0].shape):
            raise ValueError(f"axis {self.axis} does not exist in an input of rank {len(operands[0].shape)}")
        return shapes

    def _sums(self, x: Array, first: int) -> Array:
        ordered = np.flip(x, self.axis) if self.reverse else x
        sums = np.cumsum(ordered, axis=self.axis, dtype=x.dtype) + x.dtype.type(first)
        if self.exclusive:
            sums = sums - ordered
        return np.flip(sums, self.axis) if self.reverse else sums

    def real(self, x: Array) -> Array:
        ordered = np.moveaxis(np.flip(x, self.axis) if self.reverse else x, self.axis, 0)
        # Each sum begins at 0.
        sums = running_sums(np.concatenate([np.zeros_like(ordered[:1]), ordered]))
        y = np.moveaxis(sums[:-1] if self.exclusive else sums[1:], 0, self.axis)
        return np.flip(y, self.axis) if self.reverse else y

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        sums = np.clip(self._sums(x - operand.zero_point, -operand.zero_point), LOWEST, HIGHEST)
        y = multiply_by_quantized_multiplier(sums * STEP, *cumsum_multiplier(operand, result))
        return np.asarray(np.clip(y + result.zero_point, *limits(result.dtype)))
