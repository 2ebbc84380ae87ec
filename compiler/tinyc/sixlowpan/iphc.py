"""Compressed IPv6 headers (RFC 6282): IPHC and NHC, both ways; the twin of `iphc.c`, byte for byte.

Only headers are touched: what follows them is carried as it is. Addresses of the link layer are 2 or
8 bytes, most significant first; an absent one derives no interface identifier.
The compressor takes a form only if what the decompressor would make of it is the address it began with.
A Fragment header is read with a reserved byte in place of the length (as Wireshark does), and nothing
compressed may follow it: the length of UDP behind it could not be told.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

DISPATCH_IPV6 = 0x41
IPV6_BYTES = 40
# What a receiver keeps for headers: two IPv6 headers, extensions and UDP.
HEADERS_ROOM = 128
# Headers behind the first that a sender compresses.
NHC_MOST = 4

HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION, MOBILITY, IPV6, UDP = 0, 43, 44, 60, 135, 41, 17
_PROTOCOLS = (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION, MOBILITY, -1, -1, IPV6)
_PADDED = (HOP_BY_HOP, DESTINATION)
_HOP_LIMITS = (None, 1, 64, 255)
_TRAFFIC_BYTES = (4, 3, 1, 0)
_INLINE = (16, 8, 2, 0)
_MULTICAST = (16, 6, 4, 1)
_SHORT_IID = bytes.fromhex("000000fffe00")


class Reason(enum.IntEnum):
    """Why headers were refused; the values of `enum iphc_result`."""

    OK = 0
    TRUNCATED = 1  # the bytes end inside a header
    DISPATCH = 2  # not IPv6, neither compressed nor plain
    RESERVED = 3  # a form without a meaning
    CONTEXT = 4  # a context that is not known here, or that does not fit the form
    ADDRESS = 5  # an address derived from one that the frame does not have
    EXTENSION = 6  # an extension header that is not whole, or nested too deep
    CHECKSUM = 7  # an elided UDP checksum that was not agreed upon
    ROOM = 8  # more headers than there is room for
    SIZE = 9  # lengths that contradict one another


class IphcError(ValueError):
    """Headers that cannot be decoded, or not be encoded, and why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name.lower())
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Context:
    """The first `length` bits of `prefix`, known to all nodes as `number` (0..15)."""

    number: int
    length: int
    prefix: bytes

    def over(self, address: bytes) -> bytes:
        """The address with the bits of the prefix in front."""
        mask = ~((1 << (128 - self.length)) - 1) & (1 << 128) - 1
        own = int.from_bytes(self.prefix, "big") & mask
        return (own | int.from_bytes(address, "big") & ~mask).to_bytes(16, "big")


@dataclass(frozen=True, slots=True)
class Link:
    """What both ends know: the frame's addresses, the contexts, whether UDP checksums may be left out."""

    source: bytes | None = None
    destination: bytes | None = None
    contexts: Sequence[Context] = ()
    elided: bool = False

    def context(self, number: int) -> Context:
        for context in self.contexts:
            if context.number == number:
                return context
        raise IphcError(Reason.CONTEXT)


@dataclass(frozen=True, slots=True)
class Headers:
    """`data`: the headers made. `consumed`: bytes of the input they replace. `ip`, `udp`: where the
    innermost IPv6 header and UDP (0: none) are among the uncompressed ones. `elided`: the checksum
    there is zero and must be computed over the whole datagram."""

    data: bytes
    consumed: int
    ip: int = 0
    udp: int = 0
    elided: bool = False


def interface_identifier(address: bytes | None) -> bytes | None:
    """8 bytes from a link-layer address (RFC 6282, 3.2.2), None from an absent one."""
    if address is None:
        return None
    if len(address) == 2:
        return _SHORT_IID + address
    return bytes([address[0] ^ 2]) + address[1:]


