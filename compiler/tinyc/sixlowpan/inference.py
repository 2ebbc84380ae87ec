"""Inference over the air, the side that asks: what `lowpan_model.c` reads and writes in UDP datagrams.

The format is in docs/reference/lowpan-protocol.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from tinyc.sixlowpan.endpoint import PAYLOAD_MAX

VERSION = 1
HEADER_BYTES = 16
DATA_MAX = PAYLOAD_MAX - HEADER_BYTES
"""Bytes of input or output in one datagram."""
NO_LABEL = 0xFFFF
_REQUEST, _ANSWER = 1, 2
_HEADER = struct.Struct(">BBHBBHII")


class Status(IntEnum):
    """What became of a request: `enum status`."""

    DONE = 0
    MORE = 1
    DESCRIBED = 2
    BAD_SIZE = 3
    BUSY = 4
    START_OVER = 5
    BAD_REQUEST = 6


@dataclass(frozen=True, slots=True)
class Request:
    """A part of an input of `total` bytes, from `offset` on; with a total of 0 it asks for the model."""

    id: int
    offset: int
    total: int
    data: bytes = b""

    def encode(self) -> bytes:
        """The payload of a datagram."""
        return _HEADER.pack(VERSION, _REQUEST, self.id, 0, 0, 0, self.offset, self.total) + self.data


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `label` is None where the model has no classes. What the rest means depends on `status`."""

    id: int
    status: Status
    label: int | None
    offset: int
    total: int
    data: bytes = b""

    @classmethod
    def decode(cls, payload: bytes) -> Answer:
        """Raises ValueError for what is no answer."""
        if len(payload) < HEADER_BYTES:
            raise ValueError(f"{len(payload)} bytes are no answer")
        version, kind, number, status, _, label, offset, total = _HEADER.unpack(payload[:HEADER_BYTES])
        if version != VERSION or kind != _ANSWER:
            raise ValueError(f"version {version}, kind {kind}: not an answer of version {VERSION}")
        told = None if label == NO_LABEL else label
        return cls(number, Status(status), told, offset, total, payload[HEADER_BYTES:])

    def encode(self) -> bytes:
        """The payload of a datagram."""
        label = NO_LABEL if self.label is None else self.label
        head = (VERSION, _ANSWER, self.id, self.status, 0, label, self.offset, self.total)
        return _HEADER.pack(*head) + self.data


@dataclass(frozen=True, slots=True)
class Result:
    """What the model said: all outputs one after the other, and where the first has its largest value."""

    output: bytes
    label: int | None


@dataclass(slots=True)
class Exchange:
    """One inference: `payload` is what to send, again where no answer came; `take` each answer.

    `result` is there at the end. A refusal stays in `refused`, and ends it; after BUSY it may be sent again.
    """

    id: int
    data: bytes
    result: Result | None = None
    refused: Answer | None = None
    _offset: int = 0
    _output: bytearray = field(default_factory=bytearray)

    @property
    def payload(self) -> bytes:
        """The part that the device needs next."""
        part = self.data[self._offset : self._offset + DATA_MAX]
        return Request(self.id, self._offset, len(self.data), part).encode()

    def take(self, payload: bytes) -> bool:
        """An answer; whether `payload` is to be sent now. Answers to others change nothing.

        Raises ValueError for what is no answer.
        """
        answer = Answer.decode(payload)
        if answer.id != self.id or self.result is not None:
            return False
        if answer.status is Status.DONE:
            if answer.offset == len(self._output):
                self._output += answer.data
            if len(self._output) == answer.total:
                self.result = Result(bytes(self._output), answer.label)
            return False
        if answer.status is Status.MORE and 0 < answer.offset < len(self.data):
            self._offset = answer.offset
            return True
        if answer.status is Status.START_OVER:
            self._offset = 0
            return True
        self.refused = answer
        return False
