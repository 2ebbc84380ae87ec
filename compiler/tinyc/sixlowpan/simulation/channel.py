"""The air: where stations are, how loud they hear one another, and which frames survive.

Timing is that of the 2.4 GHz O-QPSK PHY of IEEE 802.15.4: 250 kbit/s, 32 us for a byte, 16 us for a
symbol. Attenuation is log-distance: 40 dB at a metre, exponent 3; a frame's own deviation is normal with a
sigma of 2.5 dB. A frame is received if it is louder by `CAPTURE_DB` than each one that overlaps it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

BYTE_US, SYMBOL_US = 32, 16
_SYNCHRONISATION = 6  # bytes: preamble, start of frame, length
FCS_BYTES, ACK_BYTES = 2, 5
TURNAROUND_US = 12 * SYMBOL_US
CCA_US = 8 * SYMBOL_US
BACKOFF_US = 20 * SYMBOL_US
ACK_WAIT_US = 54 * SYMBOL_US
LONG_SPACING_US, SHORT_SPACING_US = 40 * SYMBOL_US, 12 * SYMBOL_US
SHORT_FRAME = 18  # bytes: up to here the short spacing is enough

SEND_DBM, AUDIBLE_DBM, CAPTURE_DB, SIGMA_DB = 0.0, -95.0, 4.0, 2.5
_AT_METRE_DB, _EXPONENT = 40.0, 3.0


def airtime_us(octets: int) -> int:
    """How long a frame is on the air; octets of the MAC frame with its check sum."""
    return (_SYNCHRONISATION + octets) * BYTE_US


def loudness_dbm(metres: float) -> float:
    """Mean signal strength over a distance."""
    return SEND_DBM - _AT_METRE_DB - 10 * _EXPONENT * math.log10(max(1.0, metres))


@dataclass(slots=True)
class Clock:
    """Events in the order of their time, in microseconds; those of one time in the order they were made."""

    now: int = 0
    _events: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def after(self, delay_us: int, what: Callable[[], None]) -> None:
        """Calls `what` that much later."""
        heapq.heappush(self._events, (self.now + delay_us, next(self._numbers), what))

    def run(self, until_us: int) -> None:
        """All events up to that time."""
        while self._events and self._events[0][0] <= until_us:
            self.now, _, what = heapq.heappop(self._events)
            what()
        self.now = until_us


@dataclass(frozen=True, slots=True)
class Transmission:
    """A frame on the air, from a station."""

    station: int
    start: int
    end: int


@dataclass(slots=True)
class Air:
    """Stations are numbered as their positions (metres) are."""

    clock: Clock
    random: Random
    positions: list[tuple[float, float]]
    _recent: list[Transmission] = field(default_factory=list)
    _loudness: dict[tuple[int, int], float] = field(default_factory=dict)

    def loudness(self, one: int, other: int) -> float:
        """Mean, in dBm, at one station of what the other sends."""
        pair = (one, other) if one < other else (other, one)
        if pair not in self._loudness:
            self._loudness[pair] = loudness_dbm(math.dist(self.positions[one], self.positions[other]))
        return self._loudness[pair]

    def rssi(self, at: int, source: int) -> int:
        """Of one frame, in dBm, as a receiver's register tells it."""
        return round(max(-100.0, self.loudness(at, source) + self.random.gauss(0.0, SIGMA_DB)))

    def busy(self, station: int) -> bool:
        """Clear channel assessment: whether it hears anybody. Those whom it does not are hidden from it."""
        now = self.clock.now
        return any(
            it.start <= now < it.end
            and it.station != station
            and self.loudness(station, it.station) >= AUDIBLE_DBM
            for it in self._recent
        )

    def begin(self, station: int, duration_us: int) -> Transmission:
        """A frame goes on the air now."""
        now = self.clock.now
        # What ended longer ago than the longest frame overlaps nothing that is still judged.
        horizon = now - airtime_us(127)
        self._recent = [it for it in self._recent if it.end > horizon]
        made = Transmission(station, now, now + duration_us)
        self._recent.append(made)
        return made

    def received(self, frame: Transmission, at: int) -> bool:
        """Whether the station had the whole frame, judged at its end."""
        mine = self.loudness(at, frame.station)
        if mine < AUDIBLE_DBM:
            return False
        return not any(
            it is not frame
            and it.start < frame.end
            and frame.start < it.end
            and (it.station == at or mine - self.loudness(at, it.station) < CAPTURE_DB)
            for it in self._recent
        )


def on_a_disc(random: Random, radius: float) -> tuple[float, float]:
    """A position, all alike likely."""
    distance, angle = radius * math.sqrt(random.random()), random.uniform(0.0, 2 * math.pi)
    return distance * math.cos(angle), distance * math.sin(angle)
