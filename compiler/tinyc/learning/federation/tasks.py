"""Families of tasks: each device has one of its own, and unseen ones test what the federation learned.

A family gives task `index` of its `train` or `test` part; index and part decide the task completely.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyc.errors import TinycError
from tinyc.learning.federation.client import Loss, NetworkShape, Samples, Task, Vector

Part = Literal["train", "test"]
_PART_SEED = {"train": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class Episode:
    """A few-shot test: adapt on `support`, measure on `query`."""

    support: Samples
    query: Samples


class Family(Protocol):
    """Tasks that belong together."""

    @property
    def label_permuted(self) -> bool:
        """The same label means another class on every device, so devices pull the head in all directions."""

    @property
    def inputs(self) -> int:
        """Width of a sample."""

    @property
    def outputs(self) -> int:
        """Width of a target, or how many classes."""

    @property
    def loss(self) -> Loss:
        """What a network must be trained with."""

    def task(self, index: int, part: Part = "train") -> Task:
        """Task `index` of a part."""

    def episode(self, index: int, shots: int) -> Episode:
        """An unseen task with `shots` support samples (of each class, where there are classes)."""


def check_shape(family: Family, shape: NetworkShape) -> None:
    """Raises TinycError unless the network takes the family's samples."""
    wanted = (family.inputs, family.outputs, family.loss)
    if wanted != (shape.inputs, shape.outputs, shape.loss):
        raise TinycError(
            f"{shape.inputs} inputs, {shape.outputs} outputs and loss {shape.loss} do not fit the task",
            where="network",
            allowed=f"{wanted[0]} inputs, {wanted[1]} outputs, loss {wanted[2]}",
        )


@dataclass(frozen=True, slots=True)
class SineTask:
    """y = amplitude · sin(x + phase), x uniform in [−5, 5]."""

    amplitude: float
    phase: float

    def at(self, places: NDArray[np.float64]) -> Samples:
        """Samples at x = `places` (n, 1)."""
        values = self.amplitude * np.sin(places + self.phase)
        return Samples(places.astype(np.float32), values.astype(np.float32))

    def draw(self, count: int, seed: int) -> Samples:
        return self.at(np.random.default_rng(seed).uniform(-5.0, 5.0, (count, 1)))


@dataclass(frozen=True, slots=True)
class Sines:
    """Sine waves of amplitude U[0.1, 5] and phase U[0, π] (Finn et al., MAML, 2017, section 5.1)."""

    label_permuted: bool = False
    inputs: int = 1
    outputs: int = 1
    loss: Loss = "mse"

    def task(self, index: int, part: Part = "train") -> SineTask:
        generator = np.random.default_rng([_PART_SEED[part], index])
        return SineTask(generator.uniform(0.1, 5.0), generator.uniform(0.0, np.pi))

    def episode(self, index: int, shots: int) -> Episode:
        """Queries are 100 places, evenly spaced over [−5, 5]."""
        task = self.task(index, "test")
        return Episode(task.draw(shots, index), task.at(np.linspace(-5.0, 5.0, 100)[:, None]))


@dataclass(frozen=True, slots=True)
class ClassTask:
    """Some classes of a pool with labels of this device's own.

    pool: float32 (classes, examples, inputs). members: class of each label.
    """

    pool: Vector
    members: NDArray[np.int64]

    def draw(self, count: int, seed: int) -> Samples:
        """Equally many of each class (to within one), no example twice until all were seen, shuffled."""
        generator = np.random.default_rng(seed)
        ways, (_, examples, inputs) = len(self.members), self.pool.shape
        rounds = -(-count // ways)
        repeats = -(-rounds // examples)
        labels = np.tile(np.arange(ways, dtype=np.int32), rounds)[:count]
        generator.shuffle(labels)
        order = np.argsort(generator.random((repeats, ways, examples)), axis=-1)
        order = order.transpose(1, 0, 2).reshape(ways, repeats * examples)
        used = np.zeros(ways, np.int64)
        picked = np.empty((count, inputs), np.float32)
        for place, label in enumerate(labels):
            picked[place] = self.pool[self.members[label], order[label, used[label]]]
            used[label] += 1
        return Samples(picked, labels)


@dataclass(frozen=True, slots=True)
class Classes:
    """N-way tasks over labelled data: every device has `outputs` classes of the pool, in its own order.

    train, test: float32 (classes, examples, inputs); the parts share no class.
    """

    train: Vector
    test: Vector
    outputs: int
    queries: int = 15
    """Query samples of each class in an episode."""
    label_permuted: bool = True
    loss: Loss = "softmax"

    @property
    def inputs(self) -> int:
        return int(self.train.shape[-1])

    def _members(self, index: int, part: Part) -> tuple[Vector, NDArray[np.int64]]:
        pool = self.train if part == "train" else self.test
        generator = np.random.default_rng([_PART_SEED[part], index])
        return pool, generator.choice(len(pool), self.outputs, replace=False)

    def task(self, index: int, part: Part = "train") -> ClassTask:
        pool, members = self._members(index, part)
        return ClassTask(pool, members)

    def episode(self, index: int, shots: int) -> Episode:
        """Support and query share no example."""
        pool, members = self._members(index, "test")
        generator = np.random.default_rng([3, index])
        examples = pool.shape[1]
        order = np.argsort(generator.random((self.outputs, examples)), axis=-1)
        order = order[:, : shots + self.queries]
        chosen = np.take_along_axis(pool[members], order[..., None], axis=1)
        numbers = np.repeat(np.arange(self.outputs, dtype=np.int32), order.shape[1])
        labels = numbers.reshape(self.outputs, -1)
        mixed = generator.permutation(self.outputs * shots)
        support = Samples(
            chosen[:, :shots].reshape(-1, self.inputs)[mixed], labels[:, :shots].reshape(-1)[mixed]
        )
        query = Samples(chosen[:, shots:].reshape(-1, self.inputs), labels[:, shots:].reshape(-1))
        return Episode(support, query)


def load_classes(path: Path, ways: int, queries: int) -> Classes:
    """`Classes` from an .npz with `train` and `test`: (classes, examples, features...).

    Raises TinycError if the file cannot be read, or has too few classes or examples.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            parts = {name: np.asarray(arrays[name], np.float32) for name in ("train", "test")}
    except (OSError, ValueError, KeyError) as error:
        raise TinycError(
            f"cannot be read: {error}",
            where=str(path),
            allowed="an .npz with float32 arrays `train` and `test`, each (classes, examples, features...)",
        ) from error
    flat = {}
    for name, data in parts.items():
        if data.ndim < 3 or data.shape[0] < ways or not np.isfinite(data).all():
            raise TinycError(
                f"`{name}` of shape {data.shape} is no data for {ways} ways",
                where=str(path),
                allowed=f"finite (classes ≥ {ways}, examples, features...)",
            )
        flat[name] = data.reshape(*data.shape[:2], -1)
    if flat["test"].shape[1] <= queries:
        raise TinycError(
            f"`test` has {flat['test'].shape[1]} examples of a class",
            where=str(path),
            allowed=f"more than the {queries} queries",
        )
    return Classes(flat["train"], flat["test"], ways, queries)
