"""Talks to firmware that tinyc built, over any transport."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
from smp.error import ErrorV1, ErrorV2
from smp.message import ReadResponse, WriteResponse
from smpclient.generics import SMPRequest
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead, ResetWrite

from tinyc.device import answers, limits, messages
from tinyc.device.errors import ProtocolError
from tinyc.device.framing import END, FrameDecoder, encode, is_answer
from tinyc.device.hello import Hello, parse_hello
from tinyc.device.transport import Transport
from tinyc.errors import TinycError

_Answer = TypeVar("_Answer", bound=ReadResponse | WriteResponse)
_V1 = TypeVar("_V1", bound=ErrorV1)
_V2 = TypeVar("_V2", bound=ErrorV2[Any])
_Part = messages.ArenaReadResponse | messages.OutputResponse

_ATTEMPTS = 3
_QUIET_SECONDS = 0.05
# The longest silence inside an answer. It ends a wait for bytes that were lost.
_STALL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Counters:
    """What the device has counted since it started."""

    packets: int
    """Packets that arrived undamaged."""
    dropped: int
    """Packets that arrived damaged."""
    refused: int
    """Requests that were answered with an error."""
    invocations: int


class DeviceClient:
    """One device. Requests are answered in order; there is never more than one on the way.

    `timeout` is the longest wait for an answer in seconds, `run_timeout` the same for commands that
    compute. A request without an answer is sent again only when doing it twice is harmless.

    The messages are those of `smp`; the client is our own, because that of smpclient needs an event
    loop, which notebooks have in use, and cannot repeat a request.
    """

    def __init__(self, transport: Transport, timeout: float = 2.0, run_timeout: float = 60.0) -> None:
        self._transport = transport
        self._timeout = timeout
        self._run_timeout = run_timeout
        self._hello: Hello | None = None
        self._buffer: int | None = None

    def hello(self) -> Hello:
        """Who is there. Raises ProtocolError when nobody answers or the answer makes no sense."""
        self._hello = parse_hello(self._ask(messages.Hello()))
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

    def echo(self, text: str) -> str:
        """What the device sends back for `text`."""
        return self._ask(EchoWrite(d=text)).r

    def reset(self) -> None:
        """Restart the device. Returns when it has agreed; it takes a moment to be back."""
        self._ask(ResetWrite(), repeat=False)
        self._hello = self._buffer = None

    def counters(self) -> Counters:
        """What the device has counted since it started."""
        found = self._ask(messages.Counters())
        return Counters(found.packets, found.dropped, found.refused, found.invocations)

    def write(self, offset: int, data: bytes) -> None:
        """Store `data` in the arena from byte `offset` on."""
        self._send(offset, data, lambda off, part: self._ask(messages.ArenaWrite(off=off, data=part)).off)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes of the arena from byte `offset` on."""
        return self._fetch(offset, size, lambda off, count: self._ask(messages.ArenaRead(off=off, len=count)))

    def invoke(self) -> int:
        """Run all layers. Returns CPU cycles, 0 where the core has no counter."""
        return self._ask(messages.Invoke(), self._run_timeout, repeat=False).cycles

    def run_layer(self, layer: int) -> int:
        """Run one layer. Returns CPU cycles, 0 where the core has no counter."""
        return self.profile(layer, 1)[0]

    def profile(self, first: int, count: int) -> list[int]:
        """Run `count` layers from layer `first` on, in order. Returns the CPU cycles of each.

        Layers 0, 1, ... to the last are together the same as `invoke`.
        """
        cycles: list[int] = []
        for at in range(first, first + count, limits.LARGEST_PROFILE):
            wanted = min(limits.LARGEST_PROFILE, first + count - at)
            request = messages.Profile(first=at, count=wanted)
            answer = self._ask(request, self._run_timeout, repeat=False)
            if (answer.first, len(answer.cycles)) != (at, wanted):
                raise ProtocolError(
                    f"the device ran {len(answer.cycles)} layers from layer {answer.first} on "
                    f"for {wanted} from layer {at} on"
                )
            cycles += answer.cycles
        return cycles

    def set_inputs(self, inputs: bytes) -> None:
        """Fill all model inputs, one after the other. Raises TinycError for a wrong number of bytes."""
        hello = self._hello or self.hello()
        if len(inputs) != hello.input_bytes:
            raise TinycError(f"the input has {len(inputs)} bytes", allowed=f"{hello.input_bytes} bytes")
        self._send(0, inputs, lambda off, part: self._ask(messages.Input(off=off, data=part)).off)

    def outputs(self) -> bytes:
        """All model outputs, one after the other."""
        hello = self._hello or self.hello()
        size = hello.output_bytes
        return self._fetch(0, size, lambda off, count: self._ask(messages.Output(off=off, len=count)))

    def run(self, inputs: bytes) -> bytes:
        """One inference: all inputs one after the other in, all outputs one after the other out."""
        self.set_inputs(inputs)
        self.invoke()
        return self.outputs()

    def audio_reset(self) -> None:
        """Forget all sound heard so far."""
        self._ask(messages.Audio(reset=True))

    def audio_push(self, samples: npt.NDArray[np.int16] | Iterable[int]) -> int:
        """Feed sound at the model's sample rate. Returns the frames finished since the reset.

        Without samples the device is only asked.
        """
        data = np.ascontiguousarray(samples, dtype="<i2")
        if not data.size:
            return self._ask(messages.Audio(), self._run_timeout).frames
        frames, most = 0, limits.largest_samples(self._buffer_bytes())
        for at in range(0, data.size, most):
            request = messages.Audio(data=data[at : at + most].tobytes())
            frames = self._ask(request, self._run_timeout, repeat=False).frames
        return frames

    def text(self, text: bytes) -> int:
        """Fill the model's input with the token ids of a text (UTF-8). Returns how many ids it has.

        Raises TinycError for a text that is longer than a message.
        """
        limits.check_text(text, self._buffer_bytes())
        return self._ask(messages.Text(text=text), self._run_timeout).ids

    def resync(self) -> None:
        """End a line that was begun, and throw away whatever the device still has to say."""
        self._transport.write(END)
        end = time.monotonic() + self._timeout
        while self._transport.read(limits.LARGEST_BUFFER, _QUIET_SECONDS) and time.monotonic() < end:
            pass

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _buffer_bytes(self) -> int:
        """The device's message buffer in bytes, asked for once."""
        if self._buffer is None:
            told = self._ask(MCUMgrParametersRead()).buf_size
            if told < limits.SMALLEST_BUFFER:
                raise ProtocolError(
                    f"the device's message buffer has {told} bytes",
                    allowed=f"at least {limits.SMALLEST_BUFFER} bytes",
                )
            self._buffer = min(told, limits.LARGEST_BUFFER)
        return self._buffer

    def _send(self, at: int, data: bytes, ask: Callable[[int, bytes], int]) -> None:
        """Send `data` to byte `at` on, in as many requests as it takes.

        `ask` sends one of them and returns the device's next byte.
        """
        most = limits.largest_data(self._buffer_bytes()) if data else 1
        for start in range(0, len(data), most):
            chunk = data[start : start + most]
            off, end = at + start, at + start + len(chunk)
            found = ask(off, chunk)
            if found != end:
                raise ProtocolError(f"the device goes on at byte {found} after bytes {off} to {end}")

    def _fetch(self, at: int, size: int, ask: Callable[[int, int], _Part]) -> bytes:
        """Read `size` bytes from byte `at` on, in as many requests as it takes; `ask` sends one."""
        parts = []
        most = limits.largest_data(self._buffer_bytes()) if size else 1
        for off in range(at, at + size, most):
            count = min(most, at + size - off)
            answer = ask(off, count)
            if (answer.off, len(answer.data)) != (off, count):
                raise ProtocolError(
                    f"the device sent {len(answer.data)} bytes from byte {answer.off} on "
                    f"for {count} from byte {off} on"
                )
            parts.append(answer.data)
        return b"".join(parts)

    def _ask(
        self, request: SMPRequest[_Answer, _V1, _V2], timeout: float | None = None, *, repeat: bool = True
    ) -> _Answer:
        """Send a request and return the answer's fields; `repeat` when doing it twice is harmless."""
        limit = self._timeout if timeout is None else timeout
        line = encode(request.BYTES)
        for attempt in range(_ATTEMPTS if repeat else 1):
            if attempt > 0:
                self.resync()
            # Byte by byte the same again: an answer that comes late serves the repetition.
            self._transport.write(line)
            answer = self._answer(request.BYTES, limit)
            if answer is not None:
                return answers.parse(request, answer)
        raise ProtocolError(
            f"no answer to {answers.name(request)} within {limit:g} s",
            hint="is the board powered, flashed by tinyc, and is this its port?",
        )

    def _answer(self, request: bytes, limit: float) -> bytes | None:
        """The next answer to `request`, or None when the time is over."""
        decoder = FrameDecoder()
        end = time.monotonic() + limit
        while (left := end - time.monotonic()) > 0:
            wait = min(left, _STALL_SECONDS) if decoder.in_packet else left
            for message in decoder.feed(self._transport.read(decoder.missing, wait)):
                if is_answer(request, message):
                    return message
        return None
