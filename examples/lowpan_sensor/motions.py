"""Windows of an accelerometer that are made, not recorded: four motions, each with its own chance.

A window has 128 samples of three axes at 50 per second, in units of g, with the steps and the range of
a small sensor: 1/64 g, and 2 g either way. It is no substitute for recordings: it stands in for them, so
that the example needs no download.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LABELS = ("rest", "walk", "run", "machine")
SAMPLES, AXES, RATE = 128, 3, 50.0
STEP, RANGE = 1 / 64, 2.0

Window = npt.NDArray[np.float32]


def window(label: int, rng: np.random.Generator) -> Window:
    """One window of class `label`, [SAMPLES, AXES]."""
    time = np.arange(SAMPLES) / RATE
    tilt = rng.normal(0, 0.35, AXES) + np.array([0, 0, 1])
    gravity = tilt / np.linalg.norm(tilt)
    direction = rng.normal(0, 1, AXES)
    direction /= np.linalg.norm(direction)
    noise = rng.normal(0, rng.uniform(0.01, 0.05), (SAMPLES, AXES))
    felt = gravity + np.outer(_motion(LABELS[label], time, rng), direction) + noise
    return np.asarray(np.clip(np.round(felt / STEP) * STEP, -RANGE, RANGE - STEP), np.float32)


def _motion(name: str, time: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Acceleration along the direction of the motion."""
    phase = rng.uniform(0, 2 * np.pi)
    if name == "rest":  # a hand is never quite still
        return rng.uniform(0, 0.06) * np.sin(2 * np.pi * rng.uniform(0.1, 0.6) * time + phase)
    if name == "machine":  # small, fast, regular; aliased where it is faster than half the rate
        return rng.uniform(0.08, 0.3) * np.sin(2 * np.pi * rng.uniform(12, 24) * time + phase)
    low, high, least, most = (1.4, 2.2, 0.15, 0.4) if name == "walk" else (2.4, 3.4, 0.5, 1.1)
    step = 2 * np.pi * rng.uniform(low, high) * time + phase
    impact = rng.uniform(0.2, 0.6) * np.maximum(0, np.sin(step)) ** 6
    return rng.uniform(least, most) * (np.sin(step) + impact + 0.3 * np.sin(2 * step + phase))


def windows(count: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """`count` windows [count, SAMPLES, AXES] and their classes, as many of each, in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(LABELS))
    return np.stack([window(int(label), rng) for label in labels]), labels
