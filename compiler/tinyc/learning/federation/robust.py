"""What the server does before it believes a device: screen, clip, and aggregate without trusting any one.

Coordinate-wise median and trimmed mean: Yin et al., Byzantine-Robust Distributed Learning, ICML 2018.
Norm clipping against the recent norms: Sun et al., Can You Really Backdoor Federated Learning?, 2019,
section 4, with the bound taken from the run itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinyc.errors import TinycError
from tinyc.learning.federation.client import Update, Vector

Aggregate = Literal["mean", "median", "trimmed"]
AGGREGATES: tuple[Aggregate, ...] = ("mean", "median", "trimmed")
_REMEMBERED = 64
_ENOUGH = 8


@dataclass(frozen=True, slots=True)
class Robustness:
    """The defences of a run.

    aggregate: `mean`, `median` of each coordinate (most useful from three devices a round on), or
    `trimmed`: the mean of each coordinate without its floor(trim × devices) lowest and highest values.
    clip: a delta longer than `clip` × the median of recent norms is shortened to that; 0 = never.
    deadline: seconds a device may take, 0 = any. quorum: fewest answers that move the parameters.
    Raises TinycError for values out of range.
    """

    aggregate: Aggregate = "mean"
    trim: float = 0.2
    clip: float = 4.0
    deadline: float = 0.0
    quorum: int = 1

    def __post_init__(self) -> None:
        if self.aggregate not in AGGREGATES:
            raise TinycError(
                f"unknown aggregate `{self.aggregate}`", where="robust", allowed=", ".join(AGGREGATES)
            )
        for name, right, allowed in (
            ("trim", 0 <= self.trim < 0.5, "0 or more, below 0.5"),
            ("clip", self.clip == 0 or self.clip >= 1, "0 for never, or 1 and more"),
            ("deadline", self.deadline >= 0, "0 for none, or seconds"),
            ("quorum", self.quorum >= 1, "1 or more"),
        ):
            if not right:
                raise TinycError(f"{name} = {getattr(self, name)}", where="robust", allowed=allowed)


def refusal(update: Update, parameters: int) -> str:
    """Why an update cannot be used, "" if it can."""
    if update.delta.dtype != np.float32 or update.delta.shape != (parameters,):
        return f"a delta of {update.delta.shape} {update.delta.dtype}, not ({parameters},) float32"
    if not np.isfinite(update.delta).all():
        return "NaN or infinity in the delta"
    if update.samples < 0 or not np.isfinite(update.loss):
        return "impossible figures"
    return ""


def norm(vector: Vector) -> float:
    """Euclidean length, summed in float64."""
    return float(np.linalg.norm(vector.astype(np.float64)))


def bound(clip: float, recent: Sequence[float], parameters: Vector) -> float:
    """The longest delta that is believed; infinity if `clip` is 0.

    Until there are enough norms to compare with, a delta may be as long as the parameters themselves.
    """
    if clip == 0:
        return float("inf")
    if len(recent) < _ENOUGH:
        return norm(parameters)
    return clip * float(np.median(np.asarray(recent)))


def clipped(delta: Vector, longest: float) -> tuple[Vector, bool]:
    """The delta, shortened to `longest` if it is longer, and whether it was."""
    length = norm(delta)
    if length <= longest:
        return delta, False
    return (delta.astype(np.float64) * (longest / length)).astype(np.float32), True


def remembered(recent: Sequence[float], deltas: Sequence[Vector]) -> tuple[float, ...]:
    """The recent norms with those of `deltas` behind them. Give clipped deltas: a liar moves the median
    by no more than an honest device."""
    return (*recent, *(norm(delta) for delta in deltas))[-_REMEMBERED:]


def combine(deltas: Sequence[Vector], weights: Sequence[float], aggregate: Aggregate, trim: float) -> Vector:
    """One delta of several, float32. `weights` (sum above 0) count for the mean only.

    Raises ValueError for no deltas.
    """
    stacked = np.stack(deltas)
    if aggregate == "median":
        return np.asarray(np.median(stacked, axis=0), np.float32)
    if aggregate == "trimmed":
        cut = int(trim * len(deltas))
        stacked = np.sort(stacked, axis=0)[cut : len(deltas) - cut]
        return np.asarray(stacked.mean(axis=0, dtype=np.float64), np.float32)
    shares = np.asarray(weights, np.float64) / sum(weights)
    return np.asarray(np.tensordot(shares, stacked.astype(np.float64), 1), np.float32)
