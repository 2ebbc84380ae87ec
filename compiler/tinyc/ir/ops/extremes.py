"""MAXIMUM and MINIMUM of two tensors; LOGICAL_AND and LOGICAL_OR, which are the same on booleans."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.elementwise import Pairwise
from tinyc.ir.tensor import Array, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Extreme(Pairwise):
    """inputs: a, b (broadcast, either may be a constant); output: the broadcast shape.

    The stored numbers are compared: all tensors share one type, scale and zero point.
    """

    @abstractmethod
    def choose(self, left: Array, right: Array) -> Array:
        """One of both, element by element."""

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        return (self.choose(values[0], values[1]),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum(Extreme):
    kind: ClassVar[str] = "MAXIMUM"

    def choose(self, left: Array, right: Array) -> Array:
        # Not NumPy's maximum: of a NaN and a number the right one counts.
        return np.where(left > right, left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum(Extreme):
    kind: ClassVar[str] = "MINIMUM"

    def choose(self, left: Array, right: Array) -> Array:
        return np.where(left < right, left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalAnd(Extreme):
    kind: ClassVar[str] = "LOGICAL_AND"

    def choose(self, left: Array, right: Array) -> Array:
        return np.minimum(left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalOr(Extreme):
    kind: ClassVar[str] = "LOGICAL_OR"

    def choose(self, left: Array, right: Array) -> Array:
        return np.maximum(left, right)
