"""The air that several emulated boards share: IEEE 802.15.4 frames at 250 kbit/s.

Time on the air is in core cycles. A frame is 4 bytes of preamble, one delimiter, one length, and the
PSDU, its check sum included; each byte takes 32 us. Boards run in turns. None gets further ahead of
another than `LOOKAHEAD`, and nothing on the air is seen sooner than that after it began, so that
the order of the turns decides nothing: every run is deterministic.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tinyc.emulator.ended import Ended
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.emulator.machine import Machine

CLOCK_HZ = 64_000_000
MICROSECOND = CLOCK_HZ // 1_000_000
BYTE = 32 * MICROSECOND
LOOKAHEAD = BYTE
HEADER_BYTES = 6  # preamble, delimiter, length
SYNCHRONIZED = 2 * BYTE  # a receiver must listen before that much of the preamble is over
SENSITIVITY = -100  # dBm
CAPTURE = 4  # dB by which a frame must be stronger than what disturbs it
_KEPT = 20_000 * MICROSECOND  # longer than any frame


@dataclass(slots=True, eq=False)
class Transmission:
    """A frame on the air: `psdu` with its check sum, `end` sooner when the sender broke off."""

    sender: str
    start: int
    channel: int
    psdu: bytes
    power: int
    end: int = 0
    cut: bool = False

    def __post_init__(self) -> None:
        self.end = self.start + (HEADER_BYTES + len(self.psdu)) * BYTE


class Receiver(Protocol):
    """A radio, as the air sees it. Times are of its own machine."""

    def hear(self, transmission: Transmission, start: int, rssi: int) -> None:
        """A frame that began at `start` has sent enough of its preamble."""


@dataclass(slots=True, eq=False)
class Antenna:
    """What connects a machine's radio to an air. Without an air nothing is heard, and nobody hears."""

    radio: Receiver | None = None
    air: Air | None = None
    station: str = ""
    offset: int = 0  # the air's time less the machine's

    def send(self, time: int, channel: int, psdu: bytes, power: int) -> Transmission:
        """Begin a frame at `time` of the machine."""
        transmission = Transmission(self.station, time + self.offset, channel, psdu, power)
        if self.air is not None:
            self.air.carry(transmission)
        return transmission

    def level(self, time: int, channel: int) -> int | None:
        """Power in dBm at `time` of the machine, None for silence."""
        return None if self.air is None else self.air.level(self.station, time + self.offset, channel)

    def received(self, transmission: Transmission) -> bytes:
        """What arrived of a frame that is over."""
        return transmission.psdu if self.air is None else self.air.received(self.station, transmission)


