"""A datagram that is complete, and whether it may be delivered: the twin of `lpc_datagram.c`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import IPV6_BYTES, IphcError, Link, decompress
from tinyc.sixlowpan.iphc_compress import checksum

_HOP_BY_HOP, _TCP, _UDP, _IPV6, _ROUTING, _ICMPV6, _DESTINATION = 0, 6, 17, 41, 43, 58, 60
_HEADERS = 8  # so many at most between the link and the upper layer


@dataclass(frozen=True, slots=True)
class Key:
    """What tells a datagram from others."""

    source: Address
    destination: Address
    size: int
    tag: int
    mode: Mode


@dataclass(frozen=True, slots=True)
class Datagram:
    """What is delivered: expanded headers and the pieces behind them; `upper`: where the header of `protocol`
    begins."""

    key: Key
    header: bytes
    pieces: tuple[bytes, ...]
    upper: int
    protocol: int

    @property
    def data(self) -> bytes:
        """The IPv6 datagram."""
        return self.header + b"".join(self.pieces)


def _upper(data: bytes) -> tuple[int, int, bytes] | None:
    """Where the upper layer begins, its protocol, and the IPv6 header that it is sent with.

    None for lengths that contradict each other.
    """
    at, protocol, header = 0, _IPV6, b""
    for _ in range(_HEADERS + 1):
        if protocol == _IPV6:
            header = data[at : at + IPV6_BYTES]
            if len(header) < IPV6_BYTES or int.from_bytes(header[4:6], "big") != len(data) - at - IPV6_BYTES:
                return None
            protocol = header[6]
            at += IPV6_BYTES
        elif protocol in (_HOP_BY_HOP, _ROUTING, _DESTINATION):
            following = data[at : at + 4]
            if len(following) < 4 or at + 8 * (following[1] + 1) > len(data):
                return None
            if protocol == _ROUTING and following[3]:
                return at, protocol, header
            protocol = following[0]
            at += 8 * (following[1] + 1)
        else:
            return at, protocol, header
    return None


def link_of(key: Key, link: Link, vouched: bool) -> Link:
    """The link between the two; checksums may be elided only where something else has vouched for it."""
    return replace(
        link,
        source=key.source.value,
        destination=key.destination.value,
        elided=link.elided and vouched,
    )


def check(key: Key, pieces: tuple[bytes, ...], link: Link, *, one_frame: bool = False) -> Datagram | Verdict:
    """A datagram of these pieces, the first as it was sent; or BAD_IPHC, or BAD_SUM."""
    content, vouched = pieces[0], one_frame or key.mode is not Mode.LEGACY
    link = link_of(key, link, vouched)
    try:
        headers = decompress(link, content, 0 if one_frame else key.size)
    except IphcError:
        return Verdict.BAD_IPHC
    made, rest = headers.data, content[headers.consumed :]
    if not made:
        made, rest = rest[:IPV6_BYTES], rest[IPV6_BYTES:]
    data = made + rest + b"".join(pieces[1:])
    found = _upper(data)
    if found is None:
        return Verdict.BAD_IPHC
    at, protocol, header = found
    body = data[at:]
    total = checksum(
        checksum(len(body) + protocol, header[8:]), body
    )  # with the pseudo header of RFC 8200, 8.1
    if protocol not in (_TCP, _UDP, _ICMPV6):
        if not vouched:
            return Verdict.BAD_SUM
    elif protocol == _UDP and (len(body) < 8 or int.from_bytes(body[4:6], "big") != len(body)):
        return Verdict.BAD_IPHC
    elif headers.elided:
        filled = (0xFFFF - total % 0xFFFF).to_bytes(2, "big")
        made = made[: headers.udp + 6] + filled + made[headers.udp + 8 :]
    elif (protocol == _UDP and body[6:8] == bytes(2)) or total % 0xFFFF:
        return Verdict.BAD_SUM
    parts = (rest, *pieces[1:])
    return Datagram(replace(key, size=len(data)), made, tuple(it for it in parts if it), at, protocol)
