"""The shipped intent classifier learns new intents: the gain of its last norm, and the classifier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyc.learning import data as factory
from tinyc.learning.data import FactoryData
from tinyc.learning.sparse.choose import named
from tinyc.learning.sparse.cut import cut
from tinyc.learning.sparse.design import SparseDesign, design_sparse
from tinyc.learning.sparse.layers import GainLayer, Weighted
from tinyc.preparation import prepare
from tinyc.source import resolve

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bert_intent"
NORM = "block_3_norm"
KNOWN = 7
# Sentences to learn from and to judge by, of each new intent and of each known one.
NEW, OLD = (8, 16), (4, 8)
# Scenarios of HWU64 by number.
NEW_INTENTS = (0, 2, 5, 6, 8)
PASSES = 5
RATE = 0.3


@dataclass(frozen=True, slots=True)
class IntentTask:
    """Latents int8 (n, d) and labels (n,) to learn from and to be judged by, for heads with the gain and
    without it."""

    with_gain: SparseDesign
    without: SparseDesign
    latents: np.ndarray
    labels: np.ndarray
    tests: np.ndarray
    truth: np.ndarray

    def order(self, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return np.concatenate([rng.permutation(len(self.labels)) for _ in range(PASSES)])

    def right(self, scores: np.ndarray) -> float:
        return float(np.mean(scores.argmax(axis=1) == self.truth))


def intent_task(new: tuple[int, ...]) -> IntentTask:
    """SNIPS' seven intents, a few sentences of each, and the `new` scenarios of HWU64."""
    graph = prepare(resolve(EXAMPLE)).graph
    learned, labels, tests, truth = [], [], [], []
    for name, classes, (shots, judged) in (("snips", range(KNOWN), OLD), ("hwu64", new, NEW)):
        with np.load(EXAMPLE / f"evaluation_{name}.npz") as stored:
            ids, given = stored["inputs"], stored["labels"]
        for at, label in enumerate(classes):
            rows = np.flatnonzero(given == label)[: shots + judged]
            number = at if name == "snips" else KNOWN + at
            learned += list(ids[rows[:shots]])
            labels += [number] * shots
            tests += list(ids[rows[shots:]])
            truth += [number] * (len(rows) - shots)
    choice = named(graph, [NORM], None, KNOWN + len(new))
    split = cut(graph, choice.tap)
    vectors = tuple((row[None].astype(np.int16),) for row in learned + tests)
    latents = factory.latents(split.body, split.tap, FactoryData(vectors, None))

    def head(gain: bool) -> SparseDesign:
        trained = choice.trained if gain else {}
        return design_sparse(
            split, trained, capacity=KNOWN + len(new), latents=latents[: 2 * KNOWN], learning_rate=RATE
        )

    count = len(learned)
    return IntentTask(
        head(True), head(False), latents[:count], np.array(labels), latents[count:], np.array(truth)
    )


class FloatTail:
    """Gains and dense layers in real numbers: what learning is without quantization."""

    def __init__(self, design: SparseDesign) -> None:
        self.design = design
        self.known = design.factory["counts"] > 0
        self.parameters: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for layer in design.program.layers:
            if isinstance(layer, GainLayer):
                self.parameters[layer.name] = np.ones(layer.x.channels), np.zeros(1)
            else:
                assert isinstance(layer, Weighted)
                scales = layer.scales.astype(np.float64)
                biases = layer.biases * scales * layer.sum_scale
                self.parameters[layer.name] = layer.weights * scales[:, None], biases

    def _forward(self, latent: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """What each layer reads, and the logits."""
        first = self.design.program.layers[0]
        assert isinstance(first, GainLayer)
        y, read = (latent.astype(np.float64) - first.zeros) * first.scale, []
        for layer in self.design.program.layers:
            read.append(y)
            weights, biases = self.parameters[layer.name]
            y = y * weights if isinstance(layer, GainLayer) else weights @ y + biases
        return read, np.where(self.known, y, -1e9)

    def scores(self, latents: np.ndarray) -> np.ndarray:
        return np.array([self._forward(latent)[1] for latent in latents])

    def update(self, latent: np.ndarray, label: int) -> None:
        """One step of stochastic gradient descent."""
        self.known = self.known | (np.arange(len(self.known)) == label)
        read, y = self._forward(latent)
        gradient = np.exp(y - y.max())
        gradient /= gradient.sum()
        gradient[label] -= 1.0
        for layer, x in zip(self.design.program.layers[::-1], read[::-1], strict=True):
            weights, biases = self.parameters[layer.name]
            rate = self.design.rates[layer.name] if layer.name in self.design.program.trained else 0.0
            if isinstance(layer, GainLayer):
                step = np.where(np.arange(len(x)) < layer.rows, gradient * x, 0.0)
                self.parameters[layer.name] = weights - rate * step, biases
                gradient = gradient * weights
            else:
                step = np.outer(gradient, x)
                self.parameters[layer.name] = weights - rate * step, biases - rate * gradient
                gradient = weights.T @ gradient


def learned(task: IntentTask, design: SparseDesign, seed: int) -> tuple[float, float]:
    """Accuracy after learning on the device, and in float, in one order of the sentences."""
    head, real = design.head(), FloatTail(design)
    for index in task.order(seed):
        head.update(task.latents[index], int(task.labels[index]))
        real.update(task.latents[index], int(task.labels[index]))
    return task.right(head.scores_many(task.tests)), task.right(real.scores(task.tests))
