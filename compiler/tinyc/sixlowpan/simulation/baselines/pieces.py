"""What the baselines share: fragments of RFC 4944 with their headers decompressed, datagrams in pieces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from tinyc.sixlowpan.fragments import FIRST, HEADER_FIRST, HEADER_LATER, LATER, SIZE_MAX, SIZE_MIN
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import IPV6_BYTES, UDP, IphcError, Link, decompress
from tinyc.sixlowpan.iphc_compress import udp_checksum
from tinyc.sixlowpan.simulation.reassembly import Frame, Received

_UDP_BYTES, _SUM = 8, 6
# The least that is kept of a datagram besides its bytes: two addresses of 8, size, tag, times.
RECORD_BYTES = 28


@dataclass(frozen=True, slots=True)
class Key:
    """What tells a datagram from others (RFC 4944, 5.3)."""

    source: Address
    destination: Address
    size: int
    tag: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A fragment: `data` are bytes of the datagram from `offset` on, a first one's with its headers whole."""

    key: Key
    offset: int
    data: bytes
    first: bool


def piece_of(frame: Frame) -> Piece | None:
    """The fragment in a frame, None where it is none or cannot be one of a datagram."""
    payload = frame.payload
    if len(payload) <= HEADER_FIRST or payload[0] & 0xF8 not in (FIRST, LATER):
        return None
    first = payload[0] & 0xF8 == FIRST
    size, tag = (payload[0] & 7) << 8 | payload[1], int.from_bytes(payload[2:4], "big")
    key = Key(frame.source, frame.destination, size, tag)
    if not SIZE_MIN <= size <= SIZE_MAX:
        return None
    if first:
        content = payload[HEADER_FIRST:]
        try:
            headers = decompress(_link(frame), content, size)
        except IphcError:
            return None
        offset, data = 0, headers.data + content[headers.consumed :]
    else:
        offset, data = payload[4] * 8, payload[HEADER_LATER:]
    end = offset + len(data)
    if not data or end > size or (end < size and end % 8):
        return None
    return Piece(key, offset, data, first)


def whole_of(frame: Frame) -> Received | None:
    """The datagram in a frame that holds all of it, None where it holds none."""
    payload = frame.payload
    if not payload or not (payload[0] == 0x41 or payload[0] & 0xE0 == 0x60):
        return None
    try:
        headers = decompress(_link(frame), payload)
    except IphcError:
        return None
    datagram = headers.data + payload[headers.consumed :]
    return Received(frame.source, 0, len(datagram), datagram, udp_is_right(datagram))


def _link(frame: Frame) -> Link:
    return Link(frame.source.value or None, frame.destination.value or None)


def udp_is_right(datagram: bytes) -> bool:
    """Whether UDP would hand this IPv6 datagram up: it follows the IPv6 header, its lengths agree with the
    datagram's and its checksum is right."""
    if len(datagram) < IPV6_BYTES + _UDP_BYTES or datagram[0] >> 4 != 6 or datagram[6] != UDP:
        return False
    length = len(datagram) - IPV6_BYTES
    told = int.from_bytes(datagram[4:6], "big"), int.from_bytes(datagram[IPV6_BYTES + 4 :][:2], "big")
    stated = int.from_bytes(datagram[IPV6_BYTES + _SUM :][:2], "big")
    return told == (length, length) and stated == udp_checksum(datagram, 0, IPV6_BYTES)


@dataclass(slots=True)
class Partial:
    """A datagram under way. Times in milliseconds; `pieces` by offset."""

    key: Key
    opened: int
    moved: int
    pieces: dict[int, bytes] = field(default_factory=dict)

    @property
    def have(self) -> int:
        """Bytes that are here."""
        return sum(len(it) for it in self.pieces.values())

    def repeats(self, piece: Piece) -> bool:
        """Whether a piece of this place and length is here. RFC 4944 does not compare what is in them."""
        mine = self.pieces.get(piece.offset)
        return mine is not None and len(mine) == len(piece.data)

    def overlaps(self, piece: Piece) -> bool:
        """Whether it lies over a piece that is here."""
        end = piece.offset + len(piece.data)
        return any(at < end and piece.offset < at + len(it) for at, it in self.pieces.items())

    def whole(self) -> Received | None:
        """The datagram, None while it is not complete."""
        if self.have < self.key.size:
            return None
        datagram = b"".join(self.pieces[at] for at in sorted(self.pieces))
        return Received(self.key.source, self.key.tag, self.key.size, datagram, udp_is_right(datagram))


@dataclass(slots=True)
class Table(ABC):
    """The datagrams under way of a receive side; `room` is what it has room for."""

    room: int
    timeout_ms: int
    _open: dict[Key, Partial] = field(default_factory=dict)
    _up: list[Received] = field(default_factory=list)

    def input(self, now_ms: int, frame: Frame) -> None:
        """A frame."""
        self.poll(now_ms)
        if piece := piece_of(frame):
            self._take(now_ms, piece)
        elif whole := whole_of(frame):
            self._up.append(whole)

    @abstractmethod
    def _take(self, now_ms: int, piece: Piece) -> None:
        """A fragment: whether it is kept, and for which datagram, is what tells the receive sides apart."""

    def _store(self, now_ms: int, it: Partial, piece: Piece) -> None:
        it.pieces[piece.offset] = piece.data
        it.moved = now_ms
        self._open[piece.key] = it
        if whole := it.whole():
            self._up.append(whole)
            del self._open[piece.key]

    def poll(self, now_ms: int) -> None:
        """Time passes."""
        for key in [key for key, it in self._open.items() if now_ms - it.opened >= self.timeout_ms]:
            del self._open[key]

    def take(self) -> list[Received]:
        """What was handed up since the last call."""
        up, self._up = self._up, []
        return up

    def blocked(self, source: Address) -> bool:
        """Nobody is."""
        return False
