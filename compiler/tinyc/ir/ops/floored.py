"""FLOOR_DIV and FLOOR_MOD: the quotient rounded down, and what is left."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Pairwise
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize.fixed_point import INT32_MAX, IntArray, Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Floored(Pairwise):
    """inputs: a, b (broadcast, either may be a constant), float32, or int32 without a scale; output: the
    broadcast shape. TensorFlow Lite refuses divisions by zero, which give 0 in int32 and what IEEE 754 says
    in float32.
    """

    @abstractmethod
    def real(self, left: Array, right: Array) -> Array:
        """The function of float32 numbers."""

    @abstractmethod
    def whole(self, left: IntArray, right: IntArray) -> IntArray:
        """The function of int64 numbers, `right` not 0."""

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        if results[0].dtype is DType.FLOAT32:
            return (self.real(values[0], values[1]).astype(np.float32),)
        left, right = (value.astype(np.int64) for value in values)
        y = np.where(right == 0, 0, self.whole(left, np.where(right == 0, 1, right)))
        return (y.astype(results[0].dtype.numpy),)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorDiv(Floored):
    """The largest whole number up to a / b. Source: TensorFlow Lite, `floor_div.cc`.

    TensorFlow Lite divides float32 in double: the quotient is rounded to 53 bits, then down, then to 24 bits.
    -2^31 / -1 is INT32_MAX.
    """

    kind: ClassVar[str] = "FLOOR_DIV"

    def real(self, left: Array, right: Array) -> Array:
        return np.asarray(np.floor(left.astype(np.float64) / right.astype(np.float64)))

    def whole(self, left: IntArray, right: IntArray) -> IntArray:
        y: IntArray = np.minimum(left // right, INT32_MAX)
        return y


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorMod(Floored):
    """The rest of a division, with the sign of b. Source: TensorFlow Lite, `reference_ops.h`, `FloorMod`."""

    kind: ClassVar[str] = "FLOOR_MOD"

    def real(self, left: Array, right: Array) -> Array:
        rest = np.fmod(left, right)
        return np.where((rest != 0) & ((right < 0) != (rest < 0)), rest + right, rest)

    def whole(self, left: IntArray, right: IntArray) -> IntArray:
        return left % right
