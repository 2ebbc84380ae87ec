"""Which frames of the batch model an inference of the streaming one has, tensor by tensor.

Frames are counted from the reset on. A tensor has `step` new ones per inference, and its frame n is frame
n - lag of the batch model: a convolution with VALID padding has no output before its first window is full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from tinyc.ir.tensor import Shape


class Refused(Exception):  # noqa: N818
    """A layer, or the `layers` where it is not the one itself, cannot be computed frame by frame."""

    def __init__(self, reason: str, layers: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.layers = layers


class Coarser(Exception):  # noqa: N818
    """An inference needs so many times as many frames."""

    def __init__(self, factor: int) -> None:
        super().__init__(factor)
        self.factor = factor


@dataclass(frozen=True, slots=True)
class Frames:
    """A tensor with frames along `axis`.

    A negative `lag` is padding in front of the first frame, of the value `fill`. The last `border` frames of
    the batch model rest on padding behind its last input, which the layers `padded_by` brought in.
    """

    axis: int
    step: int
    lag: int = 0
    border: int = 0
    padded_by: tuple[str, ...] = ()
    fill: float | None = None

    def phase(self, extent: int) -> int:
        """The age of the last of the batch model's `extent` frames in the inference that completes them."""
        return -(extent + self.lag) % self.step

    def whole(self, extent: int) -> Whole:
        """When a result of all of the batch model's `extent` frames is that of its own."""
        return Whole((self.lag + extent + self.phase(extent)) // self.step - 1)

    def require_no_border(self) -> None:
        """Raises Refused for a tensor that rests on padding behind the last frame."""
        if self.border:
            raise Refused("looks ahead: pads behind the last frame", self.padded_by)

    @property
    def warm_up(self) -> int:
        """Inferences before the first one of which all frames are the batch model's."""
        return max(0, -(-self.lag // self.step))


@dataclass(frozen=True, slots=True)
class Whole:
    """A result of the whole of time: one per inference, the batch model's after `warm_up` inferences."""

    warm_up: int = 0


Timing: TypeAlias = Frames | Whole


@dataclass(frozen=True, slots=True)
class Sliding:
    """A window that slides along time: the ages of the frames that an inference needs, and what results."""

    oldest: int
    newest: int
    step: int
    lag: int
    border: int


def slide(frames: Frames, extent: int, reach: int, stride: int, before: int, results: int) -> Sliding:
    """A window of `reach` frames that moves on by `stride`, the first one `before` frames early.

    The batch model has `extent` frames and `results` windows. Raises Coarser when an inference has a part of
    a stride, Refused when a whole window lies in the padding.
    """
    if frames.step % stride:
        raise Coarser(stride // math.gcd(stride, frames.step))
    step = frames.step // stride
    # Frame n of the result needs those up to n * stride + ahead.
    ahead = reach - 1 - before + frames.lag
    lag = max(0, -((stride - 1 - ahead) // stride))
    newest = stride - 1 - ahead + lag * stride
    if newest >= stride:
        raise Refused("has more padding in front of the first frame than its window is long")
    complete = (extent - frames.border - 1 + before - (reach - 1)) // stride + 1
    border = max(0, results - max(0, complete))
    return Sliding(newest + (step - 1) * stride + reach - 1, newest, step, lag, border)


def kept_axis(before: Shape, axis: int, after: Shape) -> int | None:
    """Where the axis is when a shape becomes another one; None when its elements are mixed with others.

    The last such place: a frame may have axes of one element in front of it.
    """
    ahead = math.prod(before[:axis])
    here = [math.prod(after[:at]) == ahead and extent == before[axis] for at, extent in enumerate(after)]
    return max((at for at, fits in enumerate(here) if fits), default=None)
