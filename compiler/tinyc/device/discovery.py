"""Which serial ports this machine has, and which of them lead to a device."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from tinyc.device.client import DeviceClient
from tinyc.device.hello import Hello
from tinyc.device.learned import Learned
from tinyc.device.ledger import Counters
from tinyc.device.transport import SerialTransport
from tinyc.errors import TinycError

# An answer takes milliseconds; a port that leads nowhere is asked three times.
_SECONDS = 0.5
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port. `usb` is `vendor:product`, hexadecimal, and `serial` the number of one behind USB."""

    name: str
    description: str = ""
    usb: str | None = None
    serial: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What was found behind a port: a device, or why there is none. `counters` where they were asked for."""

    port: Port
    hello: Hello | None
    problem: str | None
    counters: Counters | None = None
    learned: Learned | None = None
    """What it has learned, where that was asked for and it learns."""
    head: bytes = b""
    """The bytes of its active head, where that has been learned."""


def attached() -> tuple[Port, ...]:
    """Every serial port of this machine, by name."""
    from serial.tools import list_ports

    found = []
    for port in list_ports.comports():
        usb = None if port.vid is None else f"{port.vid:04x}:{port.pid:04x}"
        description = "" if port.description in (None, "n/a") else str(port.description)
        found.append(Port(str(port.device), description, usb, getattr(port, "serial_number", None)))
    return tuple(sorted(found, key=lambda port: port.name))


def ask(port: Port, seconds: float = _SECONDS, *, counters: bool = False) -> Found:
    """Ask who is behind a port, and with `counters` what it has counted and learned.

    Nothing else is sent to it.
    """
    try:
        with SerialTransport(port.name) as line:
            client = DeviceClient(line, timeout=seconds)
            hello = client.hello()
            if not counters:
                return Found(port, hello, None)
            learned, head = _learned(client, hello)
            return Found(port, hello, None, client.counters(), learned, head)
    except TinycError as error:
        return Found(port, None, error.what)


def _learned(client: DeviceClient, hello: Hello) -> tuple[Learned | None, bytes]:
    """What a device has learned, and the head that it has of it; nothing where it tells no sense of that."""
    if not hello.learns:
        return None, b""
    try:
        learned = client.learner.learned()
        return learned, client.learner.head(learned.shape.bytes) if learned.kept.sequence else b""
    except TinycError:  # it is there all the same
        return None, b""


def ask_all(ports: Sequence[Port], *, counters: bool = False) -> tuple[Found, ...]:
    """Ask at several ports at once; the answers in the order of the ports."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(partial(ask, counters=counters), ports))
