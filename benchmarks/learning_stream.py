"""Class-incremental streams, what is measured after them, and rows of a table with seeds and spread."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from learning_baselines import Labels, Latents, Learner

EXAMPLES = Path(__file__).parent.parent / "examples"
Make: TypeAlias = Callable[[int], Learner]
"""A fresh learner for a seed."""


@dataclass(frozen=True, slots=True)
class Set:
    """Labelled latents: int8 (n, d) and integers (n,)."""

    latents: Latents
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, classes: Iterable[int]) -> Set:
        kept = np.isin(self.labels, list(classes))
        return Set(self.latents[kept], self.labels[kept])

    def at(self, places: npt.NDArray[np.integer] | Sequence[int]) -> Set:
        return Set(self.latents[places], self.labels[places])

    def drawn(self, shots: int, rng: np.random.Generator) -> Set:
        """At most `shots` of each class, class after class, lowest label first."""
        places = [rng.permutation(np.flatnonzero(self.labels == c))[:shots] for c in np.unique(self.labels)]
        return self.at(np.concatenate(places))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Mean of the classes' recalls: over all, the factory's and the new ones."""

    overall: float
    old: float
    new: float


def joined(*sets: Set) -> Set:
    return Set(np.concatenate([s.latents for s in sets]), np.concatenate([s.labels for s in sets]))


def shuffled(stream: Set, rng: np.random.Generator) -> Set:
    return stream.at(rng.permutation(len(stream)))


def learn(learner: Learner, stream: Set) -> None:
    for latent, label in zip(stream.latents, stream.labels, strict=True):
        learner.update(latent, int(label))


def accuracy(learner: Learner, test: Set, factory_classes: int) -> Accuracy:
    """Every class counts alike, however many samples of it the test has."""
    answers = learner.scores_many(test.latents).argmax(axis=1)
    recalls = np.array([np.mean(answers[test.labels == c] == c) for c in np.unique(test.labels)])
    old = np.unique(test.labels) < factory_classes
    return Accuracy(float(recalls.mean()), float(recalls[old].mean()), float(recalls[~old].mean()))


def figures(values: Sequence[float]) -> dict[str, float | int]:
    """Mean, sample standard deviation and number of the seeds."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "spread": spread, "seeds": len(values)}


def shown(entry: Mapping[str, float | int], digits: int = 3) -> str:
    return f"{entry['mean']:.{digits}f} ±{entry['spread']:.{digits}f}"


def example(path: str) -> Any:
    """A module of `examples/`, by its path there: it is no package."""
    file = EXAMPLES / path
    name = "example_" + path.removesuffix(".py").replace("/", "_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
