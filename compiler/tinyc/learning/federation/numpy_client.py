"""Devices simulated in NumPy, with the faults of real ones: silence, slowness, NaN, lies.

What a simulated device does depends on its name, its task and the seed of the round alone, so a run
with such devices gives the same bytes each time.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinyc.errors import TinycError
from tinyc.learning.federation import codec, dense
from tinyc.learning.federation.client import (
    ClientError,
    NetworkShape,
    Task,
    TrainConfig,
    Update,
    Vector,
)

Poison = Literal["none", "nan", "scale", "flip"]
POISONS: tuple[Poison, ...] = ("none", "nan", "scale", "flip")
_LIE = 100.0


@dataclass(frozen=True, slots=True)
class Faults:
    """How a device fails. Probabilities are for each round.

    dropout: it does not answer. slow: it takes `slow_factor` times as long. poison: `nan` = one entry of
    its delta is NaN; `scale` = the delta is 100 times as long; `flip` = 100 times, the other way.
    seconds: simulated time for each sample and step. Raises TinycError for values out of range.
    """

    dropout: float = 0.0
    slow: float = 0.0
    slow_factor: float = 20.0
    poison: Poison = "none"
    seconds: float = 0.001

    def __post_init__(self) -> None:
        for name in ("dropout", "slow"):
            if not 0 <= getattr(self, name) <= 1:
                raise TinycError(f"{name} = {getattr(self, name)}", where="clients", allowed="0 to 1")
        if self.poison not in POISONS:
            raise TinycError(f"unknown poison `{self.poison}`", where="clients", allowed=", ".join(POISONS))
        if self.slow_factor < 1 or self.seconds < 0:
            raise TinycError("impossible times", where="clients", allowed="slow_factor ≥ 1, seconds ≥ 0")


class SimulatedClient:
    """A `Client` in this process."""

    def __init__(self, name: str, shape: NetworkShape, task: Task, faults: Faults | None = None) -> None:
        self.name = name
        self._shape = shape
        self._task = task
        self._faults = faults or Faults()
        self._head: Vector | None = None

    def shape(self) -> NetworkShape:
        return self._shape

    def train(self, parameters: Vector, config: TrainConfig) -> Update:
        """One round, with the faults that this device has in it. Raises ClientError if it drops out."""
        faults = self._faults
        chance = np.random.default_rng([zlib.crc32(self.name.encode()), config.seed])
        drops, is_slow = chance.random() < faults.dropout, chance.random() < faults.slow
        if drops:
            raise ClientError("did not answer", where=self.name)
        shape = self._shape
        local = config.head != "shared"
        start = self._start(parameters, config) if local else parameters
        count = config.head_samples + config.samples
        samples = self._task.draw(count, config.seed)
        end, loss = dense.train(shape, start, samples, config)
        if local and config.head == "kept":
            self._head = end[shape.head].copy()
        with np.errstate(invalid="ignore", over="ignore"):
            delta = self._poisoned(end - start, chance)
        segments = codec.shared_segments(shape, local)
        try:
            sent = encode(delta, shape, config)
        except TinycError:
            # A device cannot put NaN into int8; the raw vector shows the server what it computed.
            sent = codec.encode_dense(delta, segments)
        steps = config.head_samples + config.samples * max(1, config.batch_steps)
        shared = sum(int(part.stop - part.start) for part in segments)
        return Update(
            codec.decode(sent, shape, segments),
            count,
            loss,
            steps * faults.seconds * (faults.slow_factor if is_slow else 1.0),
            len(sent),
            4 * shared,
        )

    def _start(self, parameters: Vector, config: TrainConfig) -> Vector:
        start = parameters.copy()
        kept = self._head if config.head == "kept" else None
        start[self._shape.head] = 0.0 if kept is None else kept
        return start

    def _poisoned(self, delta: Vector, chance: np.random.Generator) -> Vector:
        poison = self._faults.poison
        if poison == "nan":
            delta[chance.integers(delta.size)] = np.nan
        elif poison != "none":
            delta = delta * np.float32(_LIE if poison == "scale" else -_LIE)
        return delta

    def state(self) -> bytes:
        return b"" if self._head is None else self._head.astype("<f4").tobytes()

    def restore(self, state: bytes) -> None:
        """Raises TinycError if the state is of another network."""
        head = self._shape.head
        if state and len(state) != 4 * (head.stop - head.start):
            raise TinycError("the kept head is of another network", where=self.name)
        self._head = np.frombuffer(state, "<f4").astype(np.float32) if state else None

    def close(self) -> None:
        """Nothing is held."""


def encode(delta: Vector, shape: NetworkShape, config: TrainConfig) -> bytes:
    """The delta as a device sends it under `config`."""
    segments = codec.shared_segments(shape, config.head != "shared")
    if config.top >= 1:
        return codec.encode_dense(delta, segments)
    return codec.encode_sparse(delta, segments, codec.kept_entries(config.top, segments))
