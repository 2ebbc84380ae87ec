"""Gestures of a hand that holds an accelerometer: made from the paths that the hand takes, not recorded.

A window has 64 samples of three axes at 50 per second, 1.28 s, in units of g, as a sensor with steps of
1/64 g and a range of 4 g gives them. A gesture is a path in the plane in front of the body, with the timing
of reaching movements: position follows the polynomial of least jerk (Flash and Hogan, The coordination of
arm movements, 1985), so that the hand starts and stops smoothly. The sensor feels the second derivative of
the path and gravity, in its own axes: it is held at an angle that varies by about 10 degrees (standard
deviation) about each axis. Size, speed, start, shape, tremor at 8 to 12 Hz and noise vary from window to
window. A fast, wide circle leaves the range of the sensor and is clipped, as it would be.

It is no substitute for recordings: it stands in for them, so that the example needs no download.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LABELS = ("none", "swipe_left", "swipe_right", "lift", "circle", "shake")
SAMPLES, AXES, RATE = 64, 3, 50.0
STEP, RANGE = 1 / 64, 4.0
_GRAVITY = 9.81
# The path is drawn finer than it is sampled, for its derivative.
_FINE = 8

Floats = npt.NDArray[np.float64]


def window(label: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """One window of class `label`, [SAMPLES, AXES] in g: x to the right, y forward, z up."""
    time = np.arange(-2 * _FINE, (SAMPLES + 2) * _FINE) / (RATE * _FINE)
    path = _path(LABELS[label], time, rng)
    tremor = rng.uniform(0, 0.0004) * np.sin(
        2 * np.pi * rng.uniform(8, 12) * time + rng.uniform(0, 2 * np.pi)
    )
    path = path + np.outer(tremor, _direction(rng))
    step = time[1] - time[0]
    felt = np.gradient(np.gradient(path, step, axis=0), step, axis=0) / _GRAVITY + np.array([0, 0, 1])
    sampled = felt[2 * _FINE : -2 * _FINE : _FINE] @ _turned(rng.normal(0, 0.18, AXES)).T
    sampled = sampled + rng.normal(0, rng.uniform(0.005, 0.03), sampled.shape)
    return np.asarray(np.clip(np.round(sampled / STEP) * STEP, -RANGE, RANGE - STEP), np.float32)


def _reach(time: Floats, start: float, duration: float) -> Floats:
    """From 0 to 1 with the least jerk: 10 t^3 - 15 t^4 + 6 t^5."""
    t = np.clip((time - start) / duration, 0, 1)
    return t**3 * (10 - 15 * t + 6 * t**2)


def _path(name: str, time: Floats, rng: np.random.Generator) -> Floats:
    """Positions in metres, [time, AXES]."""
    path = np.zeros((len(time), AXES))
    if name == "none":  # a hand at rest, or one that moves slowly from here to there
        there = _direction(rng) * rng.uniform(0, 0.15)
        return np.outer(_reach(time, rng.uniform(-0.5, 0.3), rng.uniform(0.9, 1.6)), there)
    duration = rng.uniform(0.35, 0.6)
    start = rng.uniform(0.1, 1.2 - duration)
    size = rng.uniform(0.2, 0.45)
    if name in ("swipe_left", "swipe_right"):
        path[:, 0] = (1 if name == "swipe_right" else -1) * size * _reach(time, start, duration)
        path[:, 2] = rng.normal(0, 0.15) * path[:, 0]
    elif name == "lift":
        path[:, 2] = size * _reach(time, start, duration)
        path[:, 0] = rng.normal(0, 0.15) * path[:, 2]
    elif name == "circle":  # clockwise, once, from the top
        duration = rng.uniform(0.7, 1.0)
        angle = 2 * np.pi * _reach(time, rng.uniform(0.05, 1.2 - duration), duration)
        path[:, 0] = 0.4 * size * np.sin(angle)
        path[:, 2] = 0.4 * size * rng.uniform(0.7, 1.3) * np.cos(angle)
    else:  # shake: to and fro, three to six times a second
        swing = np.sin(2 * np.pi * rng.uniform(3, 6) * time + rng.uniform(0, 2 * np.pi))
        begin, end = _reach(time, rng.uniform(-0.2, 0.2), 0.2), 1 - _reach(time, rng.uniform(0.9, 1.3), 0.2)
        path[:, 0] = rng.uniform(0.015, 0.04) * swing * begin * end
    path[:, 1] += rng.normal(0, 0.1) * (path[:, 0] + path[:, 2])
    return path


def _direction(rng: np.random.Generator) -> Floats:
    found = rng.normal(0, 1, AXES)
    return np.asarray(found / np.linalg.norm(found))


def _turned(angles: Floats) -> Floats:
    """Rotation by `angles` (radians) about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def windows(count: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """`count` windows [count, SAMPLES, AXES] and their classes, as many of each, in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(LABELS))
    return np.stack([window(int(label), rng) for label in labels]), labels
