"""A keyword network that learns the digits of a speaker it never heard, in int8 and in float."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from support.recordings import spoken_digits
from tinyc import interpreter
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.config import load_config
from tinyc.execution import quantize_input
from tinyc.ir.graph import Graph
from tinyc.learning.sparse.cut import cut
from tinyc.learning.sparse.design import SparseDesign, design_sparse
from tinyc.learning.sparse.layers import Weighted
from tinyc.learning.sparse.program import Trained
from tinyc.learning.sparse.reading import read_layers
from tinyc.preparation import prepare
from tinyc.source import resolve

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "keyword_spotting"
# The one reader of the digits whom the example's network never heard.
SPEAKER = "yweweler"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SHOTS = 10
PASSES = 5
# The same rate for both. Higher ones are noisy.
RATE = 0.1


@dataclass(frozen=True, slots=True)
class DigitTask:
    """A head, latents int8 (n, d) and labels (n,) of the speaker, and which of them are learned from."""

    design: SparseDesign
    latents: np.ndarray
    labels: np.ndarray
    learned: np.ndarray

    def order(self, seed: int) -> np.ndarray:
        """The clips in the order in which they are learned, all of them once in each pass."""
        rng = np.random.default_rng(seed)
        clips = np.flatnonzero(self.learned)
        return np.concatenate([rng.permutation(clips) for _ in range(PASSES)])

    def right(self, scores: np.ndarray) -> float:
        """Accuracy on the clips that were not learned from; `scores` are theirs."""
        return float(np.mean(scores.argmax(axis=1) == self.labels[~self.learned]))

    @property
    def tests(self) -> np.ndarray:
        return self.latents[~self.learned]


def latents_of(body: Graph, features: np.ndarray) -> np.ndarray:
    """int8 (n, d), all samples in one batch."""
    count = len(features)
    tensors = {
        name: tensor if tensor.is_constant else replace(tensor, shape=(count, *tensor.shape[1:]))
        for name, tensor in body.tensors.items()
    }
    batch = replace(body, tensors=tensors)
    (found,) = interpreter.run(batch, [quantize_input(batch[batch.inputs[0]], features)])
    return found.reshape(count, -1)


def digit_task(shared: Path, blocks: int = 1) -> DigitTask:
    """Four digits are words that the network knows; the others are new classes. The last `blocks` layers
    with weights learn, and the dense one behind them."""
    config = load_config(EXAMPLE / "tinyc.toml")
    assert config.audio is not None
    known = list(config.labels)
    clips, digits = spoken_digits(shared, SPEAKER)
    features = AudioFrontEnd(config.audio).real(clips)[..., None].astype(np.float32)
    new = [word for word in WORDS if word not in known]
    labels = np.array([(known + new).index(WORDS[digit]) for digit in digits])
    graph = prepare(resolve(EXAMPLE)).graph
    convolutions = [op for op in graph.ops if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    split = cut(graph, convolutions[-blocks].inputs[0])
    latents = latents_of(split.body, features)
    rng = np.random.default_rng(0)
    chosen = [rng.permutation(np.flatnonzero(digits == digit))[:SHOTS] for digit in range(10)]
    learned = np.zeros(len(digits), bool)
    learned[np.concatenate(chosen)] = True
    trained = {
        layer.name: Trained(tuple(range(layer.rows)))
        for layer in read_layers(split.suffix)
        if isinstance(layer, Weighted)
    }
    trained.popitem()
    design = design_sparse(
        split,
        trained,
        capacity=len(known) + len(new),
        latents=latents[learned][::10],
        learning_rate=RATE,
    )
    return DigitTask(design, latents, labels, learned)


def fine_tuned(task: DigitTask, seeds: Sequence[int]) -> list[tuple[float, float]]:
    """Accuracy after learning (on the device, in float), by order of the clips."""
    from support.float_suffix import FloatSuffix

    found = []
    for seed in seeds:
        head, real = task.design.head(), FloatSuffix(task.design)
        for index in task.order(seed):
            head.update(task.latents[index], int(task.labels[index]))
            real.update(task.latents[index], int(task.labels[index]))
        found.append((task.right(head.scores_many(task.tests)), task.right(real.scores(task.tests))))
    return found
