"""What the reductions share: which axes they take away, and the shape that is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Shape, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction(Op):
    """input: x; output without the reduced axes, or with extent 1 there when `keep_dims`.

    `axes` counts from 0 or, when negative, from the end.
    """

    axes: tuple[int, ...]
    keep_dims: bool = False

    def reduced(self, rank: int) -> tuple[int, ...]:
        """The reduced axes, sorted, each once. Raises ValueError for one that does not exist."""
        for axis in self.axes:
            if not -rank <= axis < rank:
                raise ValueError(f"axis {axis} does not exist in an input of rank {rank}")
        return tuple(sorted({axis % rank for axis in self.axes}))

    def count(self, shape: Shape) -> int:
        """How many elements of an input of this shape make one of the output."""
        return math.prod(shape[axis] for axis in self.reduced(len(shape)))

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 1:
            raise ValueError(f"needs 1 input, got {len(operands)}")
        shape = operands[0].shape
        reduced = self.reduced(len(shape))
        if self.keep_dims:
            return (tuple(1 if axis in reduced else extent for axis, extent in enumerate(shape)),)
        return (tuple(extent for axis, extent in enumerate(shape) if axis not in reduced),)
