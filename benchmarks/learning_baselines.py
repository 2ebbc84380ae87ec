"""The learners that ours are measured beside: stochastic gradient descent as published, in float64.

Every row starts from the network's own last layer. They exist here only, for the tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Doubles: TypeAlias = npt.NDArray[np.float64]
Latents: TypeAlias = npt.NDArray[np.int8]
Labels: TypeAlias = npt.NDArray[np.int64]


class Learner(Protocol):
    """What a stream of labelled latents is given to; the heads of tinyc have these methods too."""

    def update(self, latent: Any, target: Any) -> None: ...

    def scores_many(self, latents: Latents) -> npt.NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class Layer:
    """The factory's last layer on latents as integers: logits = weights . latent + bias.

    `weights` (classes, d), `bias` (classes,); `mean` and `deviation` (d,) are of factory latents, for those
    learners that standardise; a latent's real value is (latent - zero_point) * scale.
    """

    weights: Doubles
    bias: Doubles
    mean: Doubles
    deviation: Doubles
    zero_point: int
    scale: float


@dataclass(slots=True)
class Sgd:
    """Softmax regression by plain gradient steps, after TinyOL (Ren, Anicic and Runkler, 2021), section III.

    `standardise`: latents less the running mean over the running deviation, which start at the factory's
    (counting for a thousand samples) as TinyOL's do; otherwise they are real values. `only_new`: rows of
    factory classes stay (TinyOL V2). `normalise`: the rate is divided by 1 + x . x. `memory` keeps that many
    latents of each class; `replays` of them, drawn at random, follow each sample. New rows start at zero.
    """

    layer: Layer
    capacity: int
    rate: float
    standardise: bool = True
    only_new: bool = False
    normalise: bool = False
    memory: int = 0
    replays: int = 0
    stored: dict[int, list[Doubles]] = field(default_factory=dict)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    weights: Doubles = field(init=False)
    bias: Doubles = field(init=False)
    seen: npt.NDArray[np.bool_] = field(init=False)
    _mean: Doubles = field(init=False)
    _variance: Doubles = field(init=False)
    _count: int = field(init=False, default=1000)

    def __post_init__(self) -> None:
        classes, latent = self.layer.weights.shape
        self.weights, self.bias = np.zeros((self.capacity, latent)), np.zeros(self.capacity)
        self._mean, self._variance = self.layer.mean.copy(), self.layer.deviation**2
        if self.standardise:
            self.weights[:classes] = self.layer.weights * self.layer.deviation
            self.bias[:classes] = self.layer.bias + self.layer.weights @ self.layer.mean
        else:
            self.weights[:classes] = self.layer.weights / self.layer.scale
            self.bias[:classes] = self.layer.bias + self.layer.weights.sum(axis=1) * self.layer.zero_point
        self.seen = np.arange(self.capacity) < classes

    def _features(self, latents: npt.NDArray[Any]) -> Doubles:
        values = latents.astype(np.float64)
        if self.standardise:
            return np.asarray((values - self._mean) / np.sqrt(self._variance))
        return np.asarray((values - self.layer.zero_point) * self.layer.scale)

    def scores_many(self, latents: Latents) -> Doubles:
        logits = self._features(latents) @ self.weights.T + self.bias
        logits[:, ~self.seen] = -np.inf
        # A layer that a wrong rate blew up answers with its first class.
        return np.nan_to_num(logits, nan=-np.inf, posinf=np.finfo(float).max, neginf=-np.finfo(float).max)

    def update(self, latent: Latents, target: int) -> None:
        value = latent.astype(np.float64)
        if self.standardise:
            self._count += 1
            off = value - self._mean
            self._mean += off / self._count
            self._variance += (off * (value - self._mean) - self._variance) / self._count
        self.seen[target] = True
        self._step(value, target)
        if self.memory:
            for label, kept in self._drawn():
                self._step(kept, label)
            bucket = self.stored.setdefault(target, [])
            if len(bucket) < self.memory:
                bucket.append(value)
            else:
                bucket[self.rng.integers(self.memory)] = value

    def _drawn(self) -> list[tuple[int, Doubles]]:
        labels = [label for label, bucket in self.stored.items() if bucket]
        picked = [labels[i] for i in self.rng.integers(len(labels), size=self.replays if labels else 0)]
        return [(label, self.stored[label][self.rng.integers(len(self.stored[label]))]) for label in picked]

    def _step(self, value: Doubles, target: int) -> None:
        x = self._features(value)
        with np.errstate(all="ignore"):
            logits = self.weights @ x + self.bias
            logits[~self.seen] = -np.inf
            odds = np.exp(logits - np.max(logits))
            error = odds / odds.sum()
            error[target] -= 1.0
            if self.only_new:
                error[: len(self.layer.bias)] = 0.0
            rate = self.rate / (1.0 + x @ x) if self.normalise else self.rate
            self.weights -= rate * np.outer(error, x)
            self.bias -= rate * error


@dataclass(slots=True)
class CosineMeans:
    """Nearest class mean by the cosine, on plain latents; `sums` (capacity, d) start at the factory's."""

    sums: Doubles

    def update(self, latent: Latents, target: int) -> None:
        self.sums[target] += latent

    def scores_many(self, latents: Latents) -> Doubles:
        lengths = np.linalg.norm(self.sums, axis=1)
        rows = self.sums / np.maximum(lengths, 1e-9)[:, None]
        scores: Doubles = latents.astype(np.float64) @ rows.T
        scores[:, lengths == 0] = -np.inf
        return scores