@dataclass(slots=True)
class Air:
    """Boards and invisible stations on one air.

    `loss` is the share of frames that a receiver misses, `rssi` the power in dBm by (sender,
    receiver) and `default_rssi` that of other pairs, at a transmit power of 0 dBm. `frames` is all
    that was ever sent.
    """

    seed: int = 0
    loss: float = 0.0
    default_rssi: int = -60
    rssi: dict[tuple[str, str], int] = field(default_factory=dict)
    now: int = 0
    frames: list[Transmission] = field(default_factory=list)
    listeners: list[Callable[[Transmission], None]] = field(default_factory=list)
    _machines: dict[str, Machine] = field(default_factory=dict)
    _recent: list[Transmission] = field(default_factory=list)

    def join(self, name: str, machine: Machine) -> None:
        """Put a board on the air. Raises TinycError for a second one of that name or another clock."""
        if name in self._machines:
            raise TinycError(f"two boards on the air are called `{name}`")
        if machine.clock_hz != CLOCK_HZ:
            raise TinycError(f"a board on the air must run at {CLOCK_HZ} Hz")
        self._machines[name] = machine
        antenna = machine.antenna
        antenna.air, antenna.station, antenna.offset = self, name, self.now - machine.now

    def inject(self, sender: str, psdu: bytes, channel: int, *, at: int | None = None) -> Transmission:
        """A frame of a station that is no board; `psdu` with its check sum. `at` is not in the past."""
        start = self.now if at is None else max(at, self.now)
        transmission = Transmission(sender, start, channel, psdu, 0)
        self.carry(transmission)
        return transmission

    def strength(self, transmission: Transmission, receiver: str) -> int:
        """Power in dBm of a frame where `receiver` is."""
        path = self.rssi.get((transmission.sender, receiver), self.default_rssi)
        return path + transmission.power

    def carry(self, transmission: Transmission) -> None:
        """Take a frame that begins: every other board may hear it."""
        self._recent = [other for other in self._recent if other.end > self.now - _KEPT]
        self._recent.append(transmission)
        number = len(self.frames)
        self.frames.append(transmission)
        for listener in self.listeners:
            listener(transmission)
        for name, machine in self._machines.items():
            strength = self.strength(transmission, name)
            if name == transmission.sender or strength < SENSITIVITY:
                continue
            if self.loss and random.Random(f"{self.seed} {number} {name}").random() < self.loss:
                continue
            self._announce(machine, transmission, strength)

    def _announce(self, machine: Machine, transmission: Transmission, strength: int) -> None:
        start = transmission.start - machine.antenna.offset

        def hear() -> None:
            if machine.antenna.radio is not None:
                machine.antenna.radio.hear(transmission, start, strength)

        machine.scheduler.at(start + SYNCHRONIZED, hear)

    def level(self, station: str, time: int, channel: int) -> int | None:
        """The strongest that is on a channel at a station, but for what just began."""
        levels = [
            self.strength(other, station)
            for other in self._recent
            if other.channel == channel
            and other.sender != station
            and other.start + LOOKAHEAD <= time < other.end
        ]
        return max((level for level in levels if level >= SENSITIVITY), default=None)

    def received(self, station: str, transmission: Transmission) -> bytes:
        """The PSDU as it arrives, damaged by a frame about as strong or a sender that broke off."""
        limit = self.strength(transmission, station) - CAPTURE
        disturbed = transmission.cut or any(
            other is not transmission
            and other.channel == transmission.channel
            and other.sender != station
            and other.start + LOOKAHEAD < transmission.end
            and transmission.start < other.end
            and self.strength(other, station) > limit
            for other in self._recent
        )
        if not disturbed or not transmission.psdu:
            return transmission.psdu
        return transmission.psdu[:-1] + bytes([transmission.psdu[-1] ^ 0x55])

    def run(self, microseconds: int) -> None:
        """Let time go by for all boards. Raises EmulatedFault."""
        end = self.now + microseconds * MICROSECOND
        for machine in self._machines.values():
            machine.run(0)  # somebody may have driven an interrupt line of one that sleeps
        while self.now < end:
            first = min((self._acts(machine) for machine in self._machines.values()), default=end)
            horizon = min(end, max(self.now, first) + LOOKAHEAD)
            for machine in self._machines.values():
                _advance(machine, horizon - machine.antenna.offset)
            self.now = horizon
            self._silence()
        for machine in self._machines.values():
            _wait(machine, end - machine.antenna.offset)

    def _silence(self) -> None:
        """Break off the frames of boards that have lost their power."""
        for transmission in self._recent:
            machine = self._machines.get(transmission.sender)
            if machine is not None and not machine.powered and transmission.end > self.now:
                transmission.cut, transmission.end = True, self.now

    def _acts(self, machine: Machine) -> int:
        """When a board can do something next. One that sleeps does nothing before its next event."""
        upcoming = machine.scheduler.next_time()
        times = [] if machine.asleep or not machine.powered else [machine.now]
        times += [] if upcoming is None or not machine.powered else [upcoming]
        return min(times, default=1 << 62) + machine.antenna.offset


def _advance(machine: Machine, until: int) -> None:
    while True:
        ended = machine.run(max(0, until - machine.now))
        if machine.now >= until or ended is not Ended.IDLE or machine.asleep:
            return


def _wait(machine: Machine, until: int) -> None:
    """Let the clock of a board that sleeps, with nothing to wake it, catch up."""
    if machine.powered and machine.now < until:
        machine.scheduler.at(until, lambda: None)
        _advance(machine, until)
