"""Fragments of one datagram in the three modes: the twin of `lpc_send.c`."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyc.sixlowpan import chain
from tinyc.sixlowpan.chain import Link
from tinyc.sixlowpan.fragments import CHAINED, HEADER_FIRST, HEADER_LATER, SIZE_MAX, SIZE_MIN, Mode, header
from tinyc.sixlowpan.frames import Address

_ROOM_MAX = 116


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A header in the form that it goes out in, for `covers` bytes of the datagram, and the rest."""

    source: Address
    destination: Address
    header: bytes
    covers: int
    rest: bytes
    tag: int
    mode: Mode = Mode.LEGACY
    epoch: int = 0
    key: bytes = field(default=b"", repr=False)

    @property
    def size(self) -> int:
        """Of the datagram."""
        return self.covers + len(self.rest)


def _cuts(outgoing: Outgoing, room: int) -> list[int] | None:
    """Bytes of the rest in each fragment, None if it cannot be sent."""
    room = min(room, _ROOM_MAX) - (outgoing.mode is not Mode.LEGACY)
    rest, covers = len(outgoing.rest), outgoing.covers
    middle, end = chain.MIDDLE_TRAILER[outgoing.mode], chain.LAST_TRAILER[outgoing.mode]
    if not SIZE_MIN <= outgoing.size <= SIZE_MAX:
        return None
    if len(outgoing.header) + rest <= max(0, room - HEADER_FIRST - end):
        return [rest]
    fits = max(0, room - HEADER_FIRST - chain.FIRST_TRAILER[outgoing.mode]) - len(outgoing.header)
    until = min(covers + fits, outgoing.size - 1) // 8 * 8  # some are left for the last one
    if fits < 0 or until < max(covers, 8) or room - HEADER_LATER - middle < 8:
        return None
    cuts = [until - covers]
    left = rest - cuts[0]
    while left:
        if left <= max(0, room - HEADER_LATER - end):
            cuts.append(left)
        else:
            fits = room - HEADER_LATER - middle
            cuts.append((fits if fits < left else left - 1) // 8 * 8)
        left -= cuts[-1]
    return cuts


def fragments(outgoing: Outgoing, room: int) -> list[bytes]:
    """MAC payloads of at most `room` bytes; none if it cannot be sent."""
    cuts = _cuts(outgoing, room)
    if cuts is None:
        return []
    made, at = [], 0
    for i, length in enumerate(cuts):
        part = outgoing.rest[at : at + length]
        if i == 0:
            made.append(header(outgoing.size, outgoing.tag) + outgoing.header + part)
        else:
            made.append(header(outgoing.size, outgoing.tag, (outgoing.covers + at) // 8) + part)
        at += length
    if outgoing.mode is Mode.LEGACY:
        return made
    trailers = _content(outgoing, made) if outgoing.mode is Mode.CONTENT else _keyed(outgoing, made)
    return [bytes([CHAINED]) + body + trailer for body, trailer in zip(made, trailers, strict=True)]


def _content(outgoing: Outgoing, made: list[bytes]) -> list[bytes]:
    trailers = [b""]
    for i in reversed(range(1, len(made))):
        place, payload = (outgoing.size, outgoing.tag, made[i][4]), made[i][HEADER_LATER:]
        first = made[0][HEADER_FIRST:] if i == 1 else b""
        trailers.append(chain.content_hash(*place, payload, trailers[-1], first))
    return trailers[::-1]


def _keyed(outgoing: Outgoing, made: list[bytes]) -> list[bytes]:
    counter, last = outgoing.epoch << 16 | outgoing.tag, len(made) - 1
    link = Link.FIRST if last else Link.ONLY
    value = chain.first(outgoing.key, outgoing.source, outgoing.destination, counter, link, made[0])
    trailers = [value[: chain.FIRST_TRAILER[Mode.KEYED]] if last else value]
    for i, body in enumerate(made[1:], 1):
        value = chain.later(outgoing.key, value, Link.LAST if i == last else Link.MIDDLE, body)
        trailers.append(value if i == last else value[: chain.MIDDLE_TRAILER[Mode.KEYED]])
    return trailers
