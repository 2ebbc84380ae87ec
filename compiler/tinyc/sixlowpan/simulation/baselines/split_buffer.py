"""The split buffer (Hummen et al., "6LoWPAN fragmentation attacks and mitigation mechanisms", WiSec 2013).

A re-implementation from the description of the mechanism: the authors' code and their constants were not
at hand. Memory is cut into slots as large as a fragment, so that a datagram holds what it has sent, not
what it has announced. When no slot is free, the datagram with the worst score gives up its slots. The score
is the sum of two parts, each 0 to 1: completion, the share of the datagram that is here; continuity, how
steadily it is sent, which is the usual time between two fragments against the time since the last one.
Where the description leaves a choice, the one that serves the split buffer better is taken: only a first
fragment opens a datagram, slots are its only limit, and each fragment takes one, whatever its headers need
when they are decompressed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.sixlowpan.simulation.baselines.pieces import RECORD_BYTES, Partial, Piece, Table
from tinyc.sixlowpan.simulation.reassembly import Holding

SLOT_BYTES, SLOT_RECORD_BYTES = 112, 4
_USUAL_GAP_MS = 20  # a fragment with its acknowledgement and back-off takes 5 to 10; twice that


@dataclass(slots=True)
class SplitBuffer(Table):
    """`room` for that many fragments, a timeout, and the worst datagram out when it is taken."""

    def _take(self, now_ms: int, piece: Piece) -> None:
        it = self._open.get(piece.key)
        if it is None:
            if not piece.first:
                return
            it = Partial(piece.key, now_ms, now_ms)
        elif it.repeats(piece):
            return
        elif it.overlaps(piece):
            # RFC 4944, 5.3: what is here is discarded; a fresh reassembly may begin with it.
            del self._open[piece.key]
            if not piece.first:
                return
            it = Partial(piece.key, now_ms, now_ms)
        while sum(len(other.pieces) for other in self._open.values()) == self.room:
            others = [other for other in self._open.values() if other is not it]
            if not others:
                return
            worst = min(others, key=lambda other: _score(now_ms, other))
            del self._open[worst.key]
        self._store(now_ms, it, piece)

    def held(self) -> list[Holding]:
        """The datagrams under way: their slots and a record each."""
        each = SLOT_BYTES + SLOT_RECORD_BYTES
        return [
            Holding(key.source, key.tag, key.size, len(it.pieces) * each + RECORD_BYTES)
            for key, it in self._open.items()
        ]


def _score(now_ms: int, it: Partial) -> float:
    idle = max(now_ms - it.moved, _USUAL_GAP_MS)
    return it.have / it.key.size + _USUAL_GAP_MS / idle
