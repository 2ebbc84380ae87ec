"""What honest senders send, and what the channel does to it.

All of it follows from (seed, sender, datagram) alone: the same datagram comes at the same time, and the same
fragment of it is lost, in every mode and under every attack. So rows of a table differ only by what is
compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import IPV6_BYTES, UDP, Link, interface_identifier
from tinyc.sixlowpan.iphc_compress import compress, udp_checksum
from tinyc.sixlowpan.sender import Outgoing
from tinyc.sixlowpan.simulation.channel import FCS_BYTES
from tinyc.sixlowpan.simulation.station import MAX_REPEATS

SINK = Address.extended(0x0212_7400_0000_0001)
_SENDERS, _ATTACKERS = 0x0212_7400_0001_0000, 0x0212_7400_0002_0000
UDP_BYTES = 8
_PORT = 61616
_MAC_HEADER = 21  # bytes with two extended addresses in one PAN
ROOM = 127 - FCS_BYTES - _MAC_HEADER
_MOST_FRAGMENTS = 24


def sender_address(number: int) -> Address:
    """Of an honest sender, by its number from 0."""
    return Address.extended(_SENDERS + number)


def attacker_address(number: int) -> Address:
    """An attacker's own."""
    return Address.extended(_ATTACKERS + number)


def key_of(seed: int, address: Address) -> bytes:
    """The pairwise key of an address and the sink."""
    return Random(f"key/{seed}/{address.value.hex()}").randbytes(16)


def udp_datagram(source: Address, destination: Address, content: bytes) -> bytes:
    """IPv6 and UDP with link-local addresses and a right checksum."""
    length = UDP_BYTES + len(content)
    made = bytearray(b"\x60\0\0\0" + length.to_bytes(2, "big") + bytes([UDP, 64]))
    for address in (source, destination):
        identifier = interface_identifier(address.value)
        assert identifier is not None
        made += b"\xfe\x80" + bytes(6) + identifier
    made += 2 * _PORT.to_bytes(2, "big") + length.to_bytes(2, "big") + b"\0\0" + content
    made[IPV6_BYTES + 6 : IPV6_BYTES + 8] = udp_checksum(bytes(made), 0, IPV6_BYTES).to_bytes(2, "big")
    return bytes(made)


def outgoing(source: Address, datagram: bytes, tag: int, mode: Mode, epoch: int, key: bytes) -> Outgoing:
    """A datagram to the sink with its headers compressed."""
    link = Link(source.value, SINK.value)
    made = compress(link, datagram[: IPV6_BYTES + UDP_BYTES], len(datagram))
    rest = datagram[made.consumed :]
    return Outgoing(source, SINK, made.data, made.consumed, rest, tag, mode, epoch, key)


@dataclass(frozen=True, slots=True)
class Planned:
    """An honest datagram. `at_us`: when its sender wants to send it. `losses`: for each fragment the attempts
    of which the channel loses the frame, and those of which it loses the acknowledgement."""

    at_us: int
    content: bytes
    losses: tuple[tuple[frozenset[int], frozenset[int]], ...]


_ALL = frozenset(range(MAX_REPEATS + 1))


def _losses(random: Random, loss: float) -> tuple[frozenset[int], frozenset[int]]:
    """With probability `loss` all attempts. Otherwise each attempt but the last, and each acknowledgement but
    the last, with that probability: repeats make up for it."""
    draws = [random.random() < loss for _ in range(1 + 2 * MAX_REPEATS)]
    frames = _ALL if draws[0] else frozenset(i for i in range(MAX_REPEATS) if draws[1 + i])
    return frames, frozenset(i for i in range(MAX_REPEATS) if draws[1 + MAX_REPEATS + i])


def planned(seed: int, sender: int, number: int, rate: float, size: int, loss: float) -> Planned:
    """Datagram `number` of a sender, one in each 1/rate seconds at a random time in it."""
    random = Random(f"datagram/{seed}/{sender}/{number}")
    at_us = round((number + random.random()) / rate * 1_000_000)
    content = random.randbytes(size - IPV6_BYTES - UDP_BYTES)
    return Planned(at_us, content, tuple(_losses(random, loss) for _ in range(_MOST_FRAGMENTS)))


def lost(losses: tuple[tuple[frozenset[int], frozenset[int]], ...], fragments: int) -> bool:
    """Whether one of that many fragments is lost with all its repeats."""
    return any(frames == _ALL for frames, _ in losses[:fragments])
