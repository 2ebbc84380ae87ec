"""The guard set and the judgements of a head. The twin of firmware_templates/learning/guard.c."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.emit.arrays import literal
from tinyc.errors import TinycError
from tinyc.learning.float_math import F
from tinyc.learning.heads.design import Floats, Head, HeadDesign, Int8s

DUEL = 64
"""Samples of a round, see `duel_limits`."""
_LEVEL = Fraction(1, 100)
_NEVER = 255


@dataclass(frozen=True, slots=True)
class Guard:
    """Factory latents that no head on the device learns from: int8 (n, d).

    `targets`: uint8 (n,), or for a regression float32 (n, capacity). A shadow may have `slack` fewer of them
    right than the factory's head, or for a regression `factor` times its error.
    """

    latents: Int8s
    targets: npt.NDArray[Any]
    slack: int = 0
    factor: float = 1.05

    @property
    def is_regression(self) -> bool:
        return self.targets.ndim == 2

    def macros(self) -> Mapping[str, str]:
        """The `#define`s of learn_config.h."""
        return {
            "LEARN_GUARD_COUNT": f"{len(self.latents)}u",
            "LEARN_GUARD_SLACK": f"{self.slack}u",
            "LEARN_GUARD_FACTOR": literal(F(self.factor)),
        }

    def tables(self) -> Mapping[str, npt.NDArray[Any]]:
        """`learn_<name>[]`: guard_latents, and guard_labels (uint8) or guard_targets (float32)."""
        if self.is_regression:
            return {"guard_latents": self.latents, "guard_targets": self.targets.astype(np.float32)}
        return {"guard_latents": self.latents, "guard_labels": self.targets.astype(np.uint8)}


def choose_guard(
    design: HeadDesign,
    latents: Int8s,
    targets: npt.NDArray[Any],
    per_class: int = 8,
    epsilon: float = 0.075,
) -> Guard:
    """A guard set from factory data, int8 (n, d), with their labels (n,) or target values (n, capacity).

    `per_class` latents of each factory class, of those that the factory's head answers right: at evenly
    spaced quantiles of the margin between the right class and the next, so that there are easy ones and such
    near the boundary. `epsilon` is the share of right answers that may be lost: slack is epsilon × n, rounded
    up. For a regression 2 × `per_class` latents at quantiles of the error, and factor 1 + epsilon.

    The latents should be none that the head was fitted to. The fewer there are of a class, the easier it is
    for wrong labels to teach a head that keeps just these: with 4 a class the accuracy on other factory data
    falls about twice as far as with 8. A class of which the head answers none right has no latents in the
    set. Raises TinycError where that leaves nothing.
    """
    head = design.head()
    scores = head.scores_many(latents)
    if design.is_regression:
        errors = np.square(scores.astype(np.float64) - targets).mean(axis=1)
        chosen = _at_quantiles(np.arange(len(latents)), errors, 2 * per_class)
        if not chosen:
            raise _nothing()
        return Guard(latents[chosen].copy(), targets[chosen].astype(np.float32), factor=1 + epsilon)
    chosen = []
    for label in range(design.factory_classes):
        own = np.flatnonzero(np.asarray(targets) == label)
        if len(own):
            others = np.delete(scores[own].astype(np.float64), label, axis=1).max(axis=1, initial=-np.inf)
            margins = scores[own, label].astype(np.float64) - others
            right = np.argmax(scores[own], axis=1) == label
            chosen += _at_quantiles(own[right], margins[right], per_class)
    if not chosen:
        raise _nothing()
    slack = math.ceil(epsilon * len(chosen))
    return Guard(latents[chosen].copy(), np.asarray(targets)[chosen].astype(np.uint8), slack)


def _at_quantiles(indices: npt.NDArray[Any], values: npt.NDArray[np.float64], count: int) -> list[int]:
    """Up to `count` of `indices`, evenly spaced in the order of their values, without the extremes."""
    ordered = indices[np.argsort(values, kind="stable")]
    count = min(count, len(ordered))
    return [int(ordered[(2 * i + 1) * len(ordered) // (2 * count)]) for i in range(count)]


def _nothing() -> TinycError:
    return TinycError(
        "there is no sample to guard the head with",
        allowed="data of which the factory's head answers at least one sample right",
        hint="check that `data` has the model's inputs and labels",
    )


# Judgements.


@dataclass(slots=True)
class Mark:
    """`struct guard_mark`: how well a head answers samples."""

    right: int = 0
    error: np.float32 = field(default_factory=lambda: F(0))
    finite: bool = True

    @property
    def bits(self) -> int:
        """As statistics and records have it: right answers, or the bits of the error."""
        return self.right if self.error == 0 else int(self.error.view(np.uint32))


def add(mark: Mark, head: Head, latent: Int8s, target: Any) -> None:
    """One sample with its label, or its values float32 (capacity,)."""
    scores = head.scores(latent)
    mark.finite &= bool(np.isfinite(scores).all())
    if head.design.is_regression:
        with np.errstate(all="ignore"):
            mark.error = F(mark.error + _error_of(head, scores, target))
        mark.finite &= bool(np.isfinite(mark.error))
    else:
        mark.right += int(np.argmax(scores)) == int(target)


def _error_of(head: Any, scores: Floats, target: Floats) -> np.float32:
    """`learn_head_error`; only heads that learn values have it."""
    return F(head.error(scores, target))


def mark_of(head: Head, guard: Guard) -> Mark:
    """The mark of a head on the guard set."""
    mark = Mark()
    for latent, target in zip(guard.latents, guard.targets, strict=True):
        add(mark, head, latent, target)
    return mark


def holds(shadow: Mark, factory: Mark, guard: Guard) -> bool:
    """Whether the shadow keeps what the factory taught."""
    if guard.is_regression:
        with np.errstate(all="ignore"):
            enough = bool(shadow.error <= F(factory.error * F(guard.factor)))
    else:
        enough = shadow.right + guard.slack >= factory.right
    return shadow.finite and enough


def compare(a: Mark, b: Mark) -> int:
    """Below 0: a is the worse one, above: the better one, 0: as good."""
    if a.right != b.right:
        return a.right - b.right
    return int(a.error < b.error) - int(a.error > b.error)


def duel_limits(samples: int = DUEL, level: Fraction = _LEVEL) -> tuple[int, ...]:
    """When last-good has proved better: of n samples that only one of two heads answered right, so many.

    A one-sided exact sign test after each sample. Each look has the same level, the highest at which two
    equally good heads are told apart in at most `level` of all rounds of `samples`; computed exactly. 255:
    no number is enough.
    """
    low, high = Fraction(0), level
    for _ in range(30):
        middle = (low + high) / 2
        if _told_apart(_limits_at(middle, samples)) <= level:
            low = middle
        else:
            high = middle
    return _limits_at(low, samples)


def _limits_at(level: Fraction, samples: int) -> tuple[int, ...]:
    found = []
    for n in range(1, samples + 1):
        tail, limit = Fraction(0), _NEVER
        for k in range(n, -1, -1):
            tail += Fraction(math.comb(n, k), 2**n)
            if tail > level:
                break
            limit = k
        found.append(limit)
    return tuple(found)


def _told_apart(limits: tuple[int, ...]) -> Fraction:
    """The probability that a fair coin passes one of the limits."""
    ways, total = {0: 1}, Fraction(0)
    for n, limit in enumerate(limits, 1):
        after: dict[int, int] = {}
        for heads, count in ways.items():
            for now in (heads, heads + 1):
                after[now] = after.get(now, 0) + count
        total += Fraction(sum(count for heads, count in after.items() if heads >= limit), 2**n)
        ways = {heads: count for heads, count in after.items() if heads < limit}
    return total


class Duel:
    """The twin of `struct guard_duel`."""

    def __init__(self, limits: tuple[int, ...]) -> None:
        self._limits = limits
        self.only_active = self.only_good = 0

    def restart(self) -> None:
        self.only_active = self.only_good = 0

    def add(self, active_against_good: int) -> bool:
        """Whether last-good has proved better."""
        if active_against_good == 0:
            return False
        self.only_active += active_against_good > 0
        self.only_good += active_against_good < 0
        count = self.only_active + self.only_good
        if self.only_good >= self._limits[count - 1]:
            return True
        if count == len(self._limits):
            self.restart()
        return False
