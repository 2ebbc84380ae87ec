"""STREAM_SUM: a sum over the last frames of a stream, kept up to date, and what its operator makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.average_pool_2d import rounded_mean
from tinyc.ir.ops.base import Activation, Op
from tinyc.ir.ops.common import activation_range, check_sum
from tinyc.ir.ops.mean import rescaled_mean
from tinyc.ir.ops.sum import rescaled_sum
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


class Finish(Enum):
    """The operator of the batch model, which has its own way from the sum to the output."""

    MEAN = "MEAN"
    SUM = "SUM"
    AVERAGE_POOL_2D = "AVERAGE_POOL_2D"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSum(Op):
    """inputs: x, int8 or int16, with the newest frames along `axis`; three states: a ring [frames, sums] of
    what each of the last frames adds to the sums, the place of the oldest in it, int32 [1], and the total of
    the ring, int32 [sums].

    Outputs: what `finish` gives for the last frames, without the reduced `axes` unless `keep_dims`, and the
    states after. A frame has its reduced elements in front of those that stay; `activation` is that of a
    pool. Sums of integers are exact, so the total is what it would be over all frames again.
    """

    kind: ClassVar[str] = "STREAM_SUM"
    state_outputs: ClassVar[tuple[int, ...]] = (1, 2, 3)

    axis: int
    axes: tuple[int, ...]
    keep_dims: bool
    finish: Finish
    activation: Activation = Activation.NONE

    def fits(self, shape: Shape) -> bool:
        """Whether frames of an x of this shape are contiguous, with what is reduced in front."""
        if self.axis not in self.axes or max(self.axes) >= len(shape) or math.prod(shape[: self.axis]) != 1:
            return False
        reduced = [at in self.axes for at in range(self.axis, len(shape)) if shape[at] != 1]
        return reduced == sorted(reduced, reverse=True)

    def frame(self, shape: Shape) -> tuple[int, int]:
        """(elements that make one sum, sums) of a frame of an x of this shape."""
        inside = math.prod(shape[at] for at in self.axes if at > self.axis)
        return inside, math.prod(shape[self.axis + 1 :]) // inside

    def count(self, operands: Sequence[Tensor]) -> int:
        """How many elements of the last frames make one of the output."""
        x, ring, *_ = operands
        return int(ring.shape[0] * self.frame(x.shape)[0])

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 4:
            raise ValueError(f"needs 4 inputs, got {len(operands)}")
        x, ring, place, total = operands
        if not self.fits(x.shape):
            raise ValueError(
                f"no sums {list(self.axes)} over frames along axis {self.axis} of {list(x.shape)}"
            )
        _, sums = self.frame(x.shape)
        if ring.shape[1:] != (sums,) or ring.shape[0] < x.shape[self.axis]:
            raise ValueError(f"a ring of {list(ring.shape)} for frames of {sums} sums")
        for name, state, shape in (("place in the ring", place, (1,)), ("total", total, (sums,))):
            if state.dtype is not DType.INT32 or state.shape != shape:
                raise ValueError(f"the {name} is not int32{list(shape)}")
        check_sum(x, self.count(operands))
        kept = tuple(
            1 if at in self.axes else extent
            for at, extent in enumerate(x.shape)
            if self.keep_dims or at not in self.axes
        )
        return kept, ring.shape, place.shape, total.shape

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        x, ring, place, total = values
        held, (inside, sums) = len(ring), self.frame(x.shape)
        coming = x.reshape(-1, inside, sums).astype(np.int64).sum(axis=1)
        slots = (int(place[0]) + np.arange(len(coming))) % held
        after = ring.copy()
        after[slots] = coming
        new = total + (coming - ring[slots]).sum(axis=0)
        y = self._finished(new, operands, results[0])
        next_place = np.array([(int(place[0]) + len(coming)) % held], np.int32)
        return y.reshape(results[0].shape), after, next_place, new.astype(np.int32)

    def _finished(self, total: Array, operands: Sequence[Tensor], result: Tensor) -> Array:
        x, count = operands[0], self.count(operands)
        if self.finish is Finish.AVERAGE_POOL_2D:
            limits = activation_range(self.activation, result)
            return np.clip(rounded_mean(total, count), *limits).astype(result.dtype.numpy)
        total = total - x.zero_point * count
        if self.finish is Finish.MEAN:
            return rescaled_mean(total, x, result, count)
        return rescaled_sum(total, x, result)
