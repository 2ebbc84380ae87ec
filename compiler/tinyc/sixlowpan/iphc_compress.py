"""The compressor of IPv6 headers (RFC 6282); the twin of `iphc_compress.c`, byte for byte.

It compresses as many headers as fit into `room` and are whole in what it is given: RFC 6282 forbids to
compress a header that does not fit the first fragment.
"""

from __future__ import annotations

import struct

from tinyc.sixlowpan.iphc import (
    DESTINATION,
    HOP_BY_HOP,
    IPV6,
    IPV6_BYTES,
    MOBILITY,
    NHC_MOST,
    ROUTING,
    UDP,
    Context,
    Headers,
    IphcError,
    Link,
    Reason,
    expand,
    expand_multicast,
    interface_identifier,
)

_EXTENSIONS = {HOP_BY_HOP: 0, ROUTING: 1, DESTINATION: 3, MOBILITY: 4}
_HOP_LIMITS = {1: 1, 64: 2, 255: 3}


def _traffic(headers: bytes) -> tuple[int, bytes]:
    """The TF form and the bytes it carries."""
    dscp, ecn = (headers[0] & 15) << 2 | headers[1] >> 6, headers[1] >> 4 & 3
    flow = int.from_bytes(headers[1:4], "big") & 0xFFFFF
    if flow and dscp:
        return 0, bytes([ecn << 6 | dscp]) + flow.to_bytes(3, "big")
    if flow:
        return 1, (ecn << 22 | flow).to_bytes(3, "big")
    if dscp or ecn:
        return 2, bytes([ecn << 6 | dscp])
    return 3, b""


def _unicast(link: Link, address: bytes, iid: bytes | None) -> tuple[int, int, bytes]:
    """(SAC << 2 | SAM, context, bytes in-line): the shortest form that says this address."""
    candidates: list[Context | None] = [None, *link.contexts]
    for mode, inline in ((3, b""), (2, address[14:]), (1, address[8:])):
        if mode == 3 and iid is None:
            continue
        for context in candidates:
            if expand(context, mode, inline, iid) == address:
                return mode | (4 if context else 0), context.number if context else 0, inline
    return 0, 0, address


def _multicast(link: Link, address: bytes) -> tuple[int, int, bytes]:
    """The same for the M bit set: (8 | DAC << 2 | DAM, context, bytes in-line)."""
    for mode, inline in (
        (3, address[15:]),
        (2, address[1:2] + address[13:]),
        (1, address[1:2] + address[11:]),
    ):
        if expand_multicast(None, mode, inline) == address:
            return 8 | mode, 0, inline
    inline = address[1:3] + address[12:]
    for context in link.contexts:
        if context.length <= 64 and expand_multicast(context, 0, inline) == address:
            return 12, context.number, inline
    return 8, 0, address


def _ipv6(link: Link, headers: bytes, source: bytes | None, destination: bytes | None, more: bool) -> bytes:
    """IPHC for the IPv6 header in front; `more`: the header behind it is compressed too."""
    form, traffic = _traffic(headers)
    limit = _HOP_LIMITS.get(headers[7], 0)
    from_address, to_address = headers[8:24], headers[24:40]
    if from_address == bytes(16):
        from_form, from_context, from_inline = 4, 0, b""
    else:
        from_form, from_context, from_inline = _unicast(link, from_address, source)
    if to_address[0] == 0xFF:
        to_form, to_context, to_inline = _multicast(link, to_address)
    else:
        to_form, to_context, to_inline = _unicast(link, to_address, destination)
    numbers = from_context << 4 | to_context
    return b"".join(
        (
            bytes([0x60 | form << 3 | (4 if more else 0) | limit]),
            bytes([(0x80 if numbers else 0) | from_form << 4 | to_form]),
            bytes([numbers]) if numbers else b"",
            traffic,
            b"" if more else headers[6:7],
            b"" if limit else headers[7:8],
            from_inline,
            to_inline,
        )
    )


def _compressible(headers: bytes, at: int, protocol: int, size: int, nested: bool) -> int:
    """Bytes of the header `protocol` at `at` if NHC can say it and it is here as a whole, else 0."""
    here = len(headers) - at
    if protocol == UDP:
        return 8 if here >= 8 and int.from_bytes(headers[at + 4 : at + 6], "big") == size - at else 0
    if protocol == IPV6:
        fits = not nested and here >= IPV6_BYTES and _is_ipv6(headers[at:], size - at)
        return IPV6_BYTES if fits else 0
    if protocol not in _EXTENSIONS or here < 8:
        return 0
    length = 8 * headers[at + 1] + 8
    return length if length <= here and length - 2 <= 255 else 0


