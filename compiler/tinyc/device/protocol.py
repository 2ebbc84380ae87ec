"""Serial protocol version 1: frames, their CRC, and the payloads of requests and answers.

Little endian. A request is `0x7E command length:u16 payload crc:u16`, an answer
`0x7E command|0x80 length:u16 status payload crc:u16`, where length counts status and payload.
The CRC is CRC-16/XMODEM (polynomial 0x1021, start value 0) over everything between start byte and
CRC. `docs/reference/protocol.md` is the prose of this file.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass
from enum import IntEnum

from tinyc.errors import TinycError

VERSION = 1
START = 0x7E
ANSWER = 0x80
MAX_PAYLOAD = 1024
# A READ answer spends one byte of its payload on the status, a WRITE request four on the offset.
MAX_READ = MAX_PAYLOAD - 1
MAX_WRITE = MAX_PAYLOAD - 4
HEAD_BYTES = 4
CRC_BYTES = 2
MAX_FRAME = HEAD_BYTES + MAX_PAYLOAD + CRC_BYTES


class Command(IntEnum):
    HELLO = 0x01
    WRITE = 0x02
    READ = 0x03
    INVOKE = 0x04
    RUN_LAYER = 0x05
    AUDIO_RESET = 0x06
    AUDIO_PUSH = 0x07
    TEXT = 0x08


class Status(IntEnum):
    OK = 0
    BAD_FRAME = 1
    BAD_COMMAND = 2
    OUT_OF_RANGE = 3


class ProtocolError(TinycError):
    """The other side does not speak the protocol, or a frame was damaged on the way."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A request or answer without start byte and CRC."""

    command: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where an input or output lies in the arena, in bytes."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Hello:
    """What a device says about itself. `digest` and `device_id` are hexadecimal, sizes bytes."""

    version: int
    digest: str
    device_id: str
    arena: int
    layers: int
    clock_hz: int
    input_bytes: int
    output_bytes: int
    board: str
    model: str
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]


def crc16(data: bytes) -> int:
    """CRC-16/XMODEM; `123456789` gives 0x31C3."""
    return binascii.crc_hqx(data, 0)


def encode(frame: Frame) -> bytes:
    """The bytes of a frame on the wire. Raises ValueError for a payload over `MAX_PAYLOAD` bytes."""
    if len(frame.payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload of {len(frame.payload)} bytes; at most {MAX_PAYLOAD}")
    body = struct.pack("<BH", frame.command, len(frame.payload)) + frame.payload
    return bytes([START]) + body + struct.pack("<H", crc16(body))


def check_text(text: bytes) -> None:
    """Raise TinycError for a text that is longer than the frame that carries it."""
    if len(text) > MAX_PAYLOAD:
        raise TinycError(
            f"the text has {len(text)} bytes",
            where=text[:40].decode("utf-8", errors="replace") + "...",
            allowed=f"at most {MAX_PAYLOAD} bytes of UTF-8, one frame of the serial protocol",
        )


class Decoder:
    """Finds frames in a stream of bytes that may hold anything.

    Garbage before a start byte is skipped. A frame with a bad length or CRC is dropped and the search
    goes on right behind its start byte, so that a start byte inside garbage never hides a frame.
    Memory is bounded: never more than one frame is kept.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.skipped = 0
        """Bytes that belonged to no frame so far."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete, in order."""
        frames = []
        for at in range(0, len(data), MAX_FRAME):
            self._buffer += data[at : at + MAX_FRAME]
            while (frame := self._next()) is not None:
                frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        """The first complete frame of the buffer; None when more bytes are needed."""
        while True:
            start = self._buffer.find(START)
            self._skip(len(self._buffer) if start < 0 else start)
            if len(self._buffer) < HEAD_BYTES:
                return None
            length = int.from_bytes(self._buffer[2:4], "little")
            if length > MAX_PAYLOAD:
                self._skip(1)
                continue
            end = HEAD_BYTES + length + CRC_BYTES
            if len(self._buffer) < end:
                return None
            body = bytes(self._buffer[1 : end - CRC_BYTES])
            if crc16(body) != int.from_bytes(self._buffer[end - CRC_BYTES : end], "little"):
                self._skip(1)
                continue
            del self._buffer[:end]
            return Frame(body[0], body[3:])

    def _skip(self, count: int) -> None:
        self.skipped += count
        del self._buffer[:count]

    @property
    def missing(self) -> int:
        """Bytes that must at least arrive before the next frame can be complete; at least 1."""
        if len(self._buffer) < HEAD_BYTES:
            return HEAD_BYTES + CRC_BYTES - len(self._buffer)
        length = int.from_bytes(self._buffer[2:4], "little")
        return max(1, HEAD_BYTES + length + CRC_BYTES - len(self._buffer))


def parse_answer(command: int, frame: Frame) -> bytes:
    """The payload of an answer to `command`, without its status.

    Raises ProtocolError for an answer to something else and for a status other than OK.
    """
    if frame.command != command | ANSWER or not frame.payload:
        raise ProtocolError(f"the device answered 0x{frame.command:02x} to {_name(command)}")
    status = frame.payload[0]
    if status != Status.OK:
        raise ProtocolError(f"the device refused {_name(command)}: {_status_text(status)}")
    return frame.payload[1:]


def _name(command: int) -> str:
    names = {known.value: known.name for known in Command}
    return names.get(command, f"command 0x{command:02x}")


def _status_text(status: int) -> str:
    texts = {
        int(Status.BAD_FRAME): "the request arrived damaged",
        int(Status.BAD_COMMAND): "the firmware does not have this command",
        int(Status.OUT_OF_RANGE): "the request is out of range",
    }
    return texts.get(status, f"status {status}")


def parse_hello(payload: bytes) -> Hello:
    """The answer to HELLO. Raises ProtocolError when it is not one of version 1."""
    reader = _Reader(payload)
    version = reader.take(1)[0]
    if version != VERSION:
        raise ProtocolError(
            f"the device speaks protocol version {version}",
            allowed=f"version {VERSION}",
            hint="build and flash the firmware with this tinyc",
        )
    digest, device_id = reader.take(32).hex(), reader.take(8).hex()
    arena, layers, clock_hz, input_bytes, output_bytes = struct.unpack("<5I", reader.take(20))
    hello = Hello(
        version=version,
        digest=digest,
        device_id=device_id,
        arena=arena,
        layers=layers,
        clock_hz=clock_hz,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        board=reader.text(),
        model=reader.text(),
        inputs=reader.places(),
        outputs=reader.places(),
    )
    fits = all(place.offset + place.size <= arena for place in (*hello.inputs, *hello.outputs))
    totals = (sum(place.size for place in hello.inputs), sum(place.size for place in hello.outputs))
    if reader.left or not fits or totals != (input_bytes, output_bytes):
        raise ProtocolError("the device's HELLO contradicts itself")
    return hello


class _Reader:
    """Takes fields off the front of a payload."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if self.left < count:
            raise ProtocolError("the device's HELLO is too short")
        self._at += count
        return self._data[self._at - count : self._at]

    def text(self) -> str:
        return self.take(self.take(1)[0]).decode("utf-8", errors="replace")

    def places(self) -> tuple[Place, ...]:
        return tuple(Place(*struct.unpack("<2I", self.take(8))) for _ in range(self.take(1)[0]))

    @property
    def left(self) -> int:
        return len(self._data) - self._at
