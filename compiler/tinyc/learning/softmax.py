"""Softmax regression on the host: the factory weights of the `sgd` head, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from tinyc.learning.tuning import SHOTS, Doubles, Labels, curve_of, split_classes

if TYPE_CHECKING:
    from tinyc.learning.fit import HeadOptions
    from tinyc.learning.heads.design import Int8s

_STEPS = 300
_RIDGES = (1e-2, 3e-2, 0.1, 0.3)
# Length of the row of a new class, in mean lengths of the factory's rows. A fixed number, as episodes cannot
# tell it: a body knows the classes that an episode holds out better than those that it will meet, and the
# short rows that do for the former leave the latter unheard. The mean of a few samples is also shorter than
# one of them, by about this much.
LENGTH = 1.5
_EPISODES = 3
# Samples of a class that an episode looks at.
_MOST = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """How to fit the rows of the factory."""

    curve: bool
    ridge: float
    reason: str


def fit(z: Doubles, labels: Labels, classes: int, ridge: float) -> tuple[Doubles, Doubles]:
    """Weights (classes, d) and biases (classes,) of least mean cross-entropy plus ridge |weights|^2 / 2.

    Classes count alike, however many samples they have. Accelerated gradient descent (Nesterov 1983) with
    the step that the largest eigenvalue allows.
    """
    ones = np.concatenate([z, np.ones((len(z), 1))], axis=1)
    wanted = np.eye(classes)[labels]
    weight = (1 / np.bincount(labels, minlength=classes))[labels] / classes
    moment = (ones * weight[:, None]).T @ ones
    step = 1 / (0.5 * np.linalg.eigvalsh(moment)[-1] + ridge)
    now = ahead = np.zeros((classes, ones.shape[1]))
    for i in range(_STEPS):
        p = _probabilities(ones @ ahead.T)
        gradient = ((p - wanted) * weight[:, None]).T @ ones + ridge * ahead
        after = ahead - step * gradient
        ahead = after + i / (i + 3) * (after - now)
        now = after
    return now[:, :-1], now[:, -1]


def _probabilities(scores: Doubles) -> Doubles:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def row_length(weights: Doubles) -> float:
    """The mean length of the rows, 1 where all are zero."""
    return float(np.linalg.norm(weights, axis=1).mean()) or 1.0


def statistics_of(x: Doubles) -> Doubles:
    """Mean and inverse deviation (2, d); an element that hardly varies gets 0."""
    deviation = x.std(axis=0)
    inverse = np.where(deviation > 0.1, 1 / np.maximum(deviation, 0.1), 0.0)
    return np.stack([x.mean(axis=0), inverse])


def choose(latents: Int8s, labels: Labels, zero_point: int, options: HeadOptions) -> Choice:
    """The combination with the best mean recall over episodes; what the options give stays.

    An episode holds a third of the classes out, fits the others to half of their samples, imprints the
    held-out ones from 5 and from 20 of theirs, and classifies the other half of all.
    """
    classes = int(labels.max()) + 1
    if classes < 3 or np.bincount(labels).min() < 2 * min(SHOTS):
        reason = "nothing: too few classes or samples to try"
        return Choice(bool(options.curve), 3e-2, reason)
    curves = (False, True) if options.curve is None else (options.curve,)
    kept = np.concatenate([np.flatnonzero(labels == c)[:_MOST] for c in range(classes)])
    grid = list(product(curves, _RIDGES))
    total = np.zeros(len(grid))
    for episode in range(_EPISODES):
        results = []
        for curve in curves:
            x = curve_of(curve, zero_point)[latents[kept].astype(np.int64) + 128].astype(np.float64)
            rng = np.random.default_rng((options.seed, episode))
            results += _episode(x, labels[kept], rng)
        total += results
    at = int(np.argmax(total))
    accuracy = total[at] / _EPISODES
    return Choice(*grid[at], f"{_EPISODES} episodes with held-out classes, accuracy {accuracy:.3f}")


def _episode(x: Doubles, labels: Labels, rng: np.random.Generator) -> list[float]:
    """Mean recall for each ridge."""
    classes = int(labels.max()) + 1
    order = rng.permutation(classes)
    new, old = order[: max(1, classes // 3)], order[max(1, classes // 3) :]
    train, test = split_classes(labels, rng)
    known = train[np.isin(labels[train], old)]
    mean, inverse = statistics_of(x[known])
    z = (x - mean) * inverse
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-9)
    place = np.zeros(classes, np.int64)
    place[old] = np.arange(len(old))
    share = 1 / np.bincount(labels[test], minlength=classes)[labels[test]] / classes
    rows = [np.stack([unit[train[labels[train] == c][:shots]].mean(axis=0) for c in new]) for shots in SHOTS]
    results = []
    for ridge in _RIDGES:
        weights, biases = fit(z[known], place[labels[known]], len(old), ridge)
        scores = z[test] @ weights.T + biases
        best, winner = scores.max(axis=1), old[scores.argmax(axis=1)]
        right = 0.0
        for row in rows:
            newest = z[test] @ row.T * (row_length(weights) * LENGTH)
            answers = np.where(newest.max(axis=1) > best, new[newest.argmax(axis=1)], winner)
            right += share[answers == labels[test]].sum()
        results.append(right / len(SHOTS))
    return results
