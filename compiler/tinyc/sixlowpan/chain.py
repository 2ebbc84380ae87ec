"""The two chains over the fragments of a datagram: the twin of `lpc_chain.c` and `siphash.c`."""

from __future__ import annotations

import hashlib
from enum import IntEnum

from tinyc.sixlowpan.fragments import Mode, header
from tinyc.sixlowpan.frames import Address

_MASK = 2**64 - 1
HASH = 8
# By mode: bytes behind a first fragment, one in the middle, and the last or a lone one.
FIRST_TRAILER = {Mode.LEGACY: 0, Mode.CONTENT: 8, Mode.KEYED: 4}
MIDDLE_TRAILER = {Mode.LEGACY: 0, Mode.CONTENT: 8, Mode.KEYED: 2}
LAST_TRAILER = {Mode.LEGACY: 0, Mode.CONTENT: 0, Mode.KEYED: 8}


class Link(IntEnum):
    """Which place in the chain a fragment has."""

    FIRST = 1
    MIDDLE = 2
    LAST = 3
    ONLY = 4


def _rotated(x: int, by: int) -> int:
    return (x << by | x >> (64 - by)) & _MASK


def siphash(key: bytes, data: bytes) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012) of `data` with a key of 16 bytes."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v0, v1 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    v2, v3 = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    words = [int.from_bytes(padded[i : i + 8], "little") for i in range(0, len(padded), 8)]
    for word, rounds in [*((word, 2) for word in words), (None, 4)]:
        if word is None:
            v2 ^= 0xFF
        else:
            v3 ^= word
        for _ in range(rounds):
            v0 = (v0 + v1) & _MASK
            v1 = _rotated(v1, 13) ^ v0
            v0 = _rotated(v0, 32)
            v2 = (v2 + v3) & _MASK
            v3 = _rotated(v3, 16) ^ v2
            v0 = (v0 + v3) & _MASK
            v3 = _rotated(v3, 21) ^ v0
            v2 = (v2 + v1) & _MASK
            v1 = _rotated(v1, 17) ^ v2
            v2 = _rotated(v2, 32)
        if word is not None:
            v0 ^= word
    return v0 ^ v1 ^ v2 ^ v3


def first(
    key: bytes, source: Address, destination: Address, counter: int, link: Link, fragment: bytes
) -> bytes:
    """The chain's 8 bytes behind the first fragment: RFC 4944 header and content, without the tag."""
    start = bytes([link]) + destination.packed()[:8] + source.packed()[:8]
    start += bytes([destination.kind, source.kind]) + counter.to_bytes(4, "little")
    return siphash(key, start + fragment).to_bytes(8, "little")


def later(key: bytes, before: bytes, link: Link, fragment: bytes) -> bytes:
    """The chain's 8 bytes behind a later fragment."""
    return siphash(key, bytes([link]) + before + fragment).to_bytes(8, "little")


def _content(kind: int, data: bytes) -> bytes:
    return hashlib.blake2s(data, digest_size=HASH, person=bytes([kind])).digest()


def content_hash(
    size: int, tag: int, offset: int, payload: bytes, following: bytes = b"", first: bytes = b""
) -> bytes:
    """The hash that the fragment before this one carries; offset in units of 8, `following` is the next.

    `first` is the content of the fragment before, if that is the first one.
    """
    of_first = _content(0x04, header(size, tag) + first) if first else b""
    kind = 0x10 | (not following) | bool(first) << 1
    return _content(kind, header(size, tag, offset) + payload + following + of_first)
