"""How a guard set is chosen, and when one of two heads has proved better."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from support import learners
from tinyc.errors import TinycError
from tinyc.learning import guard as guards
from tinyc.learning.guard import Duel, choose_guard, duel_limits
from tinyc.resources import data_folder

pytestmark = pytest.mark.unit


def test_the_guard_has_samples_of_all_classes_that_the_factory_answers_right() -> None:
    case = learners.case("slda", latent=16, factory=5, capacity=7, distance=9.0, seed=3)
    labels = np.arange(500) % 5
    latents = case.world.draw(labels, 21)
    guard = choose_guard(case.design, latents, labels, per_class=6, epsilon=0.1)
    assert np.bincount(guard.targets).tolist() == [6] * 5 and guard.slack == 3
    assert guards.mark_of(case.design.head(), guard).right == 30
    margins = _margins(case.design.head().scores_many(guard.latents), guard.targets)
    every = _margins(case.design.head().scores_many(latents), labels)
    right = every[every > 0]
    # Easy ones and such near the boundary.
    assert np.quantile(right, 0.02) < margins.min() < np.quantile(right, 0.25)
    assert np.quantile(right, 0.75) < margins.max() < right.max()
    assert choose_guard(case.design, latents, labels, 6, 0.0).slack == 0


def _margins(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rows = np.arange(len(labels))
    own = scores[rows, labels].astype(np.float64)
    others = scores.astype(np.float64).copy()
    others[rows, labels] = -np.inf
    return np.asarray(own - others.max(axis=1))


def test_the_guard_of_a_regression() -> None:
    case = learners.case("regression", capacity=3)
    labels = np.arange(300) % 3
    guard = choose_guard(case.design, case.world.draw(labels, 4), case.targets(labels), per_class=5)
    assert guard.is_regression and guard.targets.shape == (10, 3) and guard.factor == 1.075
    worse, same = case.design.head(), guards.mark_of(case.design.head(), guard)
    assert guards.holds(same, same, guard)
    for latent, target in zip(guard.latents, guard.targets, strict=True):
        worse.update(latent, -target)
    mark = guards.mark_of(worse, guard)
    assert not guards.holds(mark, same, guard)
    assert guards.compare(mark, same) < 0 < guards.compare(same, mark) and guards.compare(same, same) == 0


def test_without_a_right_answer_there_is_no_guard() -> None:
    case = learners.case("slda")
    labels = np.arange(30) % 3
    with pytest.raises(TinycError, match="guard"):
        choose_guard(case.design, case.world.draw(labels, 2), (labels + 1) % 3)


def test_the_limits_of_the_duel_are_those_in_the_firmware() -> None:
    text = (data_folder("firmware_templates") / "learning" / "guard.c").read_text(encoding="utf-8")
    table = re.search(r"limits\[GUARD_DUEL\] = \{([^}]*)\}", text)
    assert table is not None
    assert tuple(int(number) for number in re.findall(r"\d+", table[1])) == duel_limits()


def test_equal_heads_are_hardly_ever_told_apart() -> None:
    """Simulated: 1 round in 100 by chance, nearly all where last-good wins 3 of 4 of those samples."""
    limits, rng = duel_limits(), np.random.default_rng(1)
    level = max(
        sum(Fraction(math.comb(n, k), 2**n) for k in range(limit, n + 1))
        for n, limit in enumerate(limits, 1)
        if limit <= n
    )
    assert level < Fraction(1, 100)
    for chance, low, high in ((0.5, 0.002, 0.0145), (0.75, 0.85, 1.0)):
        found = 0
        for _ in range(2000):
            duel = Duel(limits)
            found += any(duel.add(-1 if win else 1) for win in rng.random(len(limits)) < chance)
        print(f"last-good right in {chance:.0%}: back in {found / 2000:.1%} of the rounds")
        assert low <= found / 2000 <= high


def test_a_round_ends() -> None:
    duel = Duel(duel_limits())
    assert not any(duel.add((-1) ** step) for step in range(guards.DUEL))
    assert duel.only_active == duel.only_good == 0
    assert not duel.add(0) and duel.only_active == 0
    assert [duel.add(-1) for _ in range(9)] == [False] * 8 + [True]
