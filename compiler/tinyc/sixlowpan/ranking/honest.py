"""Honest senders as a sink hears them, of many habits: what must get memory.

Levels are simulated: a mean for each sender, normal noise for each frame, a slow drift and a rare step, as
when a door closes. Nobody moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.sixlowpan import sender
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import IPV6_BYTES
from tinyc.sixlowpan.simulation.reassembly import Frame
from tinyc.sixlowpan.simulation.settings import Heard
from tinyc.sixlowpan.simulation.traffic import ROOM, SINK, UDP_BYTES, outgoing, udp_datagram

_FRAME_US = 5_000


def fragments(source: Address, size: int, tag: int, filling: bytes) -> list[bytes]:
    """Of a UDP datagram of this size, without a chain."""
    room = size - IPV6_BYTES - UDP_BYTES
    datagram = udp_datagram(source, SINK, (filling * (room // len(filling) + 1))[:room])
    return sender.fragments(outgoing(source, datagram, tag, Mode.LEGACY, 0, b""), ROOM)


@dataclass(slots=True)
class Radio:
    """How a node's frames arrive: mean and noise in dBm and dB."""

    mean: float
    noise: float
    rng: np.random.Generator

    def level(self) -> int:
        """Of one frame, in whole dBm."""
        self.mean += self.rng.normal(0, 0.05)
        if self.rng.random() < 0.0005:
            self.mean += self.rng.normal(0, 6)
        return max(-100, min(-20, round(float(self.rng.normal(self.mean, self.noise)))))


@dataclass(slots=True)
class Sender:
    """An honest node. Times in microseconds; `loss`: of frames with all their repeats."""

    address: Address
    radio: Radio
    period: float
    regular: bool
    sizes: tuple[int, ...]
    others: int
    burst: int
    loss: float
    start: float
    rng: np.random.Generator
    tag: int = 0
    dsn: int = 0

    def _size(self) -> int:
        low, high = self.sizes[0], self.sizes[-1]
        if len(self.sizes) == 3:
            return int(self.rng.integers(low, high + 1))
        return int(self.rng.choice(self.sizes))

    def frames(self, until: float) -> list[Heard]:
        """All that is heard of it."""
        made: list[Heard] = []
        now = self.start
        while now < until:
            for _ in range(1 + int(self.rng.integers(self.burst + 1))):
                now = self._send(made, now)
            gap = self.rng.normal(1, 0.05) if self.regular else self.rng.exponential()
            now += max(20_000.0, self.period * float(gap))
        return made

    def _send(self, made: list[Heard], now: float) -> float:
        if self.rng.random() < 0.004:  # it starts anew
            self.tag, self.dsn = int(self.rng.integers(2**16)), int(self.rng.integers(2**8))
        self.dsn += int(self.rng.integers(self.others + 1))
        self.tag = (self.tag + 1) % 2**16
        for payload in fragments(self.address, self._size(), self.tag, self.rng.bytes(24)):
            self.dsn = (self.dsn + 1) % 2**8
            heard = self.rng.random() >= self.loss
            # An acknowledgement that is lost makes it send the frame again.
            for _ in range(heard * (1 + int(self.rng.random() < 0.03))):
                frame = Frame(self.address, SINK, self.radio.level(), self.dsn, payload)
                made.append(Heard(int(now), frame, ""))
                now += _FRAME_US
            now += _FRAME_US
        return now


def senders(rng: np.random.Generator, count: int) -> list[Sender]:
    """So many, each with habits of its own."""
    made = []
    for number in range(count):
        size, other = (int(np.exp(it)) for it in rng.uniform(np.log(130), np.log(1280), 2))
        sizes = ((size,), (size,), (size, other), tuple(sorted((size, (size + other) // 2, other))))
        made.append(
            Sender(
                address=Address.extended(0xA000 + number),
                radio=Radio(float(rng.uniform(-92, -45)), float(rng.uniform(1.5, 3.5)), rng),
                period=1e6 * float(np.exp(rng.uniform(np.log(0.3), np.log(10)))),
                regular=bool(rng.random() < 0.6),
                sizes=sizes[int(rng.integers(len(sizes)))],
                others=int(rng.choice([0, 0, 2, 5])),
                burst=int(rng.choice([0, 0, 0, 2])),
                loss=float(rng.choice([0.0, 0.01, 0.03, 0.08])),
                start=1e6 * float(rng.uniform(0, 3) if rng.random() < 0.7 else rng.uniform(0, 40)),
                rng=rng,
                tag=int(rng.integers(2**16)),
                dsn=int(rng.integers(2**8)),
            )
        )
    return made
