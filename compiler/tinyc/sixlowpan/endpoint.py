"""A node on this machine: UDP into frames and back, with the rules of `lowpan_node.c` and `lowpan_send.c`.

It makes and takes frames of IEEE 802.15.4 without their check sum; getting them on the air is left to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.datagrams import Datagram
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import LARGEST, Address, MacFrame, MacVerdict, header, parse
from tinyc.sixlowpan.iphc import IPV6_BYTES, UDP, Context, Link, interface_identifier
from tinyc.sixlowpan.iphc_compress import compress, udp_checksum
from tinyc.sixlowpan.receiver import Peer, Receiver
from tinyc.sixlowpan.sender import Outgoing, fragments

UDP_BYTES = 8
PAYLOAD_MAX = 1280 - IPV6_BYTES - UDP_BYTES
_HOP_LIMIT = 64
# What a first fragment has beside the compressed headers: 0xFF, its header, tag and payload of eight each.
_FIRST_ROOM = 1 + 4 + 8 + 8


@dataclass(frozen=True, slots=True)
class Udp:
    """A UDP datagram that has come: from whom, between which addresses and ports, what, and how proved."""

    link: Address
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int
    data: bytes
    mode: Mode


def link_local(address: Address) -> bytes:
    """The IPv6 address of an address on the link (RFC 6282, 3.2.2). Raises ValueError for an absent one."""
    identifier = interface_identifier(address.value or None)
    if identifier is None:
        raise ValueError("an absent address has no IPv6 address")
    return b"\xfe\x80" + bytes(6) + identifier


def ipv6_datagram(source: bytes, destination: bytes, protocol: int, body: bytes) -> bytes:
    """An IPv6 datagram as nodes send it."""
    start = b"\x60\0\0\0" + len(body).to_bytes(2, "big") + bytes([protocol, _HOP_LIMIT])
    return start + source + destination + body


def udp_datagram(source: bytes, destination: bytes, ports: tuple[int, int], data: bytes) -> bytes:
    """An IPv6 datagram with UDP and its checksum; ports from and to. Raises ValueError for too much data."""
    if len(data) > PAYLOAD_MAX:
        raise ValueError(f"{len(data)} bytes, more than {PAYLOAD_MAX}")
    length = UDP_BYTES + len(data)
    udp = b"".join(number.to_bytes(2, "big") for number in (*ports, length, 0))
    made = ipv6_datagram(source, destination, UDP, udp + data)
    at = IPV6_BYTES + 6
    return made[:at] + udp_checksum(made, 0, IPV6_BYTES).to_bytes(2, "big") + made[at + 2 :]


@dataclass(slots=True)
class Endpoint:
    """A node with this address; `peers` are those that it knows.

    With `elided` UDP checksums are left out under a chain. `epoch` is the upper half of the counter of its
    keyed chains, to be raised at each restart.
    """

    address: Address
    pan: int
    peers: Sequence[Peer] = ()
    contexts: Sequence[Context] = ()
    elided: bool = False
    sizes: Sizes = field(default_factory=Sizes)
    epoch: int = 0
    receiver: Receiver = field(init=False)
    sequence: int = 0
    _tags: dict[Address, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.receiver = Receiver(
            self.peers, self.sizes, link=Link(contexts=self.contexts, elided=self.elided)
        )

    def send(
        self, destination: Address, ports: tuple[int, int], data: bytes, mode: Mode | None = None
    ) -> list[bytes]:
        """Frames of a UDP datagram between link-local addresses; `mode` is for those who are no peers.

        Raises ValueError for too much data.
        """
        datagram = udp_datagram(link_local(self.address), link_local(destination), ports, data)
        return self.frames(destination, datagram, UDP_BYTES, mode)

    def frames(
        self, destination: Address, datagram: bytes, upper: int = 0, mode: Mode | None = None
    ) -> list[bytes]:
        """Frames of an IPv6 datagram, the first `upper` bytes behind whose header may be compressed."""
        room = LARGEST - len(self._header(destination))
        peer = next((it for it in self.peers if it.address == destination), None)
        key = (peer.key if peer else None) or b""
        agreed = Mode.KEYED if key else (mode or Mode.LEGACY) if peer is None else peer.mode_min
        elided = self.elided and agreed is not Mode.LEGACY
        link = Link(self.address.value, destination.value, self.contexts, elided)
        made = compress(link, datagram[: IPV6_BYTES + upper], len(datagram), room - _FIRST_ROOM)
        rest = datagram[made.consumed :]
        if agreed is Mode.LEGACY and len(made.data) + len(rest) <= room:
            return [self._header(destination, count=True) + made.data + rest]
        tag = self._tags[destination] = (self._tags.get(destination, 0) + 1) & 0xFFFF
        outgoing = Outgoing(
            self.address, destination, made.data, made.consumed, rest, tag, agreed, self.epoch, key
        )
        return [self._header(destination, count=True) + each for each in fragments(outgoing, room)]

    def take(self, now_ms: int, frame: bytes) -> list[Udp]:
        """What a frame completes. Frames for others, and what the receive path refuses, complete nothing."""
        verdict, mac = parse(frame)
        if verdict is not MacVerdict.OK or mac.destination != self.address or mac.destination_pan != self.pan:
            return []
        before = len(self.receiver.delivered)
        payload = frame[mac.payload : mac.payload + mac.payload_length]
        if self.receiver.input(now_ms, mac.source, mac.destination, payload) is Verdict.WHOLE:
            self.receiver.whole(now_ms, mac.source, mac.destination, payload)
        return [found for each in self.receiver.delivered[before:] if (found := _udp(each)) is not None]

    def _header(self, destination: Address, *, count: bool = False) -> bytes:
        frame = MacFrame(
            ack_request=True,
            sequence=self.sequence,
            destination_pan=self.pan,
            source_pan=self.pan,
            destination=destination,
            source=self.address,
        )
        if count:
            self.sequence = (self.sequence + 1) & 0xFF
        return header(frame)


def _udp(datagram: Datagram) -> Udp | None:
    data = datagram.data
    if datagram.protocol != UDP or datagram.upper != IPV6_BYTES:
        return None
    source, destination = (int.from_bytes(data[at : at + 2], "big") for at in (IPV6_BYTES, IPV6_BYTES + 2))
    body = data[IPV6_BYTES + UDP_BYTES :]
    return Udp(datagram.key.source, data[8:24], data[24:40], source, destination, body, datagram.key.mode)
