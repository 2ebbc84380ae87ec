"""RFC 4944 as it is written: a few buffers of the largest size, each for one datagram until it times out."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.sixlowpan.fragments import SIZE_MAX
from tinyc.sixlowpan.simulation.baselines.pieces import RECORD_BYTES, Partial, Piece, Table
from tinyc.sixlowpan.simulation.reassembly import Holding


@dataclass(slots=True)
class Plain(Table):
    """`room` for that many buffers of 1,280 bytes and a timeout (section 5.3).

    Any fragment opens a buffer, the first one or not, as section 5.3 has it ("the recipient starts
    constructing the original datagram" on whatever fragment comes first). Nothing is pushed out: while
    all buffers are taken, a fragment of another datagram is lost. A fragment that overlaps another and
    differs in place or length discards what is here, and a fresh reassembly begins with it. A fragment of
    the same place and length is a duplicate; what is in it is not compared, and the first one stays.
    """

    def _take(self, now_ms: int, piece: Piece) -> None:
        it = self._open.get(piece.key)
        if it is not None and it.repeats(piece):
            return
        if it is None or it.overlaps(piece):
            if it is None and len(self._open) == self.room:
                return
            it = Partial(piece.key, now_ms, now_ms)
        self._store(now_ms, it, piece)

    def held(self) -> list[Holding]:
        """The datagrams under way: a whole buffer each."""
        octets = SIZE_MAX + RECORD_BYTES
        return [Holding(key.source, key.tag, key.size, octets) for key in self._open]
