"""Curve, shrinkage and prior of streaming LDA, chosen by episodes with held-out classes, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tinyc.learning.fit import HeadOptions

Doubles: TypeAlias = npt.NDArray[np.float64]
Labels: TypeAlias = npt.NDArray[np.int64]

SHRINKAGES = (1e-3, 1e-2, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)
PRIORS = (0.0, 0.5, 1.0, 2.0, 4.0)
SHOTS = (5, 20)
_EPISODES = 8
# Samples of a class that the episodes look at: more only take longer.
_MOST = 400
# Where nothing can be tried: no class to hold out.
_DEFAULT = (False, 1e-2, 0.0)
# Of the largest value of the curve, sqrt(255): about 511.
_CURVE_STEPS = 32.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What to build the head with, and why."""

    curve: bool
    shrinkage: float
    prior: float
    reason: str


def curve_of(curve: bool, zero_point: int) -> npt.NDArray[np.int16]:
    """int16 (256,): what takes the place of the latents -128 to 127.

    The signed square root of the distance to the zero point, in steps of 1/32: averages of rectified values
    are skewed, and their roots much less so (Yang, Liu and Xu 2021, "Free lunch for few-shot learning",
    Tukey's ladder of powers). Without the curve the latents themselves.
    """
    latents = np.arange(-128, 128)
    if not curve:
        return latents.astype(np.int16)
    real = (latents - zero_point).astype(np.float64)
    return np.rint(np.sign(real) * np.sqrt(np.abs(real)) * _CURVE_STEPS).astype(np.int16)


def class_means(x: Doubles, labels: Labels, classes: int) -> tuple[Doubles, Labels]:
    """Means (classes, d) and counts (classes,)."""
    counts = np.bincount(labels, minlength=classes)
    sums = np.zeros((classes, x.shape[1]))
    np.add.at(sums, labels, x)
    return sums / np.maximum(counts, 1)[:, None], counts


def covariance_of(x: Doubles, labels: Labels) -> Doubles:
    """The pooled covariance within classes (d, d)."""
    means, _ = class_means(x, labels, int(labels.max()) + 1)
    inner = x - means[labels]
    return np.asarray(inner.T @ inner / len(x))


def shrunk_inverse(covariance: Doubles, shrinkage: float) -> Doubles:
    """The inverse of (1 - s) C + s tr(C) / d I; symmetric."""
    dimension = len(covariance)
    level = max(float(np.trace(covariance)) / dimension, 1e-3)
    inverse = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * level * np.eye(dimension))
    return np.asarray((inverse + inverse.T) / 2)


def precision_of(x: Doubles, labels: Labels, shrinkage: float) -> Doubles:
    return shrunk_inverse(covariance_of(x, labels), shrinkage)


def choose(latents: npt.NDArray[np.int8], labels: Labels, zero_point: int, options: HeadOptions) -> Choice:
    """The triple with the best mean accuracy over episodes; what the options give stays.

    An episode holds a third of the classes out, takes the covariance from half of the others' samples, adds
    the held-out ones by 5 and by 20 of their samples, and classifies the other half of all. Its accuracy is
    the mean of the classes' recalls.
    """
    curves = (False, True) if options.curve is None else (options.curve,)
    shrinkages = SHRINKAGES if options.shrinkage is None else (options.shrinkage,)
    priors = PRIORS if options.prior is None else (options.prior,)
    if len(curves) * len(shrinkages) * len(priors) == 1:
        return Choice(curves[0], shrinkages[0], priors[0], "given")
    classes = int(labels.max()) + 1
    if classes < 3 or np.bincount(labels).min() < 2 * min(SHOTS):
        given = (options.curve, options.shrinkage, options.prior)
        used = [d if g is None else g for g, d in zip(given, _DEFAULT, strict=True)]
        return Choice(bool(used[0]), used[1], used[2], "nothing: too few classes or samples to try")
    kept = np.concatenate([np.flatnonzero(labels == c)[:_MOST] for c in range(classes)])
    latents, labels = latents[kept], labels[kept]
    total = np.zeros((len(curves), len(shrinkages), len(priors)))
    for i, curve in enumerate(curves):
        x = curve_of(curve, zero_point)[latents.astype(np.int64) + 128].astype(np.float64)
        for episode in range(_EPISODES):
            rng = np.random.default_rng((options.seed, episode))
            total[i] += _episode(x, labels, shrinkages, priors, rng)
    i, j, k = (int(at) for at in np.unravel_index(int(np.argmax(total)), total.shape))
    best = total[i, j, k] / _EPISODES
    reason = f"{_EPISODES} episodes with held-out classes, accuracy {best:.3f}"
    return Choice(curves[i], shrinkages[j], priors[k], reason)


def split_classes(labels: Labels, rng: np.random.Generator) -> tuple[Labels, Labels]:
    """Two random halves of the samples of each class: indices."""
    halves: list[list[Labels]] = [[], []]
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        halves[0].append(mine[: len(mine) // 2])
        halves[1].append(mine[len(mine) // 2 :])
    return np.concatenate(halves[0]), np.concatenate(halves[1])


def _episode(
    x: Doubles,
    labels: Labels,
    shrinkages: tuple[float, ...],
    priors: tuple[float, ...],
    rng: np.random.Generator,
) -> Doubles:
    """Accuracy of each pair (shrinkages, priors)."""
    classes = int(labels.max()) + 1
    new = rng.permutation(classes)[: max(1, classes // 3)]
    train, test = split_classes(labels, rng)
    old = train[~np.isin(labels[train], new)]
    x = x - x[old].mean(axis=0)
    covariance = covariance_of(x[old], labels[old])
    share = 1 / np.bincount(labels[test], minlength=classes)[labels[test]] / classes
    sets = []
    for shots in SHOTS:
        few = np.concatenate([train[labels[train] == c][:shots] for c in new])
        known = np.concatenate([old, few])
        means, counts = class_means(x[known], labels[known], classes)
        sets.append((means, np.minimum(counts, 100)))
    result = np.zeros((len(shrinkages), len(priors)))
    for i, shrinkage in enumerate(shrinkages):
        precision = shrunk_inverse(covariance, shrinkage)
        for means, counts in sets:
            rows = means @ precision
            products = x[test] @ rows.T
            squares = np.einsum("cd,cd->c", rows, means)
            for j, prior in enumerate(priors):
                drawn = counts / (counts + prior)
                answers = np.argmax(products * drawn - squares * drawn**2 / 2, axis=1)
                result[i, j] += share[answers == labels[test]].sum()
    return result / len(sets)
