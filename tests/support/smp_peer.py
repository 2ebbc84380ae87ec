"""A device in Python that answers tinyc's serial protocol, and a line to it that can misbehave.

It follows `docs/reference/protocol.md` and knows nothing of tinyc's own message classes.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cbor2

from tinyc.device.framing import FrameDecoder, encode

READ, WRITE = 0, 2
OS, STATISTICS, TINYC = 0, 2, 64
EINVAL, ENOENT, EMSGSIZE, ENOTSUP = 3, 5, 7, 8
MALFORMED, OUT_OF_RANGE = 2, 3
HEADER = struct.Struct("!BBHHBB")

Fields = dict[Any, Any]


class Refusal(Exception):  # noqa: N818
    """An error of a group, or of SMP itself when `group` is None."""

    def __init__(self, code: int, group: int | None = None) -> None:
        super().__init__(code, group)
        self.code, self.group = code, group

    def fields(self, version: int) -> Fields:
        if self.group is None:
            return {"rc": self.code}
        if version == 0:
            return {"rc": {TINYC: EINVAL, STATISTICS: ENOENT}[self.group]}
        return {"err": {"group": self.group, "rc": self.code}}


def frame(op: int, group: int, command: int, fields: object, sequence: int = 0, version: int = 1) -> bytes:
    """A message: header and map."""
    body = cbor2.dumps(fields)
    return HEADER.pack(version << 3 | op, 0, len(body), group, sequence, command) + body


@dataclass
class FakeDevice:
    """A device whose model adds the number of the layer to every input byte, layer by layer."""

    buffer: int = 512
    told_buffer: int | None = None
    """What the OS parameters say, when it is not true."""
    arena: bytearray = field(default_factory=lambda: bytearray(3000))
    inputs: tuple[tuple[int, int], ...] = ((0, 700), (704, 300))
    outputs: tuple[tuple[int, int], ...] = ((1008, 900), (1908, 4))
    layers: int = 70
    front_ends: bool = True
    lies: Fields = field(default_factory=dict)
    """What HELLO says instead."""
    samples: int = 0
    frame_samples: int = 100
    counters: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("packets", "dropped", "refused", "invocations"), 0)
    )
    resets: int = 0

    def answer(self, message: bytes) -> bytes:
        """The answer to a whole message."""
        first, _, _, group, sequence, command = HEADER.unpack(message[:8])
        op, version = first & 7, first >> 3 & 3
        self.counters["packets"] += 1
        try:
            fields = self._answer(op, group, command, message)
            answer = frame(op | 1, group, command, fields, sequence, version)
            if len(answer) > self.buffer - 4:
                raise Refusal(EMSGSIZE)
        except Refusal as refusal:
            self.counters["refused"] += 1
            answer = frame(op | 1, group, command, refusal.fields(version), sequence, version)
        return answer

    def _answer(self, op: int, group: int, command: int, message: bytes) -> Fields:
        handler = self._handlers().get((group, command, op))
        if handler is None or (command in (7, 8) and group == TINYC and not self.front_ends):
            raise Refusal(ENOTSUP)
        try:
            fields = cbor2.loads(message[8:])
        except (cbor2.CBORDecodeError, ValueError) as error:
            raise Refusal(EINVAL) from error
        if not isinstance(fields, dict):
            raise Refusal(EINVAL)
        return handler(fields)

    def _handlers(self) -> dict[tuple[int, int, int], Callable[[Fields], Fields]]:
        return {
            (OS, 0, READ): lambda fields: {"r": take(fields, "d", str)},
            (OS, 0, WRITE): lambda fields: {"r": take(fields, "d", str)},
            (OS, 5, WRITE): self._reset,
            (OS, 6, READ): lambda _: {"buf_size": self.told_buffer or self.buffer, "buf_count": 1},
            (STATISTICS, 0, READ): self._statistics,
            (STATISTICS, 1, READ): lambda _: {"stat_list": ["tinyc"]},
            (TINYC, 0, READ): lambda _: self._hello(),
            (TINYC, 1, WRITE): self._input,
            (TINYC, 2, WRITE): self._invoke,
            (TINYC, 3, READ): self._output,
            (TINYC, 4, WRITE): self._profile,
            (TINYC, 5, READ): lambda _: dict(self.counters),
            (TINYC, 6, READ): self._arena_read,
            (TINYC, 6, WRITE): self._arena_write,
            (TINYC, 7, WRITE): self._audio,
            (TINYC, 8, WRITE): self._text,
        }

    def _reset(self, _: Fields) -> Fields:
        self.resets += 1
        self.restart()
        return {}

    def restart(self) -> None:
        """RAM begins anew."""
        self.counters = dict.fromkeys(self.counters, 0)
        self.arena[:] = bytes(len(self.arena))

    def _statistics(self, fields: Fields) -> Fields:
        if take(fields, "name", str) != "tinyc":
            raise Refusal(2, STATISTICS)
        return {"name": "tinyc", "fields": dict(self.counters)}

    def _hello(self) -> Fields:
        return {
            "proto": 2,
            "board": "fake",
            "chip": bytes(range(1, 9)),
            "firmware": b"F" * 32,
            "model": bytes(range(32)),
            "name": "adder",
            "version": "1.2.3",
            "tinyc": "0.1.0",
            "clock": 64_000_000,
            "arena": len(self.arena),
            "layers": self.layers,
            "inputs": [list(place) for place in self.inputs],
            "outputs": [list(place) for place in self.outputs],
            "ram": 1234,
            "slots": [],
        } | self.lies

    def _input(self, fields: Fields) -> Fields:
        off, data = take(fields, "off", int), take(fields, "data", bytes)
        places = self._bytes_of(self.inputs)
        if off + len(data) > len(places):
            raise Refusal(OUT_OF_RANGE, TINYC)
        for place, value in zip(places[off:], data, strict=False):
            self.arena[place] = value
        return {"off": off + len(data)}

    def _output(self, fields: Fields) -> Fields:
        off, length = take(fields, "off", int), take(fields, "len", int)
        places = self._bytes_of(self.outputs)
        if off + length > len(places):
            raise Refusal(OUT_OF_RANGE, TINYC)
        return {"off": off, "data": bytes(self.arena[place] for place in places[off : off + length])}

    def _invoke(self, _: Fields) -> Fields:
        self.counters["invocations"] += 1
        return {"cycles": sum(map(self._run_layer, range(self.layers)))}

    def _profile(self, fields: Fields) -> Fields:
        first, count = take(fields, "first", int), take(fields, "count", int)
        if first + count > self.layers or count > 64:
            raise Refusal(OUT_OF_RANGE, TINYC)
        return {"first": first, "cycles": [self._run_layer(layer) for layer in range(first, first + count)]}

    def _run_layer(self, layer: int) -> int:
        inputs, outputs = self._bytes_of(self.inputs), self._bytes_of(self.outputs)
        for index, place in enumerate(outputs):
            start = self.arena[inputs[index]] if layer == 0 else self.arena[place]
            self.arena[place] = (start + layer) & 0xFF
        return 1000 + layer

    def _arena_read(self, fields: Fields) -> Fields:
        off, length = take(fields, "off", int), take(fields, "len", int)
        if off + length > len(self.arena):
            raise Refusal(OUT_OF_RANGE, TINYC)
        return {"off": off, "data": bytes(self.arena[off : off + length])}

    def _arena_write(self, fields: Fields) -> Fields:
        off, data = take(fields, "off", int), take(fields, "data", bytes)
        if off + len(data) > len(self.arena):
            raise Refusal(OUT_OF_RANGE, TINYC)
        self.arena[off : off + len(data)] = data
        return {"off": off + len(data)}

    def _audio(self, fields: Fields) -> Fields:
        data = take(fields, "data", bytes) if "data" in fields else b""
        if len(data) % 2:
            raise Refusal(MALFORMED, TINYC)
        if "reset" in fields and take(fields, "reset", bool):
            self.samples = 0
        self.samples += len(data) // 2
        return {"frames": self.samples // self.frame_samples}

    def _text(self, fields: Fields) -> Fields:
        return {"ids": len(take(fields, "text", bytes).split()) + 2}

    @staticmethod
    def _bytes_of(places: tuple[tuple[int, int], ...]) -> list[int]:
        return [at for offset, size in places for at in range(offset, offset + size)]


def take(fields: Fields, key: str, kind: type) -> Any:
    value = fields.get(key)
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise Refusal(MALFORMED, TINYC)
    return value


@dataclass
class PeerLine:
    """A transport to a `FakeDevice`. `damage_*` get the number of the frame and its bytes on the wire."""

    device: FakeDevice = field(default_factory=FakeDevice)
    damage_request: Callable[[int, bytes], bytes] = lambda _, data: data
    damage_answer: Callable[[int, bytes], bytes] = lambda _, data: data
    change_answer: Callable[[int, bytes], bytes] = lambda _, message: message
    """Another message instead, before it is framed."""
    late: frozenset[int] = frozenset()
    """Numbers of the answers that are held back until something else is sent."""
    requests: list[bytes] = field(default_factory=list)
    """Messages that arrived at the device."""
    sent: list[bytes] = field(default_factory=list)
    """What was written, line feeds alone left out."""
    answers: int = 0
    closed: bool = False
    _decoder: FrameDecoder = field(default_factory=FrameDecoder)
    _pending: bytes = b""
    _held: bytes = b""

    def write(self, data: bytes) -> None:
        if data != b"\n":
            self._pending, self._held = self._pending + self._held, b""
            data = self.damage_request(len(self.sent), data)
            self.sent.append(data)
        for message in self._decoder.feed(data):
            self.requests.append(message)
            answer = self.change_answer(self.answers, self.device.answer(message))
            line = self.damage_answer(self.answers, encode(answer))
            if self.answers in self.late:
                self._held += line
            else:
                self._pending += line
            self.answers += 1
        self.device.counters["dropped"] = self._decoder.dropped

    def read(self, size: int, timeout: float) -> bytes:
        assert size >= 1 and timeout >= 0
        data, self._pending = self._pending[:size], self._pending[size:]
        return data

    def close(self) -> None:
        self.closed = True


@contextlib.contextmanager
def serial_port(line: PeerLine) -> Iterator[str]:
    """A pseudo-terminal with the device behind it; the path of the port."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if select.select([master], [], [], 0.01)[0]:
                line.write(os.read(master, 4096))
                answer = line.read(1 << 16, 0)
                while answer:
                    answer = answer[os.write(master, answer) :]

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join()
        os.close(master)
        os.close(slave)
