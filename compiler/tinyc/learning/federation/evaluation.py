"""What a federation is good for: unseen tasks, adapted from a few samples, all tasks at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyc.errors import TinycError
from tinyc.learning.federation import dense
from tinyc.learning.federation.client import NetworkShape, Samples, Vector
from tinyc.learning.federation.tasks import Episode, Family

_TOGETHER = 16
"""Tasks adapted side by side: few enough for their parameters to stay in the cache."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How to test: `tasks` unseen tasks, `shots` support samples each (of each class).

    online: `passes` passes of one step a sample; otherwise `passes` steps along the mean gradient.
    head_zero: the head starts at zero, and the first pass moves it alone, for a head kept local.
    every: rounds between two tests, 0 = after the last round only. Raises TinycError for values below 1.
    """

    tasks: int = 100
    shots: int = 8
    passes: int = 8
    rate: float = 0.02
    online: bool = False
    head_zero: bool = False
    every: int = 0

    def __post_init__(self) -> None:
        if min(self.tasks, self.shots, self.passes) < 1 or self.rate <= 0 or self.every < 0:
            raise TinycError(
                "impossible values", where="evaluation", allowed="tasks, shots, passes ≥ 1, rate > 0"
            )


@dataclass(frozen=True, slots=True)
class Score:
    """Mean over the tasks, its standard error, and what it is: `mse` (lower) or `accuracy` (higher)."""

    metric: str
    mean: float
    error: float
    each: tuple[float, ...] = field(repr=False, default=())


def episodes(family: Family, count: int, shots: int) -> list[Episode]:
    """The first `count` unseen tasks."""
    return [family.episode(index, shots) for index in range(count)]


def _stacked(samples: Sequence[Samples]) -> Samples:
    arrays: list[NDArray[Any]] = [each.targets for each in samples]
    targets = np.stack(arrays)
    return Samples(np.stack([each.inputs for each in samples]), targets)


def adapted(shape: NetworkShape, start: Vector, support: Samples, evaluation: Evaluation) -> Vector:
    """θ (tasks, parameters) for stacked support samples (tasks, n, ...)."""
    vectors = np.repeat(start[None], len(support.inputs), axis=0)
    if evaluation.head_zero:
        vectors[:, shape.head] = 0.0
    layers = dense.layers_of(shape, vectors)
    with np.errstate(over="ignore", invalid="ignore"):
        for number in range(evaluation.passes):
            first = len(layers) - 1 if evaluation.head_zero and number == 0 else 0
            if not evaluation.online:
                dense.step(shape, layers, support.inputs, support.targets, evaluation.rate, first)
                continue
            for index in range(support.inputs.shape[1]):
                one = slice(index, index + 1)
                inputs, targets = support.inputs[:, one], support.targets[:, one]
                dense.step(shape, layers, inputs, targets, evaluation.rate, first)
    return vectors


def _values(
    shape: NetworkShape, parameters: Vector, tests: Sequence[Episode], evaluation: Evaluation
) -> NDArray[np.float64]:
    """Mean squared error or accuracy of each task (tasks,)."""
    query = _stacked([test.query for test in tests])
    vectors = adapted(shape, parameters, _stacked([test.support for test in tests]), evaluation)
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = dense.predict(shape, vectors, query.inputs)
        if shape.loss == "mse":
            return np.asarray(((outputs - query.targets) ** 2).mean(axis=(1, 2), dtype=np.float64))
        return np.asarray((outputs.argmax(axis=-1) == query.targets).mean(axis=1, dtype=np.float64))


def evaluate(
    shape: NetworkShape, parameters: Vector, tests: Sequence[Episode], evaluation: Evaluation
) -> Score:
    """The score of an initialisation on unseen tasks (from `episodes`)."""
    values = np.concatenate(
        [
            _values(shape, parameters, tests[at : at + _TOGETHER], evaluation)
            for at in range(0, len(tests), _TOGETHER)
        ]
    )
    metric = "mse" if shape.loss == "mse" else "accuracy"
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Score(
        metric, float(values.mean()), deviation / len(values) ** 0.5, tuple(float(v) for v in values)
    )
