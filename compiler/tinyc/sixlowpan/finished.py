"""Datagrams that were delivered not long ago: the twin of `lpc_done.c`."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyc.sixlowpan.datagrams import Key
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address

_WRAP = 2**32


def _mixed(value: int, word: int) -> int:
    value = (value ^ word) * 0x9E3779B1 % _WRAP
    return value ^ value >> 15


def _with(value: int, address: Address) -> int:
    data = address.packed()
    for word in (data[:4], data[4:8], data[8:]):
        value = _mixed(value, int.from_bytes(word, "little"))
    return value


@dataclass(frozen=True, slots=True)
class _Mark:
    """What is kept of a key."""

    hash: int
    source: int
    mode: Mode

    @classmethod
    def of(cls, key: Key) -> _Mark:
        source = _with(0, key.source)
        value = _mixed(_with(source, key.destination), key.size << 16 | key.tag)
        return cls(value, source % 2**16, key.mode)


@dataclass(slots=True)
class Finished:
    """The ring: `room` of them, each for `milliseconds`."""

    room: int
    milliseconds: int
    _ring: list[tuple[int, _Mark] | None] = field(init=False)
    _next: int = 0

    def __post_init__(self) -> None:
        self._ring = [None] * self.room

    def expire(self, now: int) -> None:
        """Forgets those that are old."""
        self._ring = [it if it and (now - it[0]) % _WRAP < self.milliseconds else None for it in self._ring]

    def forget(self, source: Address) -> None:
        """Those of this source."""
        value = _with(0, source) % 2**16
        self._ring = [None if it and it[1].source == value else it for it in self._ring]

    def __contains__(self, key: Key) -> bool:
        mark = _Mark.of(key)
        return any(it and it[1] == mark for it in self._ring)

    def add(self, now: int, key: Key) -> None:
        """It was delivered."""
        self._ring[self._next] = (now, _Mark.of(key))
        self._next = (self._next + 1) % self.room
