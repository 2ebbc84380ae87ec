"""A station's MAC: unslotted CSMA-CA (IEEE 802.15.4-2006, 7.5.1.4), acknowledgements and repeats."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tinyc.sixlowpan import frames
from tinyc.sixlowpan.frames import Address, MacFrame, MacType
from tinyc.sixlowpan.simulation.channel import (
    ACK_WAIT_US,
    BACKOFF_US,
    CCA_US,
    FCS_BYTES,
    LONG_SPACING_US,
    SHORT_FRAME,
    SHORT_SPACING_US,
    TURNAROUND_US,
    Air,
    Transmission,
    airtime_us,
)

PAN = 0xABCD
MIN_BE, MAX_BE, MAX_BACKOFFS, MAX_REPEATS = 3, 5, 4, 3
# A node asks its MAC again when the channel was busy all the time, so often.
_ASKS = 8


@dataclass(frozen=True, slots=True)
class Job:
    """A frame to send. `lost`, `ack_lost`: the attempts (0..3) of which the channel loses the frame or its
    acknowledgement. `race`: goes out as soon as the channel is clear, without a backoff, as somebody sends
    who does not keep to the rules. `honest`: its number of datagram and of fragment, None for an attacker's.
    `done`: called with whether it was acknowledged, or sent if none was asked for."""

    source: Address
    destination: Address
    payload: bytes
    dsn: int
    ack: bool = True
    lost: frozenset[int] = frozenset()
    ack_lost: frozenset[int] = frozenset()
    race: bool = False
    honest: tuple[int, int] | None = None
    done: Callable[[bool], None] | None = None

    def mac(self) -> bytes:
        """The frame without its check sum."""
        head = MacFrame(
            MacType.DATA,
            ack_request=self.ack,
            sequence=self.dsn,
            destination_pan=PAN,
            source_pan=PAN,
            destination=self.destination,
            source=self.source,
        )
        return frames.header(head) + self.payload


@dataclass(slots=True)
class Spent:
    """How long a station's radio was on, in microseconds."""

    sending: int = 0
    listening: int = 0


# Called at the end of each attempt: the station, its job, the frame on the air, the attempt. Answers whether
# an acknowledgement of it came back.
Landed = Callable[["Station", Job, Transmission, int], bool]


@dataclass(slots=True)
class Station:
    """Sends one job after the other."""

    number: int
    air: Air
    random: Random
    landed: Landed
    spent: Spent = field(default_factory=Spent)
    frames: int = 0
    failures: int = 0
    attack: str = ""
    _jobs: deque[Job] = field(default_factory=deque)
    _busy: bool = False
    _attempt: int = 0
    _backoffs: int = 0
    _exponent: int = MIN_BE
    _asks: int = 0

    def send(self, job: Job) -> None:
        """Queues it; one that races goes first."""
        if job.race:
            self._jobs.appendleft(job)
        else:
            self._jobs.append(job)
        if not self._busy:
            self._start()

    @property
    def waiting(self) -> int:
        """Jobs that are not begun."""
        return len(self._jobs)

    def _start(self) -> None:
        if not self._jobs:
            self._busy = False
            return
        self._busy = True
        job = self._jobs.popleft()
        self._attempt = self._asks = 0
        self._contend(job)

    def _contend(self, job: Job) -> None:
        self._backoffs, self._exponent = 0, MIN_BE
        self._back_off(job)

    def _back_off(self, job: Job) -> None:
        units = 0 if job.race else self.random.randrange(1 << self._exponent)
        self.air.clock.after(units * BACKOFF_US + CCA_US, lambda: self._assess(job))

    def _assess(self, job: Job) -> None:
        self.spent.listening += CCA_US
        if not self.air.busy(self.number):
            self.air.clock.after(TURNAROUND_US, lambda: self._begin(job))
            return
        self._backoffs += 1
        self._exponent = min(MAX_BE, self._exponent + 1)
        if self._backoffs <= MAX_BACKOFFS:
            self._back_off(job)
            return
        self._asks += 1
        if self._asks < _ASKS:
            self._contend(job)
        else:
            self._finish(job, False)

    def _begin(self, job: Job) -> None:
        duration = airtime_us(len(job.mac()) + FCS_BYTES)
        self.frames += 1
        self.spent.sending += duration
        sent = self.air.begin(self.number, duration)
        self.air.clock.after(duration, lambda: self._end(job, sent))

    def _end(self, job: Job, sent: Transmission) -> None:
        """Nothing more is done for a frame that asks for no answer. What is answered comes by `acknowledged`,
        or the wait runs out."""
        answered = self.landed(self, job, sent, self._attempt)
        if not job.ack:
            self._finish(job, True)
        elif not answered:
            self.spent.listening += ACK_WAIT_US
            self.air.clock.after(ACK_WAIT_US, lambda: self._repeat(job))

    def acknowledged(self, job: Job, heard: bool, wait_us: int) -> None:
        """The end of an acknowledgement, `wait_us` behind the frame's end; `heard` here or not."""
        if heard:
            self.spent.listening += wait_us
            self._finish(job, True)
        else:
            self.spent.listening += ACK_WAIT_US
            self.air.clock.after(ACK_WAIT_US - wait_us, lambda: self._repeat(job))

    def _repeat(self, job: Job) -> None:
        self._attempt += 1
        if self._attempt > MAX_REPEATS:
            self._finish(job, False)
        else:
            self._contend(job)

    def _finish(self, job: Job, success: bool) -> None:
        self.failures += not success
        if job.done is not None:
            job.done(success)
        short = len(job.mac()) + FCS_BYTES <= SHORT_FRAME
        spacing = SHORT_SPACING_US if short else LONG_SPACING_US
        self.air.clock.after(spacing, self._start)
