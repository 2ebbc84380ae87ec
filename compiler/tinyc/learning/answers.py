"""What the active head of a device says to an inference, in the words of its classes, beside what the network
alone says.

The device tells class, score, the shadow's class and drift. The values of a regression and the error of an
autoencoder are computed here, by the twin of the head: its state comes from the device once, the latent with
every inference, and the twin gives the bits that the device has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyc.device.errors import Restarted
from tinyc.device.learned import Drift, Learned, Observation
from tinyc.execution import dequantize
from tinyc.ir.tensor import Array, TensorName
from tinyc.program import Program

if TYPE_CHECKING:
    from tinyc.device.learning import Learner
    from tinyc.learning.design import Learning
    from tinyc.learning.heads.design import Floats, Head

NORMAL, ANOMALY = "normal", "anomaly"
VALUE, SURPRISE = "value", "surprise"


@dataclass(frozen=True, slots=True)
class Answer:
    """A class and its score; for an autoencoder `normal` (0) or `anomaly` (1) and the error.

    `values` are all outputs of a regression, of which the first is the score; `threshold` is that of an
    autoencoder's error. Both need the design of the head.
    """

    index: int
    label: str
    score: float
    values: tuple[float, ...] = ()
    threshold: float | None = None

    @property
    def words(self) -> str:
        """The answer for people, the score apart."""
        if len(self.values) > 1:
            return " ".join(f"{value:.4g}" for value in self.values)
        return self.label


@dataclass(frozen=True, slots=True)
class HeadAnswer:
    """What the active head says, the shadow's class where that is another one, and what is known of drift."""

    answer: Answer
    shadow: str | None
    surprise: float
    drift: Drift


class HeadAnswers:
    """Asks a device after each inference. `program` is None where it is not known; numbers are left then."""

    def __init__(self, learner: Learner, program: Program | None = None) -> None:
        self._learner = learner
        self._program = program
        self._labels = program.labels if program is not None else ()
        self._names: dict[int, str] = {}
        self._twin: Head | None = None
        self._told = learner.learned()

    @property
    def told(self) -> Learned:
        """What the device said of its learning when it was asked last."""
        return self._told

    def refresh(self, told: Learned) -> None:
        """What the device says now: another head may be active, with other classes."""
        if (self._told.kept, self._told.classes) != (told.kept, told.classes):
            self._names.clear()
            self._twin = None
        self._told = told

    def answer(self, outputs: Sequence[Array] | None = None) -> HeadAnswer:
        """Of the last inference, whose outputs these are. Raises Restarted where the device knows of none."""
        seen = self._learner.observation()
        if not seen.seen:
            raise Restarted("the device restarted meanwhile", hint="repeat what it was asked")
        found = self._of_values(seen, outputs) if self._told.shape.regression else self._of_class(seen)
        differs = not self._told.shape.regression and seen.shadow != seen.label
        return HeadAnswer(found, self._name(seen.shadow) if differs else None, seen.surprise, seen.drift)

    def _of_class(self, seen: Observation) -> Answer:
        return Answer(seen.label, self._name(seen.label), seen.score)

    def _of_values(self, seen: Observation, outputs: Sequence[Array] | None) -> Answer:
        learning = self._learning
        if learning is None or outputs is None or self._program is None:
            # One output says nothing of how well an autoencoder knows its input.
            strange = self._told.kind == "autoencoder"
            return Answer(0, SURPRISE, seen.surprise) if strange else Answer(0, VALUE, seen.score)
        if self._twin is None:
            self._twin = learning.head.head(self._learner.head(self._told.shape.state_bytes))
        return _values(self._program, learning, self._twin, outputs)

    @property
    def _learning(self) -> Learning | None:
        """Of the program, if it is what the device has: the digest of a program says nothing of its head."""
        learning = self._program.learning if self._program is not None else None
        return learning if learning is not None and learning.safety.body_hash == self._told.body else None

    def _name(self, index: int) -> str:
        if index not in self._names:
            known = self._learner.class_at(index).name
            self._names[index] = known or _label(self._labels, index)
        return self._names[index]


def network_scores(program: Program, outputs: Sequence[Array]) -> Array:
    """The network's first output in real units, flat; with a `sparse` head, which is the end of the network,
    the scores of the factory's."""
    learning = program.learning
    if learning is not None and learning.suffix is not None:
        scores = learning.head.head().scores(_latent(program, learning, outputs))
        return scores[: learning.head.factory_classes]
    return dequantize(program.graph[program.graph.outputs[0]], outputs[0]).reshape(-1)


def network_answer(program: Program, outputs: Sequence[Array]) -> Answer:
    """What the network says without what was learned; an autoencoder's error has the head's threshold."""
    learning, real = program.learning, network_scores(program, outputs)
    if learning is None or not learning.head.is_regression:
        return best(program.labels, real)
    if learning.target is None:
        return Answer(0, VALUE, float(real[0]), tuple(map(float, real)))
    target = _real(program, learning.target, outputs)
    if target.shape != real.shape:
        return best(program.labels, real)
    return _judged(float(np.mean(np.square(real - target))), learning)


def best(labels: Sequence[str], scores: Array) -> Answer:
    """The class of the highest score, its number where it has no name; one number alone is `value`."""
    index = int(np.argmax(scores))
    named = labels if len(labels) == scores.size else ()
    return Answer(index, VALUE if scores.size == 1 else _label(named, index), float(scores[index]))


def _values(program: Program, learning: Learning, twin: Head, outputs: Sequence[Array]) -> Answer:
    scores = twin.scores(_latent(program, learning, outputs))
    if learning.target is None:
        return Answer(0, VALUE, float(scores[0]), tuple(map(float, scores)))
    # Only heads of values have an error.
    linear: Any = twin
    return _judged(float(linear.error(scores, _real(program, learning.target, outputs))), learning)


def _judged(error: float, learning: Learning) -> Answer:
    threshold = float(learning.head.options["threshold"])
    anomaly = error > threshold
    return Answer(int(anomaly), ANOMALY if anomaly else NORMAL, error, threshold=threshold)


def _output(program: Program, name: TensorName, outputs: Sequence[Array]) -> Array:
    return outputs[program.graph.outputs.index(name)]


def _latent(program: Program, learning: Learning, outputs: Sequence[Array]) -> Array:
    """int8 (latent,), of an int16 tap its bytes."""
    tensor = program.graph[learning.tap.tensor]
    found = np.ascontiguousarray(_output(program, tensor.name, outputs), tensor.dtype.numpy)
    return found.reshape(-1).view(np.int8)


def _real(program: Program, name: TensorName, outputs: Sequence[Array]) -> Floats:
    return dequantize(program.graph[name], _output(program, name, outputs)).reshape(-1)


def _label(labels: Sequence[str], index: int) -> str:
    return labels[index] if index < len(labels) else str(index)
