"""The further tables of the 6LoWPAN benchmark: losses, many senders, sizes, rates of attack, airtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sixlowpan_runs import NONE, OURS, Case
from tinyc.sixlowpan import sender
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.simulation.channel import (
    ACK_BYTES,
    FCS_BYTES,
    LONG_SPACING_US,
    TURNAROUND_US,
    airtime_us,
)
from tinyc.sixlowpan.simulation.summary import Row
from tinyc.sixlowpan.simulation.traffic import (
    ROOM,
    SINK,
    key_of,
    outgoing,
    sender_address,
    udp_datagram,
)

MAC_HEADER = 127 - FCS_BYTES - ROOM
LOSSES = (0.05, 0.10, 0.15, 0.20, 0.30)
SENDERS = (8, 16, 32)
SIZES = (128, 1280)
SIZE_ATTACKS = (NONE, "early_first_50", "duplicate_half")
# First fragments a second, and how they are made: the attacks of one attacker, or several of it.
RATES = {1: "_1", 10: "_10", 50: "_50", 100: "_50*2", 200: "_50*4"}
RATE_ATTACK = "early_first"
HALF = 0.5

Table = dict[str, dict[str, Row]]


@dataclass(frozen=True, slots=True)
class Further:
    """Tables by name: mode → column → row."""

    loss: Table
    senders: Table
    sizes: Table
    rates: Table


def _cells(modes: Sequence[str], seconds: float) -> Iterator[tuple[str, str, str, Case]]:
    """Table, mode, column, case."""
    for mode in modes:
        if mode in OURS:
            for loss in LOSSES:
                yield "loss", mode, f"{loss:.0%}", Case(mode, seconds=seconds, loss=loss)
        for count in SENDERS:
            # As many datagrams as four senders would send, or the largest network would take all the time.
            yield (
                "senders",
                mode,
                str(count),
                Case(mode, seconds=max(15.0, seconds * 4 / count), senders=count),
            )
        for size in SIZES:
            for attack in SIZE_ATTACKS:
                yield "sizes", mode, f"{size} {attack}", Case(mode, attack, seconds=seconds / 2, size=size)
        for rate, how in RATES.items():
            yield "rates", mode, str(rate), Case(mode, f"{RATE_ATTACK}{how}", seconds=seconds / 2)


def cases(modes: Sequence[str], seconds: float) -> list[Case]:
    """All that these tables need."""
    return [case for _, _, _, case in _cells(modes, seconds)]


def further(modes: Sequence[str], seconds: float, rows: Mapping[Case, Row]) -> Further:
    """The tables."""
    tables: dict[str, Table] = {"loss": {}, "senders": {}, "sizes": {}, "rates": {}}
    for table, mode, column, case in _cells(modes, seconds):
        tables[table].setdefault(mode, {})[column] = rows[case]
    return Further(**tables)


def breaking_rate(rates: Mapping[str, Row]) -> int | None:
    """First fragments a second that push delivery under a half, None if none of those tried does."""
    return next((int(rate) for rate, it in rates.items() if it["delivery"] < HALF), None)


@dataclass(frozen=True, slots=True)
class Airtime:
    """What a datagram costs on the air. fragments: frames; octets: of the MAC frames with check sums;
    frames_us: how long they are on the air; exchange_us: with turnaround, acknowledgement and spacing."""

    fragments: int
    octets: int
    frames_us: int
    exchange_us: int


def airtime(mode: Mode, size: int) -> Airtime:
    """Of a UDP datagram of `size` bytes between extended addresses, headers compressed."""
    source = sender_address(0)
    datagram = udp_datagram(source, SINK, bytes(size - 48))
    key = key_of(1, source) if mode is Mode.KEYED else b""
    made = sender.fragments(outgoing(source, datagram, 1, mode, 0, key), ROOM)
    octets = [MAC_HEADER + len(it) + FCS_BYTES for it in made]
    frames = sum(airtime_us(it) for it in octets)
    each = TURNAROUND_US + airtime_us(ACK_BYTES) + LONG_SPACING_US
    return Airtime(len(made), sum(octets), frames, frames + each * len(made))
