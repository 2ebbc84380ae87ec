"""Requests and their answers over one line: repetition, damage, late answers, and text in between."""

from __future__ import annotations

import random
import time
from typing import Any, TypeVar

from smp.error import ErrorV1, ErrorV2
from smp.message import ReadResponse, WriteResponse
from smpclient.generics import SMPRequest

from tinyc.device import answers, limits, messages
from tinyc.device.errors import NoAnswer
from tinyc.device.framing import END, FrameDecoder, encode, is_answer
from tinyc.device.ledger import Counters, Ledger
from tinyc.device.transport import Transport

Answer = TypeVar("Answer", bound=ReadResponse | WriteResponse)
V1 = TypeVar("V1", bound=ErrorV1)
V2 = TypeVar("V2", bound=ErrorV2[Any])

ATTEMPTS = 3
_SEQUENCE = 6  # its place in a message
_QUIET_SECONDS = 0.05
# The longest silence inside an answer. It ends a wait for bytes that were lost.
_STALL_SECONDS = 0.25
# So long after a look at the counters a restart is taken for one that nobody was in the middle of.
_FRESH_SECONDS = 0.5


class Exchange:
    """One line to one device. `timeout` is the longest wait for an answer in seconds."""

    def __init__(self, transport: Transport, timeout: float) -> None:
        self.transport = transport
        self.timeout = timeout
        self.ledger = Ledger()
        self._decoder = FrameDecoder()
        self._looked = -_FRESH_SECONDS
        # An answer that is still on its way to the port's last owner is none to this one.
        self._sequence = random.randrange(256)

    def message(self, request: SMPRequest[Answer, V1, V2]) -> bytes:
        """The bytes of a request, with a sequence number of this line."""
        self._sequence = (self._sequence + 1) % 256
        message = bytearray(request.BYTES)
        message[_SEQUENCE] = self._sequence
        return bytes(message)

    def ask(
        self, request: SMPRequest[Answer, V1, V2], limit: float | None = None, *, repeat: bool = True
    ) -> Answer:
        """Send a request and return the answer's fields; `repeat` when doing it twice is harmless."""
        seconds = self.timeout if limit is None else limit
        message = self.message(request)
        for attempt in range(ATTEMPTS if repeat else 1):
            if attempt > 0:
                self.drain()
            # Byte by byte the same again: an answer that comes late serves the repetition.
            answer = self.send(message, seconds, hasty=repeat and limit is None)
            if answer is not None:
                return answers.parse(request, answer)
        raise no_answer(request, seconds)

    def send(
        self, message: bytes, limit: float, *, hasty: bool = False, other: bytes | None = None
    ) -> bytes | None:
        """Send a message and return its answer, or that to `other`; None when the time is over.

        A `hasty` wait also ends where an answer was damaged and nothing more comes.
        """
        self._decoder.abandon()
        self.ledger.sent()
        self.transport.write(encode(message))
        wanted = (message,) if other is None else (message, other)
        answer = self._wait(wanted, limit, hasty)
        if answer is not None:
            self.ledger.heard()
        return answer

    def _wait(self, wanted: tuple[bytes, ...], limit: float, hasty: bool) -> bytes | None:
        decoder = self._decoder
        damaged, end = decoder.dropped, time.monotonic() + limit
        while True:
            # The last look takes what is there: this program may have been held up, not the device.
            left = max(0.0, end - time.monotonic())
            begun = decoder.in_packet or (hasty and decoder.dropped > damaged)
            data = self.transport.read(decoder.missing, min(left, _STALL_SECONDS) if begun else left)
            for message in decoder.feed(data):
                if any(is_answer(request, message) for request in wanted):
                    return message
            if left == 0 or (hasty and begun and not data):
                return None

    def drain(self) -> list[bytes]:
        """End a line that was begun, and wait until the device has nothing more to say."""
        self.transport.write(END)
        end, late = time.monotonic() + self.timeout, list[bytes]()
        while data := self.transport.read(limits.LARGEST_BUFFER, _QUIET_SECONDS):
            late += self._decoder.feed(data)
            if time.monotonic() >= end:
                break
        return late

    def listen(self, seconds: float) -> None:
        """Take in what the device says by itself."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            data = self.transport.read(limits.LARGEST_BUFFER, left)
            self._decoder.feed(data)
            if not data:  # an emulated chip that idles has nothing to say for a while
                time.sleep(max(0.0, min(end - time.monotonic(), _QUIET_SECONDS)))

    def take_text(self) -> list[bytes]:
        """Lines outside of packets since the last call."""
        return self._decoder.take_text()

    def counters(self) -> Counters:
        """A look at the device's counters."""
        before = self.ledger.unanswered
        found = counters_of(self.ask(messages.Counters()))
        self.ledger.note(found, self.ledger.unanswered - before)
        self._looked = time.monotonic()
        return found

    def take_stock(self, *, fresh: bool = False) -> None:
        """Look at the counters unless the next look will tell a restart for certain anyway.

        `fresh`: also when the last look is old.
        """
        if fresh and time.monotonic() - self._looked > _FRESH_SECONDS:
            self.counters()
        for _ in range(2 * ATTEMPTS):
            if self.ledger.sure:
                return
            self.counters()


def counters_of(answer: messages.CountersResponse) -> Counters:
    return Counters(answer.packets, answer.dropped, answer.refused, answer.invocations)


def no_answer(request: SMPRequest[Answer, V1, V2], seconds: float) -> NoAnswer:
    return NoAnswer(
        f"no answer to {answers.name(request)} within {seconds:g} s",
        hint="is the board powered, flashed by tinyc, and is this its port?",
    )
