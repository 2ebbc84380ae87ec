"""What the simulator asks of a node's receive side: ours, and those that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tinyc.sixlowpan.frames import Address


@dataclass(frozen=True, slots=True)
class Frame:
    """A data frame that the MAC took. `rssi` in dBm, `dsn` its sequence number, `payload` behind the MAC
    header, without check sum."""

    source: Address
    destination: Address
    rssi: int
    dsn: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """A datagram that was handed up. `tag`, `size`: of its fragments. `datagram`: the IPv6 datagram with
    its headers decompressed, None where they cannot be. `verified`: its UDP checksum is right, so UDP
    would hand it up as well."""

    source: Address
    tag: int
    size: int
    datagram: bytes | None
    verified: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """A datagram that is under way, and the octets of memory that it holds."""

    source: Address
    tag: int
    size: int
    octets: int


class Reassembly(Protocol):
    """One node's receive side. Times are in milliseconds since the start."""

    def input(self, now_ms: int, frame: Frame) -> None:
        """A frame."""

    def poll(self, now_ms: int) -> None:
        """Time passes."""

    def take(self) -> list[Received]:
        """What was handed up since the last call."""

    def held(self) -> list[Holding]:
        """The datagrams under way."""

    def blocked(self, source: Address) -> bool:
        """Whether new datagrams of this address are refused."""
