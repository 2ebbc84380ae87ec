"""The vibration of a rotating machine, healthy or with a fault, as an accelerometer on its bearing feels it.

A four-pole induction motor on 50 Hz drives a gear. Its shaft turns at 25 Hz less the slip, which grows with
the load, and the load wanders. The housing feels

- the shaft: 1x, 2x and 3x of its speed, from what imbalance and misalignment every machine has;
- the gear: its teeth mesh 23 times a turn, harder under load, with sidebands at the speed of the shaft;
- the bearing: broadband noise of rolling;

through two modes of the structure, and the sensor adds noise. The faults:

- imbalance: a mass off the axis; its centrifugal force turns with the shaft, so 1x grows;
- bearing: a pit in the outer race. Each ball that passes strikes it, N/2 (1 - d/D) times a turn, and each
  blow rings the modes. Balls slip, so the time between blows varies by a percent. The model of McFadden and
  Smith, "Model for the vibration produced by a single point defect in a rolling element bearing" (J. Sound
  Vib. 96, 1984), with the jitter of Randall and Antoni, "Rolling element bearing diagnostics: a tutorial"
  (MSSP 25, 2011);
- looseness: a foot that lifts from its base: harmonics of half the speed, and a blow a turn where it lands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

RATE = 16_000
SAMPLES = 30_720
"""Of one recording: 1.92 s, ten inputs of the model."""
FAULTS = ("imbalance", "bearing", "looseness")

_TEST_SEED, _TEST_EACH = 6, 20
_FULL_SPEED, _NO_LOAD_SLIP, _LOAD_SLIP = 25.0, 0.004, 0.036
_TEETH = 23
# (hertz, share of critical damping, gain) of the modes of the housing.
_MODES = ((2_750.0, 0.03, 1.0), (5_100.0, 0.02, 0.6))
# Balls and their diameter over that of the pitch circle, of a 6205 bearing.
_BALLS, _BALL_RATIO = 9, 0.2032
_JITTER = 0.01
# Sample values per unit of acceleration.
_GAIN = 1_500.0


def recording(rng: np.random.Generator, fault: str | None = None) -> Array:
    """int16 [SAMPLES] of one machine run; a fault has a random severity, from incipient to plain."""
    load = _load(rng)
    speed = _FULL_SPEED * (1 - _NO_LOAD_SLIP - _LOAD_SLIP * load)
    angle = 2 * np.pi * (rng.uniform() + np.cumsum(speed) / RATE)
    severity = rng.uniform(0.3, 1.0) if fault else 0.0
    imbalance = rng.uniform(0.8, 1.2) + (4.0 * severity if fault == "imbalance" else 0.0)
    motion = imbalance * np.sin(angle)
    for order, size in ((2, 0.4), (3, 0.2)):
        motion += size * rng.uniform(0.8, 1.2) * np.sin(order * angle + rng.uniform(0, 2 * np.pi))
    motion += 0.3 * (0.4 + load) * (1 + 0.3 * np.sin(angle)) * np.sin(_TEETH * angle)
    force = (0.10 + 0.05 * load) * rng.uniform(0.9, 1.1) * rng.standard_normal(SAMPLES)
    if fault == "bearing":
        passes = _BALLS / 2 * (1 - _BALL_RATIO)
        force += 3.0 * severity * (0.5 + load) * _blows(rng, angle, passes)
    if fault == "looseness":
        for order in (0.5, 1.5, 2.5, 4, 5, 6):
            motion += 0.5 * severity * np.sin(order * angle + rng.uniform(0, 2 * np.pi))
        force += 4.0 * severity * _blows(rng, angle, 1)
    felt = motion + _ringing(force) + 0.02 * rng.standard_normal(SAMPLES)
    return np.clip(np.round(_GAIN * felt), -32_768, 32_767).astype(np.int16)


def _load(rng: np.random.Generator) -> Array:
    """The load of the machine, between 0.2 and 1: it wanders within some tenths of a second."""
    time = np.arange(SAMPLES) / RATE
    wave = np.sin(2 * np.pi * (rng.uniform(0.2, 1.0) * time + rng.uniform()))
    load: Array = np.clip(rng.uniform(0.3, 0.9) + 0.15 * wave, 0.2, 1.0)
    return load


def _blows(rng: np.random.Generator, angle: Array, per_turn: float) -> Array:
    """A blow of about one unit `per_turn` times a turn, late or early by the slip of the balls."""
    turns = (angle - angle[0]) / (2 * np.pi)
    count = int(turns[-1] * per_turn)
    gaps = (1 + _JITTER * rng.standard_normal(count)) / per_turn
    at = np.searchsorted(turns, np.cumsum(gaps))
    at = at[at < SAMPLES]
    blows = np.zeros(SAMPLES)
    blows[at] = rng.uniform(0.8, 1.2, len(at))
    return blows


def _ringing(force: Array) -> Array:
    """What the modes of the housing, each a mass on a damped spring, make of a force."""
    hertz = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    response = sum(
        gain / (1 - (hertz / mode) ** 2 + 2j * damping * hertz / mode) for mode, damping, gain in _MODES
    )
    ringing: Array = np.fft.irfft(np.fft.rfft(force) * response, SAMPLES)
    return ringing


def test_recordings() -> tuple[Array, list[str | None]]:
    """(int16 [120, SAMPLES], their faults): 20 of every fault, and as many healthy as faulty ones."""
    rng = np.random.default_rng(_TEST_SEED)
    faults = [*([None] * _TEST_EACH * len(FAULTS)), *(fault for fault in FAULTS for _ in range(_TEST_EACH))]
    return np.stack([recording(rng, fault) for fault in faults]), faults
