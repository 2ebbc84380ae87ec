"""ARG_MAX and ARG_MIN: where the largest or smallest element along one axis lies."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgExtreme(Op):
    """input: x; output int32, without the axis `axis` of the input. Of equal elements the first counts."""

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
        return (np.asarray(self.position(values[0])).astype(np.int32),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgMax(ArgExtreme):
    kind: ClassVar[str] = "ARG_MAX"

    def position(self, x: Array) -> Array:
        return np.asarray(x.argmax(axis=self.axis))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgMin(ArgExtreme):
    kind: ClassVar[str] = "ARG_MIN"

    def position(self, x: Array) -> Array:
        return np.asarray(x.argmin(axis=self.axis))
