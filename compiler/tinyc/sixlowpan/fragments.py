"""Fragments: the header of RFC 4944, 5.3, and what can become of them."""

from __future__ import annotations

from enum import IntEnum

SIZE_MIN, SIZE_MAX = 40, 1280
CHAINED = 0xFF  # in front of a fragment with a chain: RFC 8025, page 15
FIRST, LATER = 0xC0, 0xE0  # the upper five bits
HEADER_FIRST, HEADER_LATER = 4, 5


class Mode(IntEnum):
    """How a peer's fragments are bound together: `enum lpc_mode`."""

    LEGACY = 0
    CONTENT = 1
    KEYED = 2


class Verdict(IntEnum):
    """What became of a frame: `enum lpc_verdict`, and what happens beside it: `enum lpc_event`."""

    TAKEN = 0
    DELIVERED = 1
    DUPLICATE = 2
    DONE_DUPLICATE = 3
    ORPHAN = 4
    AHEAD = 5
    BAD_LENGTH = 6
    BAD_SIZE = 7
    BAD_DISPATCH = 8
    BAD_IPHC = 9
    OVERLAP = 10
    CONFLICT = 11
    OVERRUN = 12
    MISALIGNED = 13
    TAG_FIRST = 14
    TAG_LATER = 15
    REPLAY = 16
    DOWNGRADE = 17
    BLOCKED = 18
    NO_SLOT = 19
    NO_ADDRESS = 20
    WHOLE = 21
    BAD_SUM = 22
    EVICTED = 23
    TIMEOUT_GAP = 24
    TIMEOUT_TOTAL = 25
    RX_FIRST = 26
    RX_LATER = 27


def header(size: int, tag: int, offset: int | None = None) -> bytes:
    """The header of a fragment, the first one's without an offset; offset in units of 8 bytes."""
    start = (FIRST if offset is None else LATER) << 8 | size
    return start.to_bytes(2, "big") + tag.to_bytes(2, "big") + (b"" if offset is None else bytes([offset]))
