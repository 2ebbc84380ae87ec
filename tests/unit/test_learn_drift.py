"""The drift detector's limits: the run length that was promised, and how fast a change is noticed."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from tinyc.device.learned import Drift
from tinyc.errors import TinycError
from tinyc.learning.drift import (
    DriftDetector,
    DriftSettings,
    drift_settings,
    limit_for,
    run_length,
    standardised,
)

pytestmark = pytest.mark.unit

RNG = np.random.default_rng(11)
# Surprises of a factory: never negative, with a long tail, about 1 on average.
FACTORY = RNG.gamma(3.0, 1 / 3, 400).astype(np.float32)


def simulated(z: np.ndarray, slack: float, limit: float, walks: int, seed: int) -> np.ndarray:
    """Run lengths of `walks` two-sided sums of draws from `z`, all at once."""
    rng = np.random.default_rng(seed)
    high, low, length = np.zeros(walks), np.zeros(walks), np.zeros(walks, int)
    running = np.ones(walks, bool)
    while running.any():
        draws = rng.choice(z, walks)
        high, low = np.maximum(high + draws - slack, 0), np.maximum(low - draws - slack, 0)
        length[running] += 1
        running &= np.maximum(high, low) <= limit
    return length


@pytest.mark.parametrize("arl0", [100.0, 1000.0])
def test_the_run_length_is_that_of_a_simulation(arl0: float) -> None:
    settings = drift_settings(FACTORY, arl0)
    z = standardised(settings, FACTORY)
    lengths = simulated(z, settings.slack, settings.limit, 1500, 3)
    error = lengths.std() / np.sqrt(len(lengths))
    computed = run_length(z, settings.slack, settings.limit)
    print(f"limit {settings.limit}: computed {computed:.0f}, simulated {lengths.mean():.0f} +- {error:.0f}")
    assert computed >= arl0
    assert abs(lengths.mean() - computed) < 4 * error + 0.03 * computed


def test_a_normal_distribution_gives_the_published_run_length() -> None:
    """Two-sided, k = 0.5: 168 for h = 4, 465 for h = 5 (D. C. Montgomery, Introduction to Statistical Quality
    Control, section 9.1)."""
    normal = NormalDist()
    z = np.array([normal.inv_cdf((i + 0.5) / 20_000) for i in range(20_000)])
    assert run_length(z, 0.5, 4.0) == pytest.approx(168, rel=0.02)
    assert run_length(z, 0.5, 5.0) == pytest.approx(465, rel=0.02)


def test_the_detector_keeps_the_rate_it_was_set_for() -> None:
    """The twin of the C on factory surprises: about as many alarms as one in `arl0` observations."""
    settings = drift_settings(FACTORY, 300.0)
    rng, alarms, observations = np.random.default_rng(5), 0, 0
    detector = DriftDetector(settings)
    while observations < 30_000:
        observations += 1
        if detector.observe(np.float32(rng.choice(FACTORY))) is Drift.ALARM:
            alarms += 1
            detector.restart()
    assert 70 <= alarms <= 135  # 100 are expected


@pytest.mark.parametrize(("change", "within"), [(2.0, 60), (0.0, 120), (np.inf, 10), (np.nan, 10)])
def test_a_change_is_noticed(change: float, within: int) -> None:
    """Twice as strange, as for a stuck sensor not strange at all, or no number."""
    detector = DriftDetector(drift_settings(FACTORY, 10_000.0))
    rng = np.random.default_rng(6)
    warned = None
    for count in range(within):
        with np.errstate(invalid="ignore"):
            surprise = np.float32(rng.choice(FACTORY) * np.float32(change))
        state = detector.observe(surprise)
        warned = count if warned is None and state is not Drift.STABLE else warned
        if state is Drift.ALARM:
            break
    assert detector.state is Drift.ALARM and detector.alarms == 1
    assert warned is not None and warned < count


def test_an_alarm_ends_when_it_has_been_calm() -> None:
    settings = DriftSettings(mean=1.0, scale=1.0, warning=2.0, limit=4.0, calm=20)
    detector = DriftDetector(settings)
    states = [detector.observe(np.float32(5.0)) for _ in range(3)]
    assert states == [Drift.WARNING, Drift.ALARM, Drift.ALARM]
    # Never more than twice the limit: 8 comes down by a half each time, and the 12th is the first calm one.
    states = [detector.observe(np.float32(1.0)) for _ in range(40)]
    assert states.index(Drift.STABLE) == 11 + settings.calm - 1
    assert Drift.WARNING not in states
    assert detector.alarms == 1


def test_limits_grow_with_the_run_length() -> None:
    settings = drift_settings(FACTORY)
    z = standardised(settings, FACTORY)
    limits = [limit_for(z, 0.5, arl0) for arl0 in (10.0, 100.0, 1000.0, 10_000.0, 100_000.0)]
    assert limits == sorted(set(limits))
    assert settings.limit == limits[3] and settings.warning == limits[2]


@pytest.mark.parametrize("surprises", [FACTORY[:20], np.ones(100), np.append(FACTORY, np.nan)])
def test_what_limits_cannot_be_computed_from(surprises: np.ndarray) -> None:
    with pytest.raises(TinycError, match="drift detector"):
        drift_settings(surprises.astype(np.float32))


def test_the_macros_are_float_literals() -> None:
    macros = drift_settings(FACTORY).macros()
    assert macros["LEARN_DRIFT_SLACK"] == "(0.5f)" and macros["LEARN_DRIFT_CALM"] == "200u"
    assert np.float32(macros["LEARN_DRIFT_MEAN"].strip("(f)")) == np.float32(
        FACTORY.astype(np.float64).mean()
    )
