"""SQUARE, SIN, COS, FLOOR, CEIL, ROUND: what TensorFlow Lite computes in float32 alone.

In an int8 model they stand between a DEQUANTIZE and a QUANTIZE; `passes.tabulate_float` makes the three one
table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Unary
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize import float_math
from tinyc.quantize.fixed_point import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatFunction(Unary):
    """input: x float32; output of the same shape, float32."""

    def quantized(self, x: IntArray, operand: Tensor, result: Tensor) -> IntArray:
        raise ValueError(f"{self.kind} has no quantized form")


@dataclass(frozen=True, slots=True, kw_only=True)
class Square(FloatFunction):
    kind: ClassVar[str] = "SQUARE"

    def real(self, x: Array) -> Array:
        return np.asarray(np.square(x))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sin(FloatFunction):
    kind: ClassVar[str] = "SIN"

    def real(self, x: Array) -> Array:
        return np.asarray(np.sin(x.astype(np.float64)))

    def rounded(self, x: Array) -> Array:
        return float_math.sin(x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cos(FloatFunction):
    kind: ClassVar[str] = "COS"

    def real(self, x: Array) -> Array:
        return np.asarray(np.cos(x.astype(np.float64)))

    def rounded(self, x: Array) -> Array:
        return float_math.cos(x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor(FloatFunction):
    kind: ClassVar[str] = "FLOOR"

    def real(self, x: Array) -> Array:
        return np.asarray(np.floor(x))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceil(FloatFunction):
    kind: ClassVar[str] = "CEIL"

    def real(self, x: Array) -> Array:
        return np.asarray(np.ceil(x))


@dataclass(frozen=True, slots=True, kw_only=True)
class Round(FloatFunction):
    """Ties go to the even neighbour, as in TensorFlow Lite's `round.h`."""

    kind: ClassVar[str] = "ROUND"

    def real(self, x: Array) -> Array:
        below = np.floor(x)
        rest = x - below
        # Not NumPy's rint: what rounds up to zero is no negative zero.
        stays = (rest < 0.5) | ((rest == 0.5) & (np.fmod(below, np.float32(2)) == 0))
        return np.asarray(np.where(stays, below, below + np.float32(1)))
