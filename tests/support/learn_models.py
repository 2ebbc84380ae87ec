"""A small int8 body, and labelled samples of classes that it tells apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from support.classifiers import small_classifier
from tinyc.ir.graph import Graph

FACTORY_CLASSES = 5


@dataclass(frozen=True, slots=True)
class Samples:
    """Model inputs, int8 (n, 12, 10, 1), and their classes."""

    inputs: npt.NDArray[np.int8]
    labels: npt.NDArray[np.int64]


def body() -> Graph:
    """The network: its last dense layer reads 12 values, behind average pooling."""
    return small_classifier(np.random.default_rng(7), "learner")


def samples(classes: tuple[int, ...], each: int, seed: int) -> Samples:
    """`each` samples of every class: a pattern of its own with noise on it, in turns."""
    noise = np.random.default_rng(seed)
    labels = np.array(classes * each, np.int64)
    inputs = np.empty((len(labels), 12, 10, 1), np.int8)
    for at, label in enumerate(labels):
        pattern = np.random.default_rng([1, int(label)]).normal(0, 45, (12, 10, 1))
        inputs[at] = np.clip(pattern + noise.normal(0, 25, pattern.shape), -128, 127)
    return Samples(inputs, labels)


def write_factory_data(path: Path, each: int = 40, seed: int = 3) -> Path:
    """The `.npz` that a head is fitted to, with the classes of the factory."""
    found = samples(tuple(range(FACTORY_CLASSES)), each, seed)
    np.savez(path, inputs=found.inputs, labels=found.labels)
    return path
