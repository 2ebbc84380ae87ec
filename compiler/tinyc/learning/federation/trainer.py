"""The trainer of the firmware in Python: the same bits as `firmware_templates/learning/trainer.c`.

Online training as in TinyReptile (arXiv 2304.05201): a sample is one step of gradient descent and is then
forgotten. TinyMetaFed's local head (arXiv 2307.06822): the first samples may move the last layer only.
Every operation is float32 and rounded once, in the order of the C, so nothing here may become a matrix
product. Change both or neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.learning import float_math
from tinyc.learning.federation.client import (
    LEAK,
    ClientError,
    NetworkShape,
    Samples,
    Task,
    TrainConfig,
    Update,
    Vector,
)
from tinyc.learning.federation.codec import decode, encode_dense, encode_sparse, kept_entries, shared_segments
from tinyc.quantize.float_math import tanh

_ZERO, _ONE, _LEAK = np.float32(0), np.float32(1), np.float32(LEAK)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a device holds at the end of a round.

    parameters: float32 (shape.parameters,). loss: float32 sum over the samples, each of before its step.
    """

    parameters: Vector
    loss: np.float32


def train(
    shape: NetworkShape, start: Vector, samples: Samples, rate: float, head_samples: int = 0
) -> Trained:
    """Learn `samples` in their order, beginning at `start` (float32 (shape.parameters,), left unchanged).

    The first `head_samples` move the last layer only. Raises ClientError for a label out of range and where
    the loss is NaN or infinite, as the device does.
    """
    parameters = start.astype(np.float32, copy=True)
    layers = shape.matrices(parameters)
    total = _ZERO
    with np.errstate(all="ignore"):
        for index in range(len(samples)):
            first = len(layers) - 1 if index < head_samples else 0
            total = np.float32(total + _step(shape, layers, samples, index, np.float32(rate), first))
            if not np.isfinite(total):
                raise ClientError("training diverged: the loss is no number", hint="try a smaller rate")
    return Trained(parameters, total)


def _step(
    shape: NetworkShape,
    layers: list[tuple[Vector, Vector]],
    samples: Samples,
    index: int,
    rate: np.float32,
    first: int,
) -> np.float32:
    """Learn sample `index`: layers from `first` on move. Returns the loss of before."""
    values = [np.asarray(samples.inputs[index], np.float32)]
    for layer, (weights, bias) in enumerate(layers):
        sums = _sums_from(bias, weights * values[-1])
        values.append(sums if layer == len(layers) - 1 else _unit(shape, sums))
    loss, gradient = _output(shape, values[-1], samples, index)
    for layer in range(len(layers) - 1, first - 1, -1):
        weights, bias = layers[layer]
        step = rate * gradient
        if layer > first:
            below = _sums_from(np.zeros(weights.shape[1], np.float32), (weights * gradient[:, None]).T)
            below = below * _slope(shape, values[layer])
        weights -= step[:, None] * values[layer]
        bias -= step
        if layer > first:
            gradient = below
    return loss


def _sums_from(begin: Vector, terms: Vector) -> Vector:
    """begin (n,) + terms (n, k), added one after the other."""
    return np.asarray(float_math.serial_sum(np.concatenate([begin[:, None], terms], axis=1)))


def _unit(shape: NetworkShape, sums: Vector) -> Vector:
    if shape.hidden == "tanh":
        return tanh(sums)
    low = _ZERO if shape.hidden == "relu" else _LEAK * sums
    return np.where(sums > 0, sums, low)


def _slope(shape: NetworkShape, y: Vector) -> Vector:
    """How steep a unit is where it gives y."""
    if shape.hidden == "tanh":
        return _ONE - y * y
    return np.where(y > 0, _ONE, _ZERO if shape.hidden == "relu" else _LEAK)


def _output(shape: NetworkShape, y: Vector, samples: Samples, index: int) -> tuple[np.float32, Vector]:
    """The loss, and its gradient at the output (outputs,)."""
    if shape.loss == "mse":
        gradient = y - samples.targets[index].astype(np.float32)
        squares = float_math.serial_sum(np.concatenate([[_ZERO], gradient * gradient]))
        return np.float32(squares / np.float32(shape.outputs)), gradient
    label = int(samples.targets[index])
    if not 0 <= label < shape.outputs:
        raise ClientError(f"the label is {label}", allowed=f"0 to {shape.outputs - 1}")
    raised = float_math.exp(y - y[float_math.best(y)])
    gradient = raised / float_math.serial_sum(np.concatenate([[_ZERO], raised]))
    loss = _ONE - gradient[label]
    gradient[label] = gradient[label] - _ONE
    return np.float32(loss), gradient


def encode(shape: NetworkShape, delta: Vector, config: TrainConfig) -> bytes:
    """The delta (parameters,) as a device sends it. Raises TinycError for NaN where they cannot be sent."""
    segments = shared_segments(shape, config.head != "shared")
    if config.top >= 1:
        return encode_dense(delta, segments)
    return encode_sparse(delta, segments, kept_entries(config.top, segments))


class ExactClient:
    """A device on this machine, slower than `numpy_client` and with the bits of the firmware's trainer.

    `steps_per_second` gives the time that it says it took.
    """

    def __init__(self, name: str, shape: NetworkShape, task: Task, steps_per_second: float = 1000.0) -> None:
        self._name, self._shape, self._task = name, shape, task
        self._rate = steps_per_second
        self._head = np.zeros(shape.head.stop - shape.head.start, np.float32)

    @property
    def name(self) -> str:
        return self._name

    def shape(self) -> NetworkShape:
        return self._shape

    def train(self, parameters: Vector, config: TrainConfig) -> Update:
        """One round. Raises ClientError for batch training, divergence and a bad label."""
        refuse_batches(self._name, config)
        shape, count = self._shape, config.head_samples + config.samples
        start = parameters.astype(np.float32, copy=True)
        if config.head != "shared":
            start[shape.head] = self._head if config.head == "kept" else _ZERO
        samples = self._task.draw(count, config.seed)
        done = train(shape, start, samples, config.rate, config.head_samples)
        if config.head == "kept":
            self._head = done.parameters[shape.head].copy()
        sent = encode(shape, done.parameters - start, config)
        segments = shared_segments(shape, config.head != "shared")
        return Update(
            delta=decode(sent, shape, segments),
            samples=count,
            loss=float(done.loss) / max(count, 1),
            seconds=count / self._rate,
            sent_bytes=len(sent),
            received_bytes=4 * segments[-1].stop,
        )

    def state(self) -> bytes:
        return self._head.astype("<f4").tobytes() if self._head.any() else b""

    def restore(self, state: bytes) -> None:
        self._head = head_of(self._shape, state)

    def close(self) -> None:
        """Nothing to release."""


def refuse_batches(name: str, config: TrainConfig) -> None:
    """Raise ClientError for what the trainer of the firmware does not do: it keeps no samples."""
    if config.batch_steps:
        raise ClientError(
            "the device forgets a sample once it has learned it, so it trains no batches",
            where=name,
            allowed="a strategy that trains online: tinyreptile or tinymetafed",
        )


def head_of(shape: NetworkShape, state: bytes) -> Vector:
    """The last layer's parameters from what `Client.state` gave. Raises ClientError for a wrong size."""
    size = shape.head.stop - shape.head.start
    if not state:
        return np.zeros(size, np.float32)
    if len(state) != 4 * size:
        raise ClientError(f"the kept head has {len(state)} bytes", allowed=f"{4 * size} bytes")
    return np.frombuffer(state, "<f4").astype(np.float32)
