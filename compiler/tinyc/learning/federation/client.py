"""What a device is to a federated run: a network's shape, a task of its own, and one call that trains.

Simulated devices (`numpy_client`), emulated chips and boards on ports are all a `Client`.

The network is a stack of dense layers. Its parameters are one float32 vector: for each layer from the
input to the output W (outputs × inputs, row-major) and then b (outputs). The *head* is the last layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyc.errors import TinycError

Vector = NDArray[np.float32]
Hidden = Literal["tanh", "relu", "leaky"]
Loss = Literal["mse", "softmax"]
Head = Literal["shared", "zero", "kept"]
HIDDEN: tuple[Hidden, ...] = ("tanh", "relu", "leaky")
LOSSES: tuple[Loss, ...] = ("mse", "softmax")
HEADS: tuple[Head, ...] = ("shared", "zero", "kept")
LEAK = 0.125
"""Slope of the `leaky` unit below zero, exact in binary: y = x > 0 ? x : LEAK * x."""


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Dense layers: `layers` are the widths from input to output, `hidden` the unit of all but the last.

    Loss `mse`: identity output, gradient of the output = y − t (so L = ½ Σ (y − t)²).
    Loss `softmax`: cross-entropy, gradient of the output = p − onehot(label).
    Raises TinycError for fewer than two widths, widths below 1 and unknown words.
    """

    layers: tuple[int, ...]
    hidden: Hidden = "tanh"
    loss: Loss = "mse"

    def __post_init__(self) -> None:
        if len(self.layers) < 2 or min(self.layers) < 1:
            raise TinycError(
                f"is no network: {list(self.layers)}",
                where="layers",
                allowed="at least two widths of 1 or more, from input to output",
            )
        if self.hidden not in HIDDEN:
            raise TinycError(f"unknown unit `{self.hidden}`", where="hidden", allowed=", ".join(HIDDEN))
        if self.loss not in LOSSES:
            raise TinycError(f"unknown loss `{self.loss}`", where="loss", allowed=", ".join(LOSSES))

    @property
    def inputs(self) -> int:
        return self.layers[0]

    @property
    def outputs(self) -> int:
        return self.layers[-1]

    def segments(self) -> tuple[slice, ...]:
        """For each layer the slice of the parameter vector with its W and b."""
        slices, start = [], 0
        for width, above in zip(self.layers, self.layers[1:], strict=False):
            stop = start + above * width + above
            slices.append(slice(start, stop))
            start = stop
        return tuple(slices)

    @property
    def parameters(self) -> int:
        """Length of the parameter vector."""
        return int(self.head.stop)

    @property
    def head(self) -> slice:
        """The last layer's part of the parameter vector."""
        return self.segments()[-1]

    def matrices(self, vector: Vector) -> list[tuple[Vector, Vector]]:
        """(W (out, in), b (out,)) of each layer, as views of `vector` (parameters,)."""
        views = []
        for part, width in zip(self.segments(), self.layers, strict=False):
            layer = vector[part]
            outputs = layer.size // (width + 1)
            views.append((layer[: outputs * width].reshape(outputs, width), layer[outputs * width :]))
        return views

    def initial(self, seed: int) -> Vector:
        """Random start: W ~ N(0, 1/in) for tanh, N(0, 2/in) for relu and leaky; b = 0."""
        generator = np.random.default_rng(seed)
        vector = np.zeros(self.parameters, np.float32)
        gain = 1.0 if self.hidden == "tanh" else 2.0
        for weights, _ in self.matrices(vector):
            deviation = np.sqrt(gain / weights.shape[1])
            weights[:] = generator.normal(0.0, deviation, weights.shape).astype(np.float32)
        return vector


@dataclass(frozen=True, slots=True)
class Samples:
    """Labelled samples in the order a device meets them.

    inputs: float32 (n, shape.inputs). targets: float32 (n, shape.outputs) for `mse`,
    int32 labels (n,) for `softmax`.
    """

    inputs: Vector
    targets: NDArray[np.float32] | NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.inputs)


class Task(Protocol):
    """The data of one device: its own sine, its own five characters."""

    def draw(self, count: int, seed: int) -> Samples:
        """`count` fresh samples; the same seed gives the same samples."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What the server asks of a device in one round. A device may have one rate for all layers only.

    A device takes `head_samples + samples` samples of its task with `seed`. The first `head_samples`
    move the head only, the body stays fixed; the others move all layers.
    online (`batch_steps` 0): one SGD step `rate` a sample, which is then forgotten.
    batch (`batch_steps` > 0): the samples are kept, and each step goes along their mean gradient.
    `head`: `shared` = part of what is sent; `zero` = the device starts it at zero each round and never
    sends it; `kept` = its own last one, zero at first, never sent.
    `top`: 1.0 sends the delta as float32; below, the ceil(top × shared entries) largest as int8
    (see `codec`). `seed` is below 2**63.
    """

    rate: float
    samples: int
    head_samples: int = 0
    batch_steps: int = 0
    head: Head = "shared"
    top: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """A device's answer: its delta θ − φ as the server decodes it.

    delta: float32 (parameters,), zero for a head that is not sent and for entries not chosen.
    samples: how many were learned from. loss: mean over them before each was learned; for `mse` the
    mean squared error, for `softmax` 1 − probability of the label (no logarithm on a device).
    seconds: how long the device took, by its own account; a simulated device tells simulated time.
    sent_bytes: size of the encoded delta. received_bytes: size of the parameters it was sent.
    """

    delta: Vector
    samples: int
    loss: float
    seconds: float
    sent_bytes: int
    received_bytes: int


class ClientError(TinycError):
    """A device did not answer, lost power or refused; the round goes on without it."""


class Client(Protocol):
    """One device of a run."""

    @property
    def name(self) -> str:
        """Unique in a run; names the device in reports and errors."""

    def shape(self) -> NetworkShape:
        """The network it trains; the run refuses devices of another shape."""

    def train(self, parameters: Vector, config: TrainConfig) -> Update:
        """Train from `parameters` (float32, (parameters,), left unchanged); blocks until done.

        Raises ClientError if there is no answer. The answer is not trusted: the server checks length,
        NaN, infinity and norm.
        """

    def state(self) -> bytes:
        """What must survive a restart of the run (a `kept` head), b"" if nothing."""

    def restore(self, state: bytes) -> None:
        """Take back what `state` gave."""

    def close(self) -> None:
        """Release the port or the chip; harmless when called again."""
