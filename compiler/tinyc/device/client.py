"""Talks to firmware that tinyc built, over any transport."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
from smpclient.generics import SMPRequest
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead

from tinyc.device import invocation, limits, messages, restart, text
from tinyc.device.errors import ProtocolError, Restarted
from tinyc.device.exchange import V1, V2, Answer, Exchange
from tinyc.device.hello import Hello, Identity, parse_hello, parse_identity
from tinyc.device.learning import Learner
from tinyc.device.ledger import Counters
from tinyc.device.transport import Transport
from tinyc.errors import Problem, TinycError


class Part(Protocol):
    """An answer that carries `data` from byte `off` on."""

    @property
    def off(self) -> int: ...
    @property
    def data(self) -> bytes: ...


class DeviceClient:
    """One device. Requests are answered in order; there is never more than one on the way.

    `timeout` is the longest wait for an answer in seconds, `run_timeout` the same for commands that
    compute. A request without an answer is sent again only when doing it twice is harmless, or when
    the device's counters tell that it did not arrive.

    The messages are those of `smp`; the client is our own, because that of smpclient needs an event
    loop, which notebooks have in use, and cannot repeat a request.
    """

    def __init__(self, transport: Transport, timeout: float = 2.0, run_timeout: float = 60.0) -> None:
        self._exchange = Exchange(transport, timeout)
        self._run_timeout = run_timeout
        self._hello: Hello | None = None
        self._buffer: int | None = None

    def hello(self) -> Hello:
        """Who is there. Raises ProtocolError when nobody answers or the answer makes no sense."""
        self._hello = parse_hello(self._ask(messages.Hello()))
        return self._hello

    def identify(self) -> Identity:
        """Who answers, be it the bootloader. Raises ProtocolError when nobody does."""
        return parse_identity(self._ask(messages.Identify()))

    def expect(self, digest: str, elf: Path | None = None) -> Hello:
        """`hello()`, and a TinycError when the device runs another model.

        `elf` is the file of the firmware, where an emulated chip runs that of a build folder.
        """
        found = self.hello()
        if not found.has_model:
            slots = [Problem(f"slot {slot}", str(why)) for slot, why in enumerate(found.refused)]
            raise TinycError("the device has no model that its firmware runs", problems=slots)
        if found.digest != digest and elf is not None:
            raise TinycError(
                f"the firmware is not of this build: it has the model `{found.model}`, "
                f"digest {found.digest[:16]}",
                where=str(elf),
                allowed=f"digest {digest[:16]}",
                hint="run `tinyc build` again",
            )
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
        """Restart the device, once. Returns when it has agreed; it takes a moment to be back.

        What is sent meanwhile may be lost: see `wait_back`.
        """
        self._hello = self._buffer = None
        restart.reset(self._exchange)

    def wait_back(self, timeout: float = 10.0) -> Hello:
        """Who is there after a restart, as soon as somebody is. Opens a port again that went away.

        Raises NoAnswer when nobody answers within `timeout` seconds.
        """
        self._buffer = None
        self._hello = restart.wait_back(self._exchange, timeout)
        return self._hello

    def counters(self) -> Counters:
        """What the device has counted since it started."""
        return self._exchange.counters()

    @contextmanager
    def unbroken(self) -> Iterator[None]:
        """Raises Restarted at the end when the device restarted meanwhile: its arena began anew."""
        self._exchange.take_stock(fresh=True)
        before = self._exchange.ledger.breaks
        yield
        self.counters()
        if self._exchange.ledger.breaks != before:
            raise Restarted("the device restarted meanwhile", hint="repeat what it was asked")

    def listen(self, seconds: float) -> None:
        """Take in the text that the device sends by itself."""
        self._exchange.listen(seconds)

    def log_lines(self) -> list[str]:
        """The lines that the device sent outside of answers since the last call: the newest 256.

        Bytes that are no text, and what would control a terminal, are replaced.
        """
        return [text.plain(line) for line in self._exchange.take_text()]

    def write(self, offset: int, data: bytes) -> None:
        """Store `data` in the arena from byte `offset` on."""
        self.send(offset, data, lambda off, part: self._ask(messages.ArenaWrite(off=off, data=part)).off)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes of the arena from byte `offset` on."""
        return self.fetch(offset, size, lambda off, count: self._ask(messages.ArenaRead(off=off, len=count)))

    def invoke(self) -> int:
        """Run all layers, exactly once.

        Returns CPU cycles, 0 where they are not known: the core has no counter, or the answer was lost.
        Raises ProtocolError when it did not run, or when that cannot be told.
        """
        return invocation.invoke(self._exchange, self._run_timeout)

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
        self.send(0, inputs, lambda off, part: self._ask(messages.Input(off=off, data=part)).off)

    def outputs(self) -> bytes:
        """All model outputs, one after the other."""
        hello = self._hello or self.hello()
        size = hello.output_bytes
        return self.fetch(0, size, lambda off, count: self._ask(messages.Output(off=off, len=count)))

    def kernels(self) -> frozenset[str]:
        """Digests of the kernels that a model in an image of its own may call."""
        size, most = messages.DIGEST_BYTES, limits.largest_data(self.buffer_bytes())
        step, found = most // size * size, b""
        while True:
            part = self._ask(messages.Kernels(off=len(found), len=step)).data
            found += part
            if len(part) < step:
                break
        if len(found) % size:
            raise ProtocolError("the device's list of kernels ends in the middle of a digest")
        return frozenset(found[at : at + size].hex() for at in range(0, len(found), size))

    def run(self, inputs: bytes) -> bytes:
        """One inference: all inputs one after the other in, all outputs one after the other out.

        Raises Restarted when the device restarted meanwhile.
        """
        with self.unbroken():
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
        frames, most = 0, limits.largest_samples(self.buffer_bytes())
        for at in range(0, data.size, most):
            request = messages.Audio(data=data[at : at + most].tobytes())
            frames = self._ask(request, self._run_timeout, repeat=False).frames
        return frames

    def text(self, text: bytes) -> int:
        """Fill the model's input with the token ids of a text (UTF-8). Returns how many ids it has.

        Raises TinycError for a text that is longer than a message.
        """
        limits.check_text(text, self.buffer_bytes())
        return self._ask(messages.Text(text=text), self._run_timeout).ids

    @property
    def learner(self) -> Learner:
        """What the device has learned, and how it is taught."""
        return Learner(self)

    def request(self, request: SMPRequest[Answer, V1, V2], timeout: float | None = None) -> Answer:
        """Send any request that may be done twice, and return the fields of the answer.

        Raises ProtocolError when the device refuses it or does not answer within `timeout` seconds.
        """
        return self._ask(request, timeout)

    def resync(self) -> None:
        """End a line that was begun, and throw away whatever the device still has to say."""
        self._exchange.drain()

    def close(self) -> None:
        self._exchange.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def buffer_bytes(self) -> int:
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

    def send(self, at: int, data: bytes, ask: Callable[[int, bytes], int]) -> None:
        """Send `data` to byte `at` on, in as many requests as it takes.

        `ask` sends one of them and returns the device's next byte.
        """
        most = limits.largest_data(self.buffer_bytes()) if data else 1
        for start in range(0, len(data), most):
            chunk = data[start : start + most]
            off, end = at + start, at + start + len(chunk)
            found = ask(off, chunk)
            if found != end:
                raise ProtocolError(f"the device goes on at byte {found} after bytes {off} to {end}")

    def fetch(self, at: int, size: int, ask: Callable[[int, int], Part]) -> bytes:
        """Read `size` bytes from byte `at` on, in as many requests as it takes; `ask` sends one."""
        parts = []
        most = limits.largest_data(self.buffer_bytes()) if size else 1
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
        self, request: SMPRequest[Answer, V1, V2], timeout: float | None = None, *, repeat: bool = True
    ) -> Answer:
        """Send a request and return the answer's fields; `repeat` when doing it twice is harmless."""
        return self._exchange.ask(request, timeout, repeat=repeat)
