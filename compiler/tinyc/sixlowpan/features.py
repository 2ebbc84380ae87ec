"""What is known of a new datagram before it gets memory: the twin of `lpc_features.c`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from tinyc.sixlowpan.score import NEUTRAL, Neighbour

NAMES = (
    *("proven", "score", "tag step", "frame step", "level", "time since", "contexts open", "size"),
    *("size from mean", "rate", "unproven share", "failure streak"),
)
MOST = 127
SUSPECT = 128  # from this rank on
MARGIN = 96
_TICK_BITS, _BUCKET_BITS = 4, 9
_BUCKETS = 2 ** (32 - _BUCKET_BITS) - 1

Features: TypeAlias = tuple[int, ...]
Ranker: TypeAlias = Callable[[Features], int]


@dataclass(frozen=True, slots=True)
class Meta:
    """What the radio says of a frame: `struct lpc_meta`. `rssi` in dBm, `dsn` its sequence number."""

    rssi: int = 0
    dsn: int = 0


@dataclass(slots=True)
class Habit:
    """What a neighbour's complete datagrams looked like; `level` in half decibels below 0 dBm, `size` in
    sixteenths of a byte, `at` in 16 ms."""

    tag: int = 0
    size: int = 0
    at: int = 0
    level: int = 0
    dsn: int = 0


@dataclass(slots=True)
class Watch:
    """The habits of neighbours and the rate of new datagrams. It asks `ranker` for ranks."""

    ranker: Ranker
    frame: Meta = field(default_factory=Meta)
    _habits: dict[int, Habit] = field(default_factory=dict)
    _bucket: int = 0
    _all: tuple[int, int] = (0, 0)
    _unproven: tuple[int, int] = (0, 0)

    @property
    def level(self) -> int:
        """Of the radio now."""
        return max(0, min(255, -2 * self.frame.rssi))

    def _count(self, now: int, unproven: bool) -> None:
        bucket = now >> _BUCKET_BITS
        gone = (bucket - self._bucket) & _BUCKETS
        if gone:
            self._all = (0, self._all[0] if gone == 1 else 0)
            self._unproven = (0, self._unproven[0] if gone == 1 else 0)
            self._bucket = bucket
        self._all = (min(255, self._all[0] + 1), self._all[1])
        self._unproven = (min(255, self._unproven[0] + unproven), self._unproven[1])

    def features(
        self, now: int, size: int, tag: int, known: tuple[int, Neighbour] | None, open_share: int
    ) -> Features:
        """The twelve, each 0 to 127. `known`: the neighbour's place and entry; `open_share`: 127 when each
        context is in use."""
        place, who = known or (0, None)
        proven = who is not None and who.ok > 0
        self._count(now, not proven)
        tag_step = frame_step = off_level = off_size = 0
        since = MOST
        if who is not None and proven:
            it = self._habits[place]
            tags, frames = (tag - it.tag) % 2**16, (self.frame.dsn - it.dsn) % 2**8
            tag_step = MOST >> (tags - 1) if 1 <= tags <= 7 else 0
            frame_step = MOST + 8 - 8 * frames if 1 <= frames <= 16 else 0
            off_level = min(MOST, 4 * abs(self.level - it.level))
            if (now - who.seen) % 2**32 < 1 << (16 + _TICK_BITS):
                since = _logarithm(((now >> _TICK_BITS) - it.at) % 2**16)
            off_size = min(MOST, abs(size * 16 - it.size) >> 4)
        return (
            MOST if proven else 0,
            (who.score if who else NEUTRAL) >> 1,
            tag_step,
            frame_step,
            off_level,
            since,
            open_share,
            size * 25 >> 8,
            off_size,
            min(MOST, sum(self._all)),
            sum(self._unproven) * MOST // sum(self._all),
            min(MOST, 8 * who.streak) if who else 0,
        )

    def learn(self, now: int, size: int, tag: int, level: int, known: tuple[int, Neighbour] | None) -> None:
        """A datagram is complete, and its success is in the score; `level` is that of its first frame."""
        if known is None:
            return
        place, who = known
        if who.ok == 1:
            it = self._habits[place] = Habit(level=level, size=size * 16)
        else:
            it = self._habits[place]
            it.level += (level > it.level) - (level < it.level)
            by = size * 16 - it.size
            it.size += abs(by) // 8 if by > 0 else -(abs(by) // 8)
        it.tag, it.dsn, it.at = tag, self.frame.dsn, (now >> _TICK_BITS) % 2**16


def _logarithm(value: int) -> int:
    """Eight times the logarithm to base 2, linear between the powers: 0 to 127 for 16 bits."""
    if not value:
        return 0
    whole = value.bit_length() - 1
    return 8 * whole + (value * 8 >> whole) - 8
