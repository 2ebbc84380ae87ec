"""STREAM_TAPS: some of the last frames of a stream, out of a ring buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import check_same_quantization
from tinyc.ir.ops.stream_window import check_frames
from tinyc.ir.tensor import Array, DType, Shape, Tensor
from tinyc.quantize.fixed_point import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTaps(Op):
    """inputs: x with the newest frames along `axis`; two states: a ring of the frames before them, and the
    place of the oldest one in it, int32 [1]. Outputs: `taps` frames, oldest first, and both states after.

    The age of a frame counts from the newest of x, which has 0: the first tap has the age `oldest`, each
    other one is `apart` frames younger. The ring holds the frames from the age of x's oldest up to `oldest`.
    """

    kind: ClassVar[str] = "STREAM_TAPS"
    state_outputs: ClassVar[tuple[int, ...]] = (1, 2)

    axis: int
    oldest: int
    apart: int
    taps: int

    def ages(self) -> range:
        """The age of each tap."""
        return range(self.oldest, self.oldest - self.taps * self.apart, -self.apart)

    def output_shapes(self, operands: Sequence[Tensor]) -> tuple[Shape, ...]:
        if len(operands) != 3:
            raise ValueError(f"needs 3 inputs, got {len(operands)}")
        x, ring, place = operands
        check_frames(x, ring, self.axis)
        if place.dtype is not DType.INT32 or place.shape != (1,):
            raise ValueError("the place in the ring is not int32[1]")
        if self.apart < 1 or self.taps < 1 or self.ages()[-1] < 0:
            raise ValueError(f"{self.taps} taps {self.apart} apart do not fit into {self.oldest} frames")
        held = self.oldest - x.shape[self.axis] + 1
        if held < 1 or ring.shape[self.axis] != held:
            raise ValueError(f"a ring of {ring.shape[self.axis]} frames, not {held}")
        taps = (*x.shape[: self.axis], self.taps, *x.shape[self.axis + 1 :])
        return taps, ring.shape, place.shape

    def reference(
        self,
        values: Sequence[Array],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        rounding: Rounding,
    ) -> tuple[Array, ...]:
        check_same_quantization(self.kind, operands[:2], results[:2])
        x, ring, place = values
        count, held, first = x.shape[self.axis], ring.shape[self.axis], int(place[0])
        in_order = np.roll(ring, -first, self.axis)
        frames = np.concatenate([in_order, x], axis=self.axis)
        taps = np.take(frames, [self.oldest - age for age in self.ages()], self.axis)
        after = np.roll(np.take(frames, range(count, count + held), self.axis), first + count, self.axis)
        return taps, after, np.array([(first + count) % held], np.int32)
