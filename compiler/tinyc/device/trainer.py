"""Talks to the trainer of a device: parameters there, samples, and back what they changed.

Every request may be repeated, so a lost answer does no harm. What a restart does is noticed: the round is
gone, and parameters of which a part was lost do not have the checksum that the round begins with.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from tinyc.device import trainer_messages as messages
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError

HIDDEN = ("tanh", "relu", "leaky")
LOSSES = ("mse", "softmax")
HEADS = ("shared", "zero", "kept")
_TRAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Network:
    """What the device trains. `keeps_start`: it encodes its own delta; else the whole vector is read."""

    layers: tuple[int, ...]
    hidden: str
    loss: str
    keeps_start: bool
    record_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a round is. `loss` is the sum of the losses, a float32."""

    round: int
    samples: int
    loss: float


class TrainerClient:
    """The trainer of one device. Sizes and places are bytes."""

    def __init__(self, client: DeviceClient) -> None:
        self._client = client

    def network(self) -> Network:
        """Raises ProtocolError where nobody answers or the firmware has no trainer."""
        told = self._client.request(messages.Trainer())
        if told.hidden >= len(HIDDEN) or told.loss >= len(LOSSES) or len(told.layers) < 2:
            raise ProtocolError("the device trains a network that this tinyc does not know")
        return Network(told.layers, HIDDEN[told.hidden], LOSSES[told.loss], told.start == 1, told.record)

    def progress(self) -> Progress:
        """How far the round is."""
        told = self._client.request(messages.Trainer())
        (loss,) = struct.unpack("<f", told.sum.to_bytes(4, "little"))
        return Progress(told.round, told.samples, loss)

    def write(self, offset: int, data: bytes) -> None:
        """Store `data` in the start of the next round."""
        self._client.send(
            offset,
            data,
            lambda off, part: self._client.request(messages.ParametersWrite(off=off, data=part)).off,
        )

    def begin(self, number: int, start: bytes, *, rate: float, head_samples: int, head: str) -> None:
        """Begin round `number` at `start`, the first bytes of the parameters that were written.

        Raises ProtocolError when the device holds others.
        """
        (bits,) = struct.unpack("<I", struct.pack("<f", rate))
        answer = self._client.request(
            messages.Begin(
                round=number,
                rate=bits,
                head_samples=head_samples,
                head=HEADS.index(head),
                size=len(start),
                crc=zlib.crc32(start),
            )
        )
        _expect(answer.round, number)

    def train(self, data: bytes) -> int:
        """Learn all samples of the round. Returns CPU cycles, 0 where the core does not count them."""
        cycles = 0

        def learn(off: int, part: bytes) -> int:
            nonlocal cycles
            answer = self._client.request(messages.Train(off=off, data=part), _TRAIN_SECONDS)
            cycles += answer.cycles
            return answer.off

        self._client.send(0, data, learn)
        return cycles

    def parameters(self, offset: int, size: int) -> bytes:
        """What is being trained; between rounds the start, where the last layer is the trained one."""
        return self._client.fetch(
            offset, size, lambda off, part: self._client.request(messages.ParametersRead(off=off, len=part))
        )

    def delta(self, layers: int, keep: int) -> bytes:
        """End the round: the `keep` largest changes in the first `layers` layers, encoded."""
        size = self._client.request(messages.Encode(layers=layers, keep=keep), _TRAIN_SECONDS).size
        return self._client.fetch(
            0, size, lambda off, part: self._client.request(messages.Delta(off=off, len=part))
        )


def _expect(found: int, expected: int) -> None:
    if found != expected:
        raise ProtocolError(f"the device goes on at {found} instead of {expected}")
