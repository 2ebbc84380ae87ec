"""What an attacker has, and how it acts: in floods, or in answer to what it hears.

An attacker has the radio that everybody has, hears the honest nodes, and may put any address into its
frames. It sends in the network's mode, but has no key, unless it is the insider. Frames of a flood keep to
CSMA-CA; a forged copy that has to win a race is sent without a backoff once the channel is clear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.simulation.channel import ACK_BYTES, TURNAROUND_US, Clock, airtime_us
from tinyc.sixlowpan.simulation.forgery import Fragment
from tinyc.sixlowpan.simulation.station import Job

# An attacker does not queue more than this: what cannot be sent is left out.
_QUEUE = 4
# Behind the acknowledgement of what was overheard.
_RACE_US = TURNAROUND_US + airtime_us(ACK_BYTES)


class Transmit(Protocol):
    """Puts a frame into the attacker's queue."""

    def __call__(self, source: Address, payload: bytes, dsn: int, race: bool) -> None: ...


@dataclass(slots=True)
class Radio:
    """What an attacker has. `size`: of the honest datagrams; `key`: of the insider."""

    clock: Clock
    random: Random
    mode: Mode
    own: Address
    victims: tuple[Address, ...]
    size: int
    key: bytes
    transmit: Transmit
    waiting: Callable[[], int]

    def send(
        self,
        source: Address,
        payload: bytes,
        dsn: int | None = None,
        race: bool = False,
        burst: bool = False,
    ) -> None:
        """A frame; with a random sequence number where none is given. `burst`: one of many at once."""
        if race or burst or self.waiting() < _QUEUE:
            number = self.random.randrange(256) if dsn is None else dsn & 0xFF
            self.transmit(source, payload, number, race)

    def victim(self) -> Address:
        """One of the honest nodes."""
        return self.random.choice(self.victims)

    def anybody(self) -> Address:
        """An address that nobody has."""
        return Address(b"\x02" + self.random.randbytes(7))

    def tag(self) -> int:
        """Any."""
        return self.random.randrange(1 << 16)


class Attack:
    """A flood if it has a rate: `strike` is called that often in a second, a little unevenly."""

    def __init__(self, radio: Radio, rate: float = 0.0) -> None:
        self.radio = radio
        self.rate = rate

    def start(self) -> None:
        """From now on."""
        if self.rate:
            self._again()

    def _again(self) -> None:
        pause = self.radio.random.uniform(0.5, 1.5) / self.rate
        self.radio.clock.after(round(pause * 1_000_000), self._struck)

    def _struck(self) -> None:
        self.strike()
        self._again()

    def strike(self) -> None:
        """One step of a flood."""

    def overhear(self, job: Job, fragment: Fragment) -> None:
        """An honest node's frame was on the air; `fragment` is what it carried."""

    def race(self, job: Job, payload: bytes) -> None:
        """In the victim's name, before its next frame."""
        radio = self.radio
        radio.clock.after(_RACE_US, lambda: radio.send(job.source, payload, job.dsn + 1, race=True))


class OncePerDatagram(Attack):
    """Does something at each new datagram of an honest node."""

    def __init__(self, radio: Radio, rate: float = 0.0) -> None:
        super().__init__(radio, rate)
        self._tags: dict[Address, int] = {}

    def overhear(self, job: Job, fragment: Fragment) -> None:
        """Tells repeats of a first fragment from new ones."""
        if fragment.offset is None and self._tags.get(job.source) != fragment.tag:
            self._tags[job.source] = fragment.tag
            self.begins(job, fragment)

    def begins(self, job: Job, fragment: Fragment) -> None:
        """The first fragment of a datagram."""
