"""ARG_MAX and ARG_MIN: where the largest or smallest element along one axis lies."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.float_order import position
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgExtreme(Op):
    """input: x; output int32, without the axis `axis` of the input. Of equal elements the first counts."""

    exceeds: ClassVar[np.ufunc]

    axis: int

    @abstractmethod
    def position(self, x: Array) -> Array:
        """The position along the axis."""

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        shape = operands[0].shape
        if not 0 <= self.axis < len(shape):
            raise ValueError(f"axis {self.axis} does not exist in an input of rank {len(shape)}")
        return ((*shape[: self.axis], *shape[self.axis + 1 :]),)

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        (x,) = values
        is_real = operands[0].dtype is DType.FLOAT32
        at = position(np.moveaxis(x, self.axis, 0), self.exceeds) if is_real else self.position(x)
        return (np.asarray(at).astype(np.int32),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgMax(ArgExtreme):
    kind: ClassVar[str] = "ARG_MAX"
    exceeds: ClassVar[np.ufunc] = np.greater

    def position(self, x: Array) -> Array:
        return np.asarray(x.argmax(axis=self.axis))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgMin(ArgExtreme):
    kind: ClassVar[str] = "ARG_MIN"
    exceeds: ClassVar[np.ufunc] = np.less

    def position(self, x: Array) -> Array:
        return np.asarray(x.argmin(axis=self.axis))
