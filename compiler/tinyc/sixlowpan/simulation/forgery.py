"""Fragments as an attacker makes them: right in form, with tags and hashes that are guessed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from tinyc.sixlowpan import chain, sender
from tinyc.sixlowpan.first import Measured, measure
from tinyc.sixlowpan.fragments import CHAINED, FIRST, HEADER_FIRST, HEADER_LATER, Mode, header
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import Link
from tinyc.sixlowpan.simulation.traffic import ROOM, SINK, attacker_address, outgoing, udp_datagram

# Bytes of a first fragment's content: short ones cost the attacker less, and take the same slot.
_SHORT = 40


_LINK = Link(bytes(8), bytes(8))  # lengths do not depend on addresses


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a frame says: offset in units of 8, None in a first one; `body`: the rest, with its trailer."""

    size: int
    tag: int
    offset: int | None
    body: bytes


def read(payload: bytes) -> Fragment | None:
    """A fragment from a MAC payload, None if it is none."""
    inner = payload[1:] if payload[:1] == bytes([CHAINED]) else payload
    if len(inner) < HEADER_LATER or inner[0] & 0xD8 != FIRST:
        return None
    size, tag = (inner[0] & 7) << 8 | inner[1], int.from_bytes(inner[2:4], "big")
    if inner[0] & 0xF8 == FIRST:
        return Fragment(size, tag, None, inner[HEADER_FIRST:])
    return Fragment(size, tag, inner[4], inner[HEADER_LATER:])


def behind(mode: Mode, first: Fragment) -> int:
    """Where the fragment behind a first one begins, in units of 8; 0 if it is not right."""
    content = first.body[: len(first.body) - chain.FIRST_TRAILER[mode]]
    measured = measure(content, first.size, _LINK)
    return measured.covers(len(content)) // 8 if isinstance(measured, Measured) else 0


def step(mode: Mode, size: int, offset: int) -> int:
    """Bytes of the fragment that an honest sender sends from an offset (in units of 8) on."""
    left, room = size - 8 * offset, ROOM - HEADER_LATER - (mode is not Mode.LEGACY)
    if left <= room - chain.LAST_TRAILER[mode]:
        return left
    return min(room - chain.MIDDLE_TRAILER[mode], left - 1) // 8 * 8


@cache
def _head(size: int) -> tuple[bytes, int]:
    """The compressed headers of a datagram, and the length of a short first fragment's content.

    They are the same for all extended addresses: both identifiers are elided, the checksum is replaced.
    """
    source = attacker_address(0)
    whole = udp_datagram(source, SINK, bytes(size - 48))
    made = outgoing(source, whole, 0, Mode.LEGACY, 0, b"")
    fragment = sender.fragments(made, min(ROOM, HEADER_FIRST + _SHORT))[0]
    return made.header, len(fragment) - HEADER_FIRST


def content(random: Random, size: int) -> bytes:
    """A first fragment's content: headers that decompress, and anything behind them."""
    head, length = _head(size)
    # The last two bytes of the compressed headers are the UDP checksum.
    return head[:-2] + random.randbytes(length - len(head) + 2)


def _framed(random: Random, mode: Mode, fragment: bytes, trailer: int) -> bytes:
    return (b"" if mode is Mode.LEGACY else bytes([CHAINED])) + fragment + random.randbytes(trailer)


def first(random: Random, mode: Mode, size: int, tag: int) -> bytes:
    """A first fragment. A content chain is as right as any: nobody can tell before the next one."""
    fragment = header(size, tag) + content(random, size)
    return _framed(random, mode, fragment, chain.FIRST_TRAILER[mode])


def later(random: Random, mode: Mode, size: int, tag: int, offset: int, length: int) -> bytes:
    """A later fragment of so many random bytes; offset in units of 8."""
    last = 8 * offset + length == size
    trailer = (chain.LAST_TRAILER if last else chain.MIDDLE_TRAILER)[mode]
    return _framed(random, mode, header(size, tag, offset) + random.randbytes(length), trailer)


def authentic_first(random: Random, key: bytes, source: Address, size: int, counter: int) -> bytes:
    """A first fragment of a keyed chain from somebody who has the key."""
    fragment = header(size, counter & 0xFFFF) + content(random, size)
    value = chain.first(key, source, SINK, counter, chain.Link.FIRST, fragment)
    return bytes([CHAINED]) + fragment + value[: chain.FIRST_TRAILER[Mode.KEYED]]
