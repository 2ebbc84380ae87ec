"""Drift without labels: sums of the head's standardised surprise, with limits for a stated rate of alarms.

The twin of firmware_templates/learning/drift.c. Two one-sided sums (E. S. Page, "Continuous inspection
schemes", Biometrika 1954) watch for surprises above and below what the factory's data gave.

The limits come from the average run length between false alarms, computed with the Markov chain of D. Brook
and D. A. Evans, "An approach to the probability distribution of CUSUM run length", Biometrika 1972, on the
empirical distribution of the factory's surprises. It holds for observations that do not depend on each other:
windows of audio that overlap alarm more often.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyc.device.learned import Drift
from tinyc.emit.arrays import literal
from tinyc.errors import TinycError

F = np.float32
FEWEST = 50
"""Surprises that limits can be computed from."""
_STATES = 120
_HIGHEST_LIMIT = 500.0


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """All numbers are float32 in the C. `z = (surprise - mean) * scale`, clipped to ±`clip`; a sum grows by
    what z is off by more than `slack`. `calm`: observations below the warning that end an alarm."""

    mean: float
    scale: float
    warning: float
    limit: float
    slack: float = 0.5
    clip: float = 4.0
    calm: int = 200

    def macros(self) -> Mapping[str, str]:
        """The `#define`s of learn_config.h."""
        floats = {
            "MEAN": self.mean,
            "SCALE": self.scale,
            "SLACK": self.slack,
            "CLIP": self.clip,
            "WARNING": self.warning,
            "LIMIT": self.limit,
        }
        texts = {f"LEARN_DRIFT_{name}": f"({literal(F(value))})" for name, value in floats.items()}
        return {**texts, "LEARN_DRIFT_CALM": f"{self.calm}u"}


def drift_settings(surprises: npt.NDArray[np.float32], arl0: float = 10_000.0) -> DriftSettings:
    """Settings for `surprises` (n,) of factory data, with a false alarm in `arl0` observations on average.

    Warnings come ten times as often. The surprises should be of data that the head was not fitted to. Raises
    TinycError for fewer than FEWEST of them, for one that is not finite, and where they are all the same.
    """
    values = np.asarray(surprises, np.float64)
    if len(values) < FEWEST or not np.isfinite(values).all() or np.ptp(values) == 0:
        raise TinycError(
            "the drift detector cannot be set from these surprises",
            allowed=f"at least {FEWEST} finite ones that are not all the same; there are {len(values)}",
            hint="give `data` with more samples",
        )
    bare = DriftSettings(float(F(values.mean())), float(F(1 / values.std())), 0.0, 0.0)
    z = standardised(bare, values)
    return DriftSettings(
        bare.mean, bare.scale, limit_for(z, bare.slack, arl0 / 10), limit_for(z, bare.slack, arl0)
    )


def standardised(settings: DriftSettings, surprises: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """z of each surprise, in float64."""
    z = (np.asarray(surprises, np.float64) - settings.mean) * settings.scale
    return np.clip(z, -settings.clip, settings.clip)


def run_length(z: npt.NDArray[np.float64], slack: float, limit: float) -> float:
    """Observations until one of the two sums passes `limit`, on average, for independent draws from `z` (n,).

    Of each sum by Brook and Evans; together they alarm with the sum of both rates (K. W. Kemp 1961).
    """
    rate = 1 / _one_sided(z, slack, limit) + 1 / _one_sided(-z, slack, limit)
    return 1 / rate if rate > 0 else math.inf


def _one_sided(z: npt.NDArray[np.float64], slack: float, limit: float) -> float:
    """Brook and Evans, section 2: the sum from 0 to `limit` in steps of width w, state i at i × w."""
    width = 2 * limit / (2 * _STATES - 1)
    states = np.arange(_STATES) * width
    ordered = np.sort(z - slack)
    # Probability that the next sum lies below the upper edge of state j.
    edges = (states[None, :] + width / 2) - states[:, None]
    below = np.searchsorted(ordered, edges, side="right") / len(z)
    moves = np.diff(below, axis=1, prepend=0.0)
    # A walk that hardly ever gets anywhere has no finite solution.
    system = np.eye(_STATES) - moves
    if below[:, -1].min() >= 1.0:
        return math.inf
    try:
        length = float(np.linalg.solve(system, np.ones(_STATES))[0])
    except np.linalg.LinAlgError:
        return math.inf
    return length if length > 0 else math.inf


def limit_for(z: npt.NDArray[np.float64], slack: float, arl0: float) -> float:
    """The lowest limit, in steps of 0.01, whose run length is at least `arl0`; at least 1."""
    low, high = 100, round(_HIGHEST_LIMIT * 100)
    while low < high:
        middle = (low + high) // 2
        if run_length(z, slack, middle / 100) >= arl0:
            high = middle
        else:
            low = middle + 1
    return low / 100


class DriftDetector:
    """The twin of `struct drift`."""

    def __init__(self, settings: DriftSettings) -> None:
        self.settings = settings
        self.high, self.low = F(0), F(0)
        self.state = Drift.STABLE
        self.calm = 0
        self.alarms = 0
        self._most = F(2) * F(settings.limit)

    def restart(self) -> None:
        """Sums from 0 on; the count of alarms stays."""
        self.high, self.low = F(0), F(0)
        self.state, self.calm = Drift.STABLE, 0

    def observe(self, surprise: np.float32) -> Drift:
        """The state after one more surprise; one that is not finite counts as the largest."""
        settings = self.settings
        z = clip = F(settings.clip)
        if np.isfinite(surprise):
            with np.errstate(over="ignore"):
                z = (F(surprise) - F(settings.mean)) * F(settings.scale)
            z = clip if z > clip else -clip if z < -clip else z
        self.high = self._bounded((self.high + z) - F(settings.slack))
        self.low = self._bounded((self.low - z) - F(settings.slack))
        top = max(self.high, self.low)
        if top > F(settings.limit):
            self.alarms += self.state is not Drift.ALARM
            self.state, self.calm = Drift.ALARM, 0
        elif top > F(settings.warning):
            self.state = Drift.WARNING if self.state is Drift.STABLE else self.state
            self.calm = 0
        elif self.state is not Drift.STABLE:
            self.calm += 1
            if self.calm >= settings.calm:
                self.state, self.calm = Drift.STABLE, 0
        return self.state

    def _bounded(self, value: np.float32) -> np.float32:
        return self._most if value > self._most else F(0) if value < 0 else value
