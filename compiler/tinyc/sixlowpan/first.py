"""How much of a datagram its first fragment holds: the twin of `lpc_first.c`."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.sixlowpan.fragments import Verdict
from tinyc.sixlowpan.iphc import DISPATCH_IPV6, IPV6_BYTES, IphcError, Link, decompress


@dataclass(frozen=True, slots=True)
class Measured:
    """Headers that take `consumed` bytes of a first fragment's content and `made` bytes of the datagram."""

    consumed: int
    made: int

    def covers(self, length: int) -> int:
        """Bytes of the datagram that so much of the content stands for; 0 where the headers are longer."""
        return 0 if length < self.consumed else self.made + length - self.consumed


def measure(content: bytes, size: int, link: Link) -> Measured | Verdict:
    """The headers at the start of a content, what may be its trailer behind; or what is wrong."""
    if content[0] == DISPATCH_IPV6:
        if len(content) < 1 + IPV6_BYTES:
            return Verdict.BAD_LENGTH
        if content[1] >> 4 != 6:
            return Verdict.BAD_DISPATCH
        if int.from_bytes(content[5:7], "big") != size - IPV6_BYTES:
            return Verdict.BAD_SIZE  # the header's own length is another one
        return Measured(1 + IPV6_BYTES, IPV6_BYTES)
    if content[0] & 0xE0 != 0x60:
        return Verdict.BAD_DISPATCH
    try:
        headers = decompress(link, content)
    except IphcError:
        return Verdict.BAD_IPHC
    return Measured(headers.consumed, len(headers.data))