def expand(context: Context | None, mode: int, inline: bytes, iid: bytes | None) -> bytes:
    """The unicast address of a form: `mode` 1..3, with the `inline` bytes that it carries."""
    if mode == 3:
        if iid is None:
            raise IphcError(Reason.ADDRESS)
        low = iid
    else:
        low = inline if mode == 1 else _SHORT_IID + inline
    if context is None:
        return b"\xfe\x80" + bytes(6) + low
    return context.over(bytes(8) + low)


def expand_multicast(context: Context | None, mode: int, inline: bytes) -> bytes:
    """The multicast address of a form with the `inline` bytes that it carries."""
    if context is not None:
        if context.length > 64:
            raise IphcError(Reason.CONTEXT)
        prefix = context.over(bytes(16))[:8]
        return b"\xff" + inline[:2] + bytes([context.length]) + prefix + inline[2:]
    if mode == 0:
        return inline
    if mode == 3:
        return b"\xff\x02" + bytes(13) + inline
    return b"\xff" + inline[:1] + bytes(15 - len(inline)) + inline[1:]


class _Reader:
    """Takes bytes of the input in order and makes headers, both within bounds."""

    def __init__(self, data: bytes, room: int) -> None:
        self.data = data
        self.room = room
        self.at = 0
        self.made = bytearray()

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise IphcError(Reason.TRUNCATED)
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def put(self, data: bytes) -> None:
        if len(data) > self.room - len(self.made):
            raise IphcError(Reason.ROOM)
        self.made += data


def _read_traffic(reader: _Reader, form: int) -> bytes:
    """The first 4 bytes of an IPv6 header."""
    inline = reader.take(_TRAFFIC_BYTES[form])
    ecn = inline[0] >> 6 if inline else 0
    dscp = inline[0] & 63 if form in (0, 2) else 0
    flow = int.from_bytes(inline[-3:], "big") & 0xFFFFF if form < 2 else 0
    return (6 << 28 | dscp << 22 | ecn << 20 | flow).to_bytes(4, "big")


def _read_unicast(
    reader: _Reader, link: Link, stateful: bool, mode: int, number: int, iid: bytes | None
) -> bytes:
    if mode == 0:
        return reader.take(16)
    context = link.context(number) if stateful else None
    return expand(context, mode, reader.take(_INLINE[mode]), iid)


def _read_destination(reader: _Reader, link: Link, form: int, number: int, iid: bytes | None) -> bytes:
    mode, stateful = form & 3, bool(form & 4)
    if not form & 8:
        if stateful and mode == 0:
            raise IphcError(Reason.RESERVED)
        return _read_unicast(reader, link, stateful, mode, number, iid)
    if not stateful:
        return expand_multicast(None, mode, reader.take(_MULTICAST[mode]))
    if mode != 0:
        raise IphcError(Reason.RESERVED)
    context = link.context(number)
    return expand_multicast(context, 0, reader.take(6))


def _read_ipv6(reader: _Reader, link: Link, source: bytes | None, destination: bytes | None) -> bool:
    """Makes an IPv6 header whose length is still zero. Returns whether the next header is compressed."""
    first, second = reader.take(2)
    if first >> 5 != 3:
        raise IphcError(Reason.DISPATCH)
    start = len(reader.made)
    reader.put(bytes(IPV6_BYTES))
    numbers = reader.byte() if second & 0x80 else 0
    traffic = _read_traffic(reader, first >> 3 & 3)
    following = 0 if first & 4 else reader.byte()
    limit = _HOP_LIMITS[first & 3]
    if limit is None:
        limit = reader.byte()
    if second & 0x70 == 0x40:
        from_address = bytes(16)
    else:
        from_address = _read_unicast(reader, link, bool(second & 0x40), second >> 4 & 3, numbers >> 4, source)
    to_address = _read_destination(reader, link, second & 15, numbers & 15, destination)
    reader.made[start:] = traffic + bytes([0, 0, following, limit]) + from_address + to_address
    return bool(first & 4)


