"""Attacks on the memory of a sink, from the plainest to one that imitates all but the place it sends from.

Each gives the moments and frames of an attacker that hears what the sink hears.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tinyc.sixlowpan.fragments import FIRST
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.ranking.honest import Radio, Sender, fragments
from tinyc.sixlowpan.simulation.reassembly import Frame
from tinyc.sixlowpan.simulation.settings import Heard
from tinyc.sixlowpan.simulation.traffic import SINK

Sent: TypeAlias = Iterator[tuple[int, Frame]]


@dataclass(slots=True)
class Air:
    """What an attacker works with. `rate`: first fragments per second; `start` and `end` in microseconds."""

    rng: np.random.Generator
    radio: Radio
    senders: list[Sender]
    heard: list[Heard]
    rate: float
    start: int
    end: int
    firsts: dict[Address, list[Heard]] = field(init=False)
    frames: dict[Address, list[Heard]] = field(init=False)

    def __post_init__(self) -> None:
        self.frames = {one.address: [] for one in self.senders}
        for it in self.heard:
            self.frames[it.frame.source].append(it)
        self.firsts = {
            address: [it for it in frames if it.frame.payload[0] & 0xF8 == FIRST]
            for address, frames in self.frames.items()
        }

    def moments(self) -> Iterator[int]:
        """When it sends."""
        now = float(self.start)
        while (now := now + self.rng.exponential(1e6 / self.rate)) < self.end:
            yield int(now)

    def victim(self) -> Address:
        """One of the honest."""
        return self.senders[int(self.rng.integers(len(self.senders)))].address

    def last_first(self, victim: Address, now: int) -> Frame | None:
        """The victim's last first fragment."""
        return _before(self.firsts[victim], now)

    def last(self, victim: Address, now: int) -> Frame | None:
        """Its last frame."""
        return _before(self.frames[victim], now)

    def first(self, source: Address, size: int, tag: int, dsn: int, level: int | None = None) -> Frame:
        """A first fragment of random content."""
        payload = fragments(source, size, tag % 2**16, self.rng.bytes(24))[0]
        return Frame(source, SINK, self.radio.level() if level is None else level, dsn % 2**8, payload)

    def number(self) -> int:
        """A tag or a sequence number."""
        return int(self.rng.integers(2**16))

    def size(self) -> int:
        """Of a datagram: often the largest."""
        return 1280 if self.rng.random() < 0.5 else int(self.rng.integers(130, 1281))


def _before(frames: list[Heard], now: int) -> Frame | None:
    at = bisect_left(frames, now, key=lambda it: it.time_us)
    return frames[at - 1].frame if at else None


def _size_of(frame: Frame) -> int:
    return (frame.payload[0] & 7) << 8 | frame.payload[1]


def _tag_of(frame: Frame) -> int:
    return int.from_bytes(frame.payload[2:4], "big")


def own(air: Air) -> Sent:
    """First fragments with an address of its own."""
    address, dsn = Address.extended(0xE000), air.number()
    for step, now in enumerate(air.moments()):
        yield now, air.first(address, air.size(), step, dsn + step)


def spoofed(air: Air) -> Sent:
    """Each with an address that nobody knows."""
    for now in air.moments():
        yield now, air.first(Address.extended(0xF0000 + air.number()), air.size(), air.number(), air.number())


def pool(air: Air) -> Sent:
    """With a few invented addresses in turn, each with tags that count up."""
    for step, now in enumerate(air.moments()):
        yield now, air.first(Address.extended(0xE100 + step % 6), air.size(), step // 6, step // 6)


def victim(air: Air) -> Sent:
    """With the addresses of honest nodes, all else by chance."""
    for now in air.moments():
        yield now, air.first(air.victim(), air.size(), air.number(), air.number())


def victim_sizes(air: Air) -> Sent:
    """The same with the victim's sizes."""
    for now in air.moments():
        address = air.victim()
        if seen := air.last_first(address, now):
            yield now, air.first(address, _size_of(seen), air.number(), air.number())


def mimic(air: Air) -> Sent:
    """The victim's address, sizes and the tag that comes next."""
    dsn = air.number()
    for step, now in enumerate(air.moments()):
        address = air.victim()
        if seen := air.last_first(address, now):
            yield now, air.first(address, _size_of(seen), _tag_of(seen) + 1, dsn + step)


def mimic_frames(air: Air) -> Sent:
    """The sequence number that comes next as well."""
    for now in air.moments():
        address = air.victim()
        seen, last = air.last_first(address, now), air.last(address, now)
        if seen and last:
            yield now, air.first(address, _size_of(seen), _tag_of(seen) + 1, last.dsn + 1)


def mimic_level(air: Air) -> Sent:
    """And a power that comes to the sink about as strong as the victim's."""
    for now in air.moments():
        address = air.victim()
        seen, last = air.last_first(address, now), air.last(address, now)
        if seen and last:
            level = int(np.clip(round(air.rng.normal(seen.rssi, 4)), -100, -20))
            yield now, air.first(address, _size_of(seen), _tag_of(seen) + 1, last.dsn + 1, level)


def reset(air: Air) -> Sent:
    """Right behind an honest first fragment the same tag with another size."""
    firsts = sorted((it for one in air.senders for it in air.firsts[one.address]), key=lambda it: it.time_us)
    for it in firsts:
        if it.time_us >= air.start and air.rng.random() < 0.7:
            frame = it.frame
            made = air.first(frame.source, 1280 - _size_of(frame) % 512, _tag_of(frame), frame.dsn + 1)
            yield it.time_us + 1_000, made


def replay_first(air: Air) -> Sent:
    """First fragments that were heard a while ago."""
    for now in air.moments():
        old = now - int(air.rng.uniform(2e6, 20e6))
        if seen := air.last_first(air.victim(), old):
            yield now, Frame(seen.source, SINK, air.radio.level(), seen.dsn, seen.payload)


def turncoat(air: Air) -> Sent:
    """An honest node that was taken over: its tags and sequence numbers go on, and nothing follows."""
    for now in air.moments():
        address = air.senders[0].address
        seen, last = air.last_first(address, now), air.last(address, now)
        if seen and last:
            step = int(now - air.start) // 50_000 + 1
            level = round(float(air.rng.normal(last.rssi, 2)))
            yield now, air.first(address, _size_of(seen), _tag_of(seen) + step, last.dsn + step, level)


Attack: TypeAlias = Callable[[Air], Sent]
ATTACKS: dict[str, Attack] = {
    it.__name__: it
    for it in (
        *(own, spoofed, pool, victim, victim_sizes, mimic, mimic_frames),
        *(mimic_level, reset, replay_first, turncoat),
    )
}
# Never in the training of the shipped model.
HELD_OUT = ("mimic_level", "replay_first", "turncoat")
