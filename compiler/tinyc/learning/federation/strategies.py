"""Federated strategies as mathematics on vectors: what devices are asked, and what their answers change.

Nothing here knows how a device is reached: the run loop and the Flower adapter use the same object.

tinyreptile   one device a round, one online step a sample (TinyReptile, arXiv 2304.05201)
tinymetafed   the head stays on the device and is rebuilt first, the largest half of the body's delta
              is sent as int8 (TinyMetaFed, arXiv 2307.06822)
reptile       the samples are kept, several steps on all of them (Nichol et al., arXiv 1803.02999)
fedavg        several devices a round, weighted by their samples (McMahan et al., arXiv 1602.05629)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.learning.federation import robust
from tinyc.learning.federation.client import HEADS, TrainConfig, Update, Vector
from tinyc.learning.federation.schedule import Schedule
from tinyc.learning.federation.schedule import check as check_schedule

Name = Literal["tinyreptile", "tinymetafed", "reptile", "fedavg"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the answers of a round did.

    parameters: float32 (parameters,). refused: (place in the list of updates, why). clipped: places of
    those that were shortened. recent: norms for the next round. applied: the parameters moved.
    """

    parameters: Vector
    recent: tuple[float, ...]
    refused: tuple[tuple[int, str], ...]
    clipped: tuple[int, ...]
    applied: bool


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to federate. `training` is what devices are asked for; its seed is set for each device.

    Raises TinycError with every value out of range.
    """

    name: str
    training: TrainConfig
    devices: int = 1
    schedule: Schedule = field(default_factory=Schedule)
    robustness: robust.Robustness = field(default_factory=robust.Robustness)
    weighted: bool = False
    """Devices count by their samples, not equally."""

    def __post_init__(self) -> None:
        training, problems = self.training, []
        for name, right, allowed in (
            ("devices", self.devices >= 1, "1 or more"),
            ("rate", 0 < training.rate < float("inf"), "above 0"),
            ("samples", training.samples >= 1, "1 or more"),
            ("head_samples", training.head_samples >= 0, "0 or more"),
            ("batch_steps", training.batch_steps >= 0, "0 for online, or 1 and more"),
            ("head", training.head in HEADS, ", ".join(HEADS)),
            ("top", 0 < training.top <= 1, "above 0, at most 1"),
        ):
            if not right:
                value = getattr(self if name == "devices" else training, name)
                problems.append(Problem(name, f"is {value}", allowed))
        if self.robustness.aggregate == "median" and training.top < 1:
            problems.append(
                Problem(
                    "aggregate",
                    "is median, but with top < 1 most entries are zero and so is their median",
                    "`trimmed`, or top = 1",
                )
            )
        if self.robustness.quorum > self.devices:
            problems.append(
                Problem("quorum", f"is {self.robustness.quorum}", f"at most devices ({self.devices})")
            )
        if problems:
            raise TinycError("the strategy cannot run", where=self.name, problems=problems)

    def check(self, label_permuted: bool, force: bool) -> None:
        """Raises TinycError for a schedule that cannot work on such tasks, unless `force`."""
        check_schedule(self.schedule, label_permuted, self.training.head != "shared", force)

    def configure(self, seed: int) -> TrainConfig:
        """What a device is asked for in one round."""
        return replace(self.training, seed=seed)

    def apply(
        self, parameters: Vector, updates: Sequence[Update], step: float, recent: Sequence[float] = ()
    ) -> Outcome:
        """φ + step × aggregate of the deltas that pass the screen, each shortened to the bound."""
        refused, clipped, deltas, weights = [], [], [], []
        longest = robust.bound(self.robustness.clip, recent, parameters)
        for place, update in enumerate(updates):
            if why := robust.refusal(update, parameters.size):
                refused.append((place, why))
                continue
            delta, was_clipped = robust.clipped(update.delta, longest)
            if was_clipped:
                clipped.append(place)
            deltas.append(delta)
            weights.append(float(max(1, update.samples)) if self.weighted else 1.0)
        if len(deltas) < self.robustness.quorum:
            return Outcome(parameters, tuple(recent), tuple(refused), tuple(clipped), False)
        delta = robust.combine(deltas, weights, self.robustness.aggregate, self.robustness.trim)
        moved = (parameters + np.float32(step) * delta).astype(np.float32)
        return Outcome(moved, robust.remembered(recent, deltas), tuple(refused), tuple(clipped), True)


# What each strategy is by default; a configuration changes single values.
_PRESETS: dict[str, Strategy] = {
    "tinyreptile": Strategy("tinyreptile", TrainConfig(rate=0.02, samples=32)),
    "tinymetafed": Strategy(
        "tinymetafed", TrainConfig(rate=0.02, samples=32, head_samples=8, head="zero", top=0.5)
    ),
    "reptile": Strategy("reptile", TrainConfig(rate=0.02, samples=10, batch_steps=8), devices=5),
    "fedavg": Strategy(
        "fedavg",
        TrainConfig(rate=0.02, samples=32),
        devices=5,
        schedule=Schedule("constant", 1.0),
        weighted=True,
    ),
}
NAMES = tuple(_PRESETS)


def preset(name: str) -> Strategy:
    """The strategy of that name with its defaults; raises TinycError for an unknown one."""
    if name not in _PRESETS:
        raise TinycError(f"unknown strategy `{name}`", where="strategy", allowed=", ".join(NAMES))
    return _PRESETS[name]