def _read_extension(reader: _Reader, code: int) -> None:
    """Makes the extension header whose NHC byte is `code`, 0 for its next header if that is compressed."""
    protocol = _PROTOCOLS[code >> 1 & 7]
    following = 0 if code & 1 else reader.byte()
    if protocol == FRAGMENT:
        if code & 1:
            raise IphcError(Reason.EXTENSION)
        reader.put(bytes([following]) + reader.take(7))
        return
    length = reader.byte()
    padding = -(2 + length) % 8
    if padding and protocol not in _PADDED:
        raise IphcError(Reason.EXTENSION)
    body = reader.take(length)
    reader.put(bytes([following, (2 + length + padding) // 8 - 1]) + body + _padding(padding))


def _padding(count: int) -> bytes:
    """Pad1 or PadN of `count` bytes, 0..7."""
    return bytes(count) if count < 2 else bytes([1, count - 2]) + bytes(count - 2)


def _read_udp(reader: _Reader, code: int) -> None:
    """Makes a UDP header whose length is still zero."""
    ports = code & 3
    if ports == 3:
        both = reader.byte()
        made = bytes([0xF0, 0xB0 | both >> 4, 0xF0, 0xB0 | both & 15])
    elif ports == 0:
        made = reader.take(4)
    elif ports == 1:
        inline = reader.take(3)
        made = inline[:2] + b"\xf0" + inline[2:]
    else:
        made = b"\xf0" + reader.take(3)
    checksum = bytes(2) if code & 4 else reader.take(2)
    reader.put(made + bytes(2) + checksum)


def decompress(link: Link, data: bytes, size: int = 0, room: int = HEADERS_ROOM) -> Headers:
    """The headers at the start of `data`, which begins with the dispatch byte.

    `size` is the datagram's as the fragment header says, 0 for a datagram in one frame.
    A plain IPv6 header (0x41) is left where it is: one byte consumed, nothing made.
    Raises IphcError.
    """
    if not data:
        raise IphcError(Reason.TRUNCATED)
    if data[0] == DISPATCH_IPV6:
        if len(data) < 1 + IPV6_BYTES:
            raise IphcError(Reason.TRUNCATED)
        if data[1] >> 4 != 6:
            raise IphcError(Reason.DISPATCH)
        if size and len(data) - 1 > size:
            raise IphcError(Reason.SIZE)
        return Headers(b"", 1)
    reader = _Reader(data, room)
    made = reader.made
    source, destination = interface_identifier(link.source), interface_identifier(link.destination)
    outer, ip, udp, next_at = -1, 0, 0, 6
    routed = elided = False
    more = _read_ipv6(reader, link, source, destination)
    while more:
        start = len(made)
        code = reader.byte()
        if code >> 3 == 0x1E:
            elided = bool(code & 4)
            if elided and (routed or not link.elided):
                raise IphcError(Reason.CHECKSUM)
            _read_udp(reader, code)
            made[next_at] = UDP
            udp = start
            break
        if code >> 4 != 0xE or _PROTOCOLS[code >> 1 & 7] < 0 or code & 15 == 15:
            raise IphcError(Reason.RESERVED)
        protocol = _PROTOCOLS[code >> 1 & 7]
        if protocol == IPV6:
            if outer >= 0:
                raise IphcError(Reason.EXTENSION)
            outer, ip = ip, start
            more = _read_ipv6(reader, link, bytes(made[16:24]), bytes(made[32:40]))
            made[next_at] = IPV6
            next_at = start + 6
            continue
        _read_extension(reader, code)
        made[next_at] = protocol
        routed |= protocol == ROUTING
        next_at = start
        more = bool(code & 1)
    rest = len(data) - reader.at
    total = size or len(made) + rest
    if len(made) + rest > total:
        raise IphcError(Reason.SIZE)
    if outer >= 0:
        made[4:6] = (total - IPV6_BYTES).to_bytes(2, "big")
    made[ip + 4 : ip + 6] = (total - ip - IPV6_BYTES).to_bytes(2, "big")
    if udp:
        made[udp + 4 : udp + 6] = (total - udp).to_bytes(2, "big")
    return Headers(bytes(made), reader.at, ip, udp, elided)
