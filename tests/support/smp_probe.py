"""Asks a device by SMP, with nothing of tinyc in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smp import packet

from support.smp_device import OS, WRITE, frame, message, parse_message
from tinyc.device.transport import Transport


class Probe:
    """One request at a time over `transport`; each must be answered within `timeout` seconds."""

    def __init__(self, transport: Transport, timeout: float = 5.0) -> None:
        self._transport = transport
        self._timeout = timeout
        self._sequence = 0
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        """What comes before the serial port is up is lost: an echo comes back as soon as it is."""
        greeting = frame(message(WRITE, OS, 0, {"d": "ready?"}))
        for _ in range(20):
            self._transport.write(greeting)
            first = self._transport.read(1, 1.0)
            if first:
                parse_message(self._receive(first))
                while self._transport.read(1, 0.3):
                    pass  # a slow start answers all that it was asked meanwhile
                return
        raise AssertionError("the device does not answer")

    def ask(self, operation: int, group: int, command: int, body: object = None) -> Mapping[str, Any]:
        """The body of the answer, which must be that to this request."""
        self._sequence = (self._sequence + 1) % 256
        request = message(operation, group, command, body, sequence=self._sequence)
        self._transport.write(frame(request))
        answer = parse_message(self._receive())
        assert (answer.operation, answer.version) == (operation + 1, 1)
        assert (answer.group, answer.command, answer.sequence) == (group, command, self._sequence)
        return answer.body

    def _receive(self, start: bytes = b"") -> bytes:
        decoder = packet.decode()
        next(decoder)
        while True:
            try:
                decoder.send(self._line(start))
                start = b""
            except StopIteration as end:
                return bytes(end.value)

    def _line(self, start: bytes) -> bytes:
        line = bytearray(start)
        while not line.endswith(b"\n"):
            byte = self._transport.read(1, self._timeout)
            assert byte, f"no answer, only {bytes(line)!r}"
            line += byte
        return bytes(line)
