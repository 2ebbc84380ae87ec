"""What a graph that goes through a stream frame by frame has to say about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stream:
    """The graph takes `frames` new frames of its input along `axis` at every inference.

    The first `warm_up` inferences after a reset come before the outputs are those of the batch model, which
    takes `batch_frames` frames at once, with `batch_macs` multiply-accumulates. Frame n of output i since the
    reset is the batch model's frame n - lags[i]; an output without frames has the lag 0.
    """

    axis: int
    frames: int
    warm_up: int
    lags: tuple[int, ...]
    batch_frames: int
    batch_macs: int
