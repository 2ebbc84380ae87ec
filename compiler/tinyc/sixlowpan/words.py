"""What the counters of the receive path mean, for people: a line for each."""

from __future__ import annotations

from collections.abc import Mapping

from tinyc.sixlowpan.fragments import Verdict

# By name, so that a verdict that is new here has no line rather than a wrong one; a test wants them all.
_WORDS: Mapping[str, str] = {
    "TAKEN": "kept: the datagram is not complete yet",
    "DELIVERED": "completed a datagram that was delivered",
    "DUPLICATE": "the same fragment again, as retries are",
    "DONE_DUPLICATE": "of a datagram that is finished",
    "ORPHAN": "no first fragment before it",
    "AHEAD": "out of order in a chain",
    "BAD_LENGTH": "too short or too long for what it says it is",
    "BAD_SIZE": "a datagram of such a size cannot be",
    "BAD_DISPATCH": "not 6LoWPAN, or a part of it that is not used",
    "BAD_IPHC": "compressed headers that cannot be read",
    "BAD_SUM": "complete, but the UDP checksum is wrong",
    "OVERLAP": "lies partly over another fragment",
    "CONFLICT": "the same place with other bytes",
    "OVERRUN": "goes on behind the end of its datagram",
    "MISALIGNED": "not the last, and no multiple of 8 bytes",
    "TAG_FIRST": "first fragment whose chain tag is wrong: forged, or another key",
    "TAG_LATER": "later fragment that does not continue the chain: forged",
    "REPLAY": "a chain whose counter was used before",
    "DOWNGRADE": "a weaker mode than this peer must use",
    "BLOCKED": "of a neighbour that is blocked",
    "NO_SLOT": "no memory for it",
    "NO_ADDRESS": "without a source or destination address",
    "WHOLE": "a datagram in one frame",
    "EVICTED": "datagrams given up for others",
    "TIMEOUT_GAP": "datagrams given up: no fragment came for too long",
    "TIMEOUT_TOTAL": "datagrams given up: they took too long",
    "RX_FIRST": "first fragments that came, whatever became of them",
    "RX_LATER": "later fragments that came, whatever became of them",
}


def meaning(verdict: Verdict) -> str:
    """What is counted."""
    return _WORDS.get(verdict.name, "")