def _is_ipv6(headers: bytes, size: int) -> bool:
    return headers[0] >> 4 == 6 and int.from_bytes(headers[4:6], "big") + IPV6_BYTES == size


def _trailing_padding(header: bytes) -> int:
    """Bytes of the last option of an extension header if the receiver would restore just these, else 0."""
    at, last = 2, 2
    while at < len(header):
        last = at
        if header[at] == 0:
            at += 1
        elif at + 1 < len(header):
            at += 2 + header[at + 1]
        else:
            return 0
    count = len(header) - last
    if at != len(header) or count > 7 or header[last] > 1 or any(header[last + 2 :]):
        return 0
    return count


def _extension(header: bytes, protocol: int, more: bool) -> bytes:
    code = 0xE0 | _EXTENSIONS[protocol] << 1 | more
    end = len(header)
    if protocol in (HOP_BY_HOP, DESTINATION):
        end -= _trailing_padding(header)
    return bytes([code]) + (b"" if more else header[:1]) + bytes([end - 2]) + header[2:end]


def _udp(header: bytes, elide: bool) -> bytes:
    code = 0xF0 | (4 if elide else 0)
    source, destination = header[0:2], header[2:4]
    if source[0] == 0xF0 and destination[0] == 0xF0 and source[1] >> 4 == 0xB and destination[1] >> 4 == 0xB:
        made = bytes([code | 3, (source[1] & 15) << 4 | destination[1] & 15])
    elif destination[0] == 0xF0:
        made = bytes([code | 1]) + source + destination[1:]
    elif source[0] == 0xF0:
        made = bytes([code | 2]) + source[1:] + destination
    else:
        made = bytes([code]) + source + destination
    return made + (b"" if elide else header[6:8])


def _attempt(link: Link, headers: bytes, size: int, most: int) -> Headers:
    """At most `most` headers behind the first one compressed."""
    source, destination = interface_identifier(link.source), interface_identifier(link.destination)
    at, ip, udp = 0, 0, 0
    protocol, length = IPV6, IPV6_BYTES
    nested = routed = elided = False
    out = bytearray()
    while True:
        behind = at + length
        following = headers[at + 6] if protocol == IPV6 else headers[at]
        next_length = 0
        nested = (protocol == IPV6 and at > 0) or nested
        if most and protocol != UDP:
            next_length = _compressible(headers, behind, following, size, nested)
        if protocol == UDP:
            elided, udp = link.elided and not routed, at
            out += _udp(headers[at:behind], elided)
        elif protocol == IPV6:
            if at:
                ip = at
                out.append(0xEE)
                source, destination = headers[16:24], headers[32:40]
            more = next_length > 0
            out += _ipv6(link, headers[at:behind], source, destination, more)
        else:
            routed |= protocol == ROUTING
            # A nested IPv6 header behind an extension header is announced by NHC as well.
            out += _extension(headers[at:behind], protocol, next_length > 0)
        at = behind
        if not next_length:
            return Headers(bytes(out), at, ip, udp, elided)
        protocol, length = following, next_length
        most -= 1


def compress(link: Link, headers: bytes, size: int = 0, room: int = 104) -> Headers:
    """What replaces the first `consumed` bytes of the datagram, at most `room` bytes.

    `headers` are the datagram's first bytes, at least its IPv6 header; `size` is that of the whole
    datagram, 0 if `headers` is all of it. With `link.elided` a UDP checksum is left out where that is
    allowed: the caller answers for its being right. Raises IphcError: TRUNCATED, DISPATCH, ROOM, and SIZE
    where the IPv6 header tells another length.
    """
    size = size or len(headers)
    if len(headers) < IPV6_BYTES:
        raise IphcError(Reason.TRUNCATED)
    if headers[0] >> 4 != 6:
        raise IphcError(Reason.DISPATCH)
    if len(headers) > size or not _is_ipv6(headers, size):
        raise IphcError(Reason.SIZE)
    for most in range(NHC_MOST, -1, -1):
        made = _attempt(link, headers, size, most)
        if len(made.data) <= room:
            return made
    raise IphcError(Reason.ROOM)


def checksum(link_sum: int, data: bytes) -> int:
    """The Internet checksum's sum over `data` (an odd last byte is padded), added to `link_sum`."""
    padded = data + b"\0" * (len(data) % 2)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 2}H", padded)
    return link_sum + sum(words)


def udp_checksum(datagram: bytes, ip: int, udp: int) -> int:
    """The UDP checksum of a whole datagram, as it is sent: the field itself counts as zero."""
    length = len(datagram) - udp
    total = checksum(length + UDP, datagram[ip + 8 : ip + 40])
    total = checksum(total, datagram[udp : udp + 6])
    total = checksum(total, datagram[udp + 8 :])
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF if total == 0xFFFF else ~total & 0xFFFF
