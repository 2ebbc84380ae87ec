"""Talks to firmware that tinyc built, over any transport."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from tinyc.device import protocol
from tinyc.device.protocol import Command, Decoder, Frame, Hello, ProtocolError
from tinyc.device.transport import Transport
from tinyc.errors import TinycError

_ATTEMPTS = 3
_REPEATABLE = (Command.HELLO, Command.WRITE, Command.READ, Command.AUDIO_RESET, Command.TEXT)
_MAX_SAMPLES = protocol.MAX_PAYLOAD // 2
_QUIET_SECONDS = 0.05


class DeviceClient:
    """One device. Requests are answered in order; there is never more than one on the way.

    `timeout` is the longest wait for an answer in seconds, `run_timeout` the same for commands that
    compute. A request that arrived damaged is sent again; one without an answer only when doing it
    twice is harmless.
    """

    def __init__(self, transport: Transport, timeout: float = 2.0, run_timeout: float = 60.0) -> None:
        self._transport = transport
        self._timeout = timeout
        self._run_timeout = run_timeout
        self._hello: Hello | None = None

    def hello(self) -> Hello:
        """Who is there. Raises ProtocolError when nobody answers or the answer makes no sense."""
        self._hello = protocol.parse_hello(self._ask(Command.HELLO))
        return self._hello

    def expect(self, digest: str) -> Hello:
        """`hello()`, and a TinycError when the device runs another model."""
        found = self.hello()
        if found.digest != digest:
            raise TinycError(
                f"the device runs another model: `{found.model}`, digest {found.digest[:16]}",
                allowed=f"digest {digest[:16]}",
                hint="flash the firmware that was just built",
            )
        return found

    def write(self, offset: int, data: bytes) -> None:
        """Store `data` in the arena from byte `offset` on."""
        for at in range(0, len(data), protocol.MAX_WRITE):
            chunk = data[at : at + protocol.MAX_WRITE]
            self._ask(Command.WRITE, struct.pack("<I", offset + at) + chunk)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes of the arena from byte `offset` on."""
        parts = []
        for at in range(0, size, protocol.MAX_READ):
            count = min(protocol.MAX_READ, size - at)
            part = self._ask(Command.READ, struct.pack("<IH", offset + at, count))
            if len(part) != count:
                raise ProtocolError(f"the device sent {len(part)} bytes for {count}")
            parts.append(part)
        return b"".join(parts)

    def invoke(self) -> int:
        """Run all layers. Returns CPU cycles, 0 where the core has no counter."""
        return self._number(Command.INVOKE, b"", self._run_timeout)

    def run_layer(self, layer: int) -> int:
        """Run one layer. Returns CPU cycles, 0 where the core has no counter."""
        return self._number(Command.RUN_LAYER, struct.pack("<I", layer), self._run_timeout)

    def set_inputs(self, inputs: bytes) -> None:
        """Fill all model inputs, one after the other. Raises TinycError for a wrong number of bytes."""
        hello = self._hello or self.hello()
        if len(inputs) != hello.input_bytes:
            raise TinycError(f"the input has {len(inputs)} bytes", allowed=f"{hello.input_bytes} bytes")
        at = 0
        for place in hello.inputs:
            self.write(place.offset, inputs[at : at + place.size])
            at += place.size

    def outputs(self) -> bytes:
        """All model outputs, one after the other."""
        hello = self._hello or self.hello()
        return b"".join(self.read(place.offset, place.size) for place in hello.outputs)

    def run(self, inputs: bytes) -> bytes:
        """One inference: all inputs one after the other in, all outputs one after the other out."""
        self.set_inputs(inputs)
        self.invoke()
        return self.outputs()

    def audio_reset(self) -> None:
        """Forget all sound heard so far."""
        self._ask(Command.AUDIO_RESET)

    def audio_push(self, samples: npt.NDArray[np.int16] | Iterable[int]) -> int:
        """Feed sound at the model's sample rate. Returns the frames finished since the reset.

        Without samples the device is only asked.
        """
        data = np.ascontiguousarray(samples, dtype="<i2")
        frames = 0
        for at in range(0, max(1, data.size), _MAX_SAMPLES):
            chunk = data[at : at + _MAX_SAMPLES].tobytes()
            frames = self._number(Command.AUDIO_PUSH, chunk, self._run_timeout)
        return frames

    def text(self, text: bytes) -> int:
        """Fill the model's input with the token ids of a text (UTF-8). Returns how many ids it has.

        Raises TinycError for a text that is longer than a frame.
        """
        protocol.check_text(text)
        return self._number(Command.TEXT, text, self._run_timeout)

    def resync(self) -> None:
        """Bring a device that waits for the rest of a damaged frame back to the start of one."""
        self._transport.write(bytes(protocol.MAX_FRAME))
        end = time.monotonic() + self._timeout
        while self._transport.read(protocol.MAX_FRAME, _QUIET_SECONDS) and time.monotonic() < end:
            pass

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _number(self, command: Command, payload: bytes, timeout: float) -> int:
        answer = self._ask(command, payload, timeout)
        if len(answer) != 4:
            raise ProtocolError(f"the device sent {len(answer)} bytes for a number")
        return int.from_bytes(answer, "little")

    def _ask(self, command: Command, payload: bytes = b"", timeout: float | None = None) -> bytes:
        """Send a request and return the answer's payload."""
        limit = self._timeout if timeout is None else timeout
        frame = None
        for attempt in range(_ATTEMPTS):
            if attempt > 0:
                self.resync()
            self._transport.write(protocol.encode(Frame(command, payload)))
            frame = self._answer(command, limit)
            if frame is None and command not in _REPEATABLE:
                break
            if frame is not None and frame.payload != bytes([protocol.Status.BAD_FRAME]):
                break
        if frame is not None:
            return protocol.parse_answer(command, frame)
        raise ProtocolError(
            f"no answer to {command.name} within {limit:g} s",
            hint="is the board powered, flashed by tinyc, and is this its port?",
        )

    def _answer(self, command: Command, limit: float) -> Frame | None:
        """The next answer to `command`, or None when the time is over."""
        decoder = Decoder()
        end = time.monotonic() + limit
        while (left := end - time.monotonic()) > 0:
            for frame in decoder.feed(self._transport.read(decoder.missing, left)):
                if frame.command == command | protocol.ANSWER:
                    return frame
        return None
