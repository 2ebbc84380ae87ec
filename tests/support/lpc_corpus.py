"""The corpus of attacks with its frames as a node sends them that uses a chain."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from support.lpc import IPV6, CorpusCase, CorpusFrame
from tinyc.sixlowpan import chain
from tinyc.sixlowpan.chain import Link
from tinyc.sixlowpan.fragments import CHAINED, FIRST, HEADER_FIRST, HEADER_LATER, Mode
from tinyc.sixlowpan.frames import Address

KEY = bytes(range(16))
# Datagrams delivered by mode, where it is not all that honest nodes sent: legacy, content, keyed.
DELIVERED = {
    "FRAGNs-reversed": (1, 0, 0),  # a chain needs its order
    "FRAG1-last": (0, 0, 0),
    "dup-FRAGN-forged-after": (0, 1, 1),
    "dup-FRAGN-forged-before": (0, 1, 1),
    "overlap-partial": (0, 1, 1),
    "overlap-contained-tiny": (0, 1, 1),
    "overlap-FRAG1-by-FRAGN-off0": (0, 1, 1),
    "FRAGN-beyond-size": (0, 1, 1),
    "FRAGN-off255": (0, 1, 1),
    "replay-whole-datagram": (1, 1, 1),
    "late-last-fragment-1s": (0, 0, 0),
    "interleave-8src": (6, 6, 6),  # of 40 fragments, 26 have room
}


def _place(payload: bytes) -> tuple[int, int, int, bytes] | None:
    """Size, tag, offset and bytes of the datagram that a fragment holds; None for what is none."""
    if len(payload) <= HEADER_LATER or payload[0] & 0xC0 != FIRST:
        return None
    size, tag = (payload[0] & 7) << 8 | payload[1], int.from_bytes(payload[2:4], "big")
    if payload[0] & 0xF8 == FIRST:
        uncompressed = payload[HEADER_FIRST : HEADER_FIRST + 1] == IPV6
        return (size, tag, 0, payload[HEADER_FIRST + 1 :]) if uncompressed else None
    return size, tag, payload[HEADER_FIRST] * 8, payload[HEADER_LATER:]


def honest(case: CorpusCase) -> dict[tuple[Address, int], list[CorpusFrame]]:
    """(Source, tag) → the fragments of a datagram that an honest node sent, in order, each once."""
    found: dict[tuple[Address, int], list[CorpusFrame]] = {}
    for datagram in case.datagrams:
        parts: dict[tuple[Address, int], dict[int, CorpusFrame]] = {}
        for frame in case.frames:
            place = _place(frame.payload)
            if place is None or place[0] != len(datagram):
                continue
            _, tag, offset, data = place
            if datagram[offset : offset + len(data)] == data:
                parts.setdefault((frame.source, tag), {}).setdefault(offset, frame)
        for sender, frames in parts.items():
            order = [frames[offset] for offset in sorted(frames)]
            if b"".join((_place(it.payload) or (0, 0, 0, b""))[3] for it in order) == datagram:
                found[sender] = order
    return found


def _trailers(mode: Mode, frames: Sequence[CorpusFrame]) -> list[bytes]:
    first, bodies = frames[0], [it.payload for it in frames]
    size, tag = (first.payload[0] & 7) << 8 | first.payload[1], int.from_bytes(first.payload[2:4], "big")
    if mode is Mode.CONTENT:
        made = [b""]
        for i in reversed(range(1, len(bodies))):
            payload, before = bodies[i][HEADER_LATER:], bodies[0][HEADER_FIRST:] if i == 1 else b""
            made.append(chain.content_hash(size, tag, bodies[i][4], payload, made[-1], before))
        return made[::-1]
    last = len(bodies) - 1
    link = Link.FIRST if last else Link.ONLY
    value = chain.first(KEY, first.source, first.destination, tag, link, bodies[0])
    made = [value[:4] if last else value]
    for i, body in enumerate(bodies[1:], 1):
        value = chain.later(KEY, value, Link.LAST if i == last else Link.MIDDLE, body)
        made.append(value if i == last else value[:2])
    return made


def chained(case: CorpusCase, mode: Mode) -> list[CorpusFrame]:
    """The same frames in that mode; the attacker's have the trailer of the true one there, or a guess."""
    true: dict[bytes, bytes] = {}
    at_place: dict[tuple[Address, int, int], bytes] = {}
    for (source, tag), frames in honest(case).items():
        for frame, trailer in zip(frames, _trailers(mode, frames), strict=True):
            true[source.packed() + frame.payload] = trailer
            place = _place(frame.payload)
            assert place is not None
            at_place[source, tag, place[2]] = trailer
    made = []
    for frame in case.frames:
        place = _place(frame.payload)
        guess = hashlib.sha256(frame.payload).digest()[: 8 if mode is Mode.CONTENT else 4]
        copied = at_place.get((frame.source, place[1], place[2]), guess) if place else guess
        trailer = true.get(frame.source.packed() + frame.payload, copied)
        body = bytes([CHAINED]) + frame.payload + trailer
        made.append(CorpusFrame(frame.at, frame.source, frame.destination, body))
    return made
