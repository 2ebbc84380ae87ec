"""REDUCE_MAX, REDUCE_MIN, REDUCE_ANY, REDUCE_ALL: the largest or smallest element along any axes.

Of truth values the largest says whether any is true, the smallest whether all are.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.float_order import extreme, ordered
from tinyc.ir.ops.reduction import Reduction
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceExtreme(Reduction):
    """input: x; output as every `Reduction`, in the scale of the input. At least one axis."""

    exceeds: ClassVar[np.ufunc]

    @abstractmethod
    def extreme(self, x: Array, axes: tuple[int, ...]) -> Array:
        """`x` without `axes`."""

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if not self.axes:
            raise ValueError("reduces no axis")
        return Reduction.output_shapes(self, operands)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, axes = values[0], self.reduced(values[0].ndim)
        if x.dtype == np.float32:
            return (extreme(ordered(x, axes), self.exceeds).reshape(results[0].shape),)
        return (self.extreme(x, axes).reshape(results[0].shape),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceMax(ReduceExtreme):
    kind: ClassVar[str] = "REDUCE_MAX"
    exceeds: ClassVar[np.ufunc] = np.greater

    def extreme(self, x: Array, axes: tuple[int, ...]) -> Array:
        return np.asarray(x.max(axis=axes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceMin(ReduceExtreme):
    kind: ClassVar[str] = "REDUCE_MIN"
    exceeds: ClassVar[np.ufunc] = np.less

    def extreme(self, x: Array, axes: tuple[int, ...]) -> Array:
        return np.asarray(x.min(axis=axes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceTruth(ReduceExtreme):
    """x and output are bool."""

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if operands[0].dtype is not DType.BOOL:
            raise ValueError(f"input is {operands[0].dtype.value[0]}, not bool")
        return ReduceExtreme.output_shapes(self, operands)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceAny(ReduceTruth):
    kind: ClassVar[str] = "REDUCE_ANY"
    exceeds: ClassVar[np.ufunc] = np.greater

    def extreme(self, x: Array, axes: tuple[int, ...]) -> Array:
        return np.asarray(x.any(axis=axes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceAll(ReduceTruth):
    kind: ClassVar[str] = "REDUCE_ALL"
    exceeds: ClassVar[np.ufunc] = np.less

    def extreme(self, x: Array, axes: tuple[int, ...]) -> Array:
        return np.asarray(x.all(axis=axes))
