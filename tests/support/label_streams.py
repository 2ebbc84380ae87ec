"""Streams of labels, right and wrong ones, through the C of a learner."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from support.learner_play import words
from support.learners import Case, run
from tinyc.device.learned import Outcome
from tinyc.learning.safety import Stats

ANSWER = struct.Struct("<IfIfI")
STATS_BYTES = len(Stats().to_bytes())
Labels = npt.NDArray[Any]


def right(labels: Labels, rng: np.random.Generator, classes: int) -> Labels:
    """Those that were drawn."""
    return labels


def some_wrong(labels: Labels, rng: np.random.Generator, classes: int) -> Labels:
    """One in five is another class."""
    wrong = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.where(rng.random(len(labels)) < 0.2, wrong, labels)


def any_label(labels: Labels, rng: np.random.Generator, classes: int) -> Labels:
    """Labels that have nothing to do with what was observed."""
    return rng.integers(0, classes, len(labels))


def permuted(labels: Labels, rng: np.random.Generator, classes: int) -> Labels:
    """Somebody wants the head to be wrong: each class is called by the name of the next."""
    return (labels + 1) % classes


STREAMS: dict[str, Callable[[Labels, np.random.Generator, int], Labels]] = {
    "right": right,
    "one in five wrong": some_wrong,
    "nothing right": any_label,
    "permuted": permuted,
}


@dataclass(frozen=True, slots=True)
class Passed:
    """What a stream did: results of all labels, and statistics and active heads along the way."""

    results: list[Outcome]
    stats: list[Stats]
    heads: list[bytes]


def commands(latents: npt.NDArray[np.int8], labels: Labels) -> bytes:
    """One observation with its label after the other."""
    parts = [
        b"o" + latent.tobytes() + b"l" + words(int(label))
        for latent, label in zip(latents, labels, strict=True)
    ]
    return b"".join(parts)


def names(case: Case) -> bytes:
    """All classes that there is room for get names."""
    spare = range(case.safety.new_classes(case.design))
    return b"".join(b"n" + words(4) + f"new{index}".encode() for index in spare)


def play(program: Path, case: Case, latents: npt.NDArray[np.int8], labels: Labels, step: int = 25) -> Passed:
    """Observations and labels; statistics and the active head after every `step` of them."""
    given, size = (
        names(case),
        case.design.state_bytes + case.safety.new_classes(case.design) * case.safety.name_bytes,
    )
    for at in range(0, len(labels), step):
        given += commands(latents[at : at + step], labels[at : at + step]) + b"te"
    output = run(program, stdin=given)
    at = 8 * case.safety.new_classes(case.design)
    results, stats, heads = [], [], []
    for number in range(len(labels)):
        at += ANSWER.size
        results.append(Outcome(int.from_bytes(output[at : at + 4], "little")))
        at += 4
        if (number + 1) % step == 0 or number + 1 == len(labels):
            stats.append(Stats.from_bytes(output[at : at + STATS_BYTES]))
            heads.append(output[at + STATS_BYTES : at + STATS_BYTES + size][: case.design.state_bytes])
            at += STATS_BYTES + size
    assert at == len(output)
    return Passed(results, stats, heads)


def accuracy(case: Case, state: bytes, classes: range, seed: int = 77) -> float:
    """Of a head on 100 fresh samples of each class."""
    labels = np.repeat(np.array(classes), 100)
    scores = case.design.head(state).scores_many(case.world.draw(labels, seed))
    return float(np.mean(np.argmax(scores, axis=1) == labels))


def unguarded(case: Case, latents: npt.NDArray[np.int8], labels: Labels) -> bytes:
    """The state of a head that learns everything it is told."""
    head = case.design.head()
    for latent, label in zip(latents, labels, strict=True):
        head.update(latent, int(label))
    return head.to_bytes()
