"""Presence from temperature, humidity, light and CO2, one row a minute; labels come once in a while.

A net of eight tanh units is trained on the first set; its int8 latents feed a head that learns in the rooms
of the two others. Each minute is answered first, then perhaps labelled. `persistence` repeats the last label:
what any learner has to be held against, and hard to beat when labels come every minute. `static` learns
nothing. Accuracy is of all minutes; the spread is over initialisations of the net.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learning_baselines import Latents
from learning_stream import figures
from tinyc.learning.fit import HeadOptions, fit
from tinyc.learning.heads.design import Head, HeadDesign

UNITS = 8
COLUMNS = {"all": (0, 1, 2, 3, 4), "without light": (0, 1, 3, 4)}
EVERY = {"minute": 1, "hour": 60, "day": 1440}
ROOMS = {"first": "datatest.txt", "second": "datatest2.txt"}
EPOCHS = 5
Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Net:
    """tanh units on standardised inputs, and a sigmoid."""

    mean: Doubles
    deviation: Doubles
    hidden: Doubles
    hidden_bias: Doubles
    output: Doubles
    output_bias: float

    def latents(self, rows: Doubles) -> Latents:
        """int8 (n, units): tanh in steps of 1/127."""
        units = np.tanh((rows - self.mean) / self.deviation @ self.hidden + self.hidden_bias)
        return np.asarray(np.rint(units * 127), np.int8)

    def answers(self, rows: Doubles) -> Labels:
        real = self.latents(rows) / 127 @ self.output + self.output_bias
        return np.asarray(real > 0, np.int64)


def read(path: Path) -> tuple[Doubles, Labels]:
    """Temperature, humidity, light, CO2, humidity ratio (n, 5), and whether somebody is there."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [row[2:] for row in csv.reader(stream) if row[1] != "Temperature"]
    values = np.array(rows, np.float64)
    return values[:, :5], values[:, 5].astype(np.int64)


def train(rows: Doubles, labels: Labels, seed: int) -> Net:
    """Five passes of Adam (Kingma and Ba, 2015) over batches of 32."""
    rng = np.random.default_rng(seed)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    x = (rows - mean) / deviation
    shapes = ((x.shape[1], UNITS), (UNITS,), (UNITS,), (1,))
    values = [
        rng.normal(0, 1 / np.sqrt(shape[0]), shape) if i % 2 == 0 else np.zeros(shape)
        for i, shape in enumerate(shapes)
    ]
    first, second = ([np.zeros(shape) for shape in shapes] for _ in range(2))
    step = 0
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(len(x)), len(x) // 32):
            step += 1
            units = np.tanh(x[batch] @ values[0] + values[1])
            off = (1 / (1 + np.exp(-(units @ values[2] + values[3]))) - labels[batch]) / len(batch)
            back = np.outer(off, values[2]) * (1 - units**2)
            gradients = (x[batch].T @ back, back.sum(axis=0), units.T @ off, np.array([off.sum()]))
            for i, gradient in enumerate(gradients):
                first[i] = 0.9 * first[i] + 0.1 * gradient
                second[i] = 0.999 * second[i] + 0.001 * gradient**2
                scaled = first[i] / (1 - 0.9**step) / (np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8)
                values[i] -= 0.01 * scaled
    return Net(mean, deviation, values[0], values[1], values[2], float(values[3][0]))


def persistence(labels: Labels, every: int) -> Labels:
    """The last label seen before each minute; nobody before the first."""
    answers = np.zeros_like(labels)
    known = 0
    for minute, label in enumerate(labels):
        answers[minute] = known
        if minute % every == every - 1:
            known = int(label)
    return answers


def learned(head: Head, latents: Latents, labels: Labels, every: int) -> Labels:
    """Answers of a head that is told the label after every so many minutes."""
    answers = []
    for start in range(0, len(labels), every):
        stop = start + every
        answers.append(head.scores_many(latents[start:stop]).argmax(axis=1))
        if stop <= len(labels):
            head.update(latents[stop - 1], int(labels[stop - 1]))
    return np.concatenate(answers)


def normalised(net: Net, rows: Doubles) -> Labels:
    """The net on inputs that a running mean and deviation follow, without labels and without a gate."""
    mean, square, count = net.mean.copy(), net.deviation**2, 1000
    moved = np.empty_like(rows)
    for index, row in enumerate(rows):
        count = min(count + 1, 3000)
        off = row - mean
        mean += off / count
        square += (off * (row - mean) - square) / count
        moved[index] = (row - mean) / np.sqrt(square) * net.deviation + net.mean
    return net.answers(moved)


def heads(latents: Latents, labels: Labels) -> dict[str, HeadDesign]:
    """Ours. In rooms that differ from the factory's, the factory's samples count for ten only."""
    options = {
        "sgd": HeadOptions(),
        "slda": HeadOptions(factory_weight=10, forget=200),
        "ncm": HeadOptions(factory_weight=10, forget=200),
    }
    return {
        kind: fit(kind, latents, labels, zero_point=0, scale=1 / 127, capacity=2, options=chosen)
        for kind, chosen in options.items()
    }


def answered(
    net: Net, designs: dict[str, HeadDesign], rows: Doubles, labels: Labels
) -> Iterator[tuple[str, Labels]]:
    """Every learner's answers in one room, by name."""
    latents = net.latents(rows)
    yield "static", net.answers(rows)
    yield "normalised", normalised(net, rows)
    for name, every in EVERY.items():
        yield f"persistence, {name}", persistence(labels, every)
        for kind, design in designs.items():
            yield f"{kind}, {name}", learned(design.head(), latents, labels, every)


def measure(shared: Path, seeds: int) -> dict[str, Any]:
    """Accuracy by inputs, room, learner and time between labels."""
    folder = shared / "data" / "occupancy"
    factory = read(folder / "datatraining.txt")
    rooms = {name: read(folder / file) for name, file in ROOMS.items()}
    result: dict[str, Any] = {}
    for inputs, columns in COLUMNS.items():
        taken = list(columns)
        found: dict[str, dict[str, list[float]]] = {room: {} for room in rooms}
        for seed in range(seeds):
            net = train(factory[0][:, taken], factory[1], seed)
            designs = heads(net.latents(factory[0][:, taken]), factory[1])
            for room, (rows, labels) in rooms.items():
                for name, answers in answered(net, designs, rows[:, taken], labels):
                    found[room].setdefault(name, []).append(float(np.mean(answers == labels)))
        result[inputs] = {
            room: {name: figures(values) for name, values in kept.items()} for room, kept in found.items()
        }
    return result
