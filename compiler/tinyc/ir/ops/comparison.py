"""Comparisons: EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS, LESS_EQUAL."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.common import quantization_mismatch
from tinyc.ir.ops.elementwise import Pairwise
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize.fixed_point import Rounding, multiply_by_quantized_multiplier, quantize_multiplier

LEFT_SHIFT = 8
# A difference of all steps, shifted so far, times a scale of less than 2 to this stays below 2^31.
_LARGEST_SHIFT = {DType.INT8: 14, DType.INT16: 6}


def comparison_multiplier(operand: Tensor) -> tuple[int, int]:
    """(multiplier, shift) that brings values, shifted by `LEFT_SHIFT`, to a common unit.

    Raises ValueError for a scale that is too large. Source: TensorFlow Lite, `comparisons.cc`.
    """
    multiplier, shift = quantize_multiplier(float(np.float32(operand.scale)))
    if shift > _LARGEST_SHIFT[operand.dtype]:
        raise ValueError(f"the scale {operand.scale:g} of {operand.name!r} is too large to compare")
    return multiplier, shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Pairwise):
    """inputs: a, b (broadcast, either may be a constant); output: the broadcast shape, bool.

    int8 values of any two scales are compared by their reals, in steps of 2^-8; other types as they are.
    Of int16 TensorFlow Lite takes the reals for EQUAL and NOT_EQUAL alone, the others need one scale.
    """

    real_types: ClassVar[tuple[DType, ...]] = (DType.INT8,)

    @abstractmethod
    def holds(self, left: Array, right: Array) -> Array:
        """Whether it is so, element by element: bool."""

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        if operands[0].dtype not in self.real_types:
            if operands[0].dtype is DType.INT16 and (mismatch := quantization_mismatch(operands, ())):
                raise ValueError(f"compares int16 as it is stored, but {mismatch}")
            return (self.holds(values[0], values[1]),)
        left, right = (
            multiply_by_quantized_multiplier(
                (value.astype(np.int64) - operand.zero_point) << LEFT_SHIFT, *comparison_multiplier(operand)
            )
            for value, operand in zip(values, operands, strict=True)
        )
        return (self.holds(left, right),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Equal(Comparison):
    kind: ClassVar[str] = "EQUAL"
    real_types: ClassVar[tuple[DType, ...]] = (DType.INT8, DType.INT16)

    def holds(self, left: Array, right: Array) -> Array:
        return np.equal(left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEqual(Comparison):
    kind: ClassVar[str] = "NOT_EQUAL"
    real_types: ClassVar[tuple[DType, ...]] = (DType.INT8, DType.INT16)

    def holds(self, left: Array, right: Array) -> Array:
        return np.not_equal(left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Greater(Comparison):
    kind: ClassVar[str] = "GREATER"

    def holds(self, left: Array, right: Array) -> Array:
        return np.greater(left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class GreaterEqual(Comparison):
    kind: ClassVar[str] = "GREATER_EQUAL"

    def holds(self, left: Array, right: Array) -> Array:
        return np.greater_equal(left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Less(Comparison):
    kind: ClassVar[str] = "LESS"

    def holds(self, left: Array, right: Array) -> Array:
        return np.less(left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class LessEqual(Comparison):
    kind: ClassVar[str] = "LESS_EQUAL"

    def holds(self, left: Array, right: Array) -> Array:
        return np.less_equal(left, right)
