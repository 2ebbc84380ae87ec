"""UDP datagrams between link-local addresses.

Their traffic class is 0: lwIP 2.1.3 does not put the two parts of another one into IPv6's order
(RFC 6282, 3.1.1), nor back.
"""

from __future__ import annotations

import numpy as np

from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.iphc import interface_identifier
from tinyc.sixlowpan.iphc_compress import udp_checksum

_FLOWS = (b"\x60\0\0\0", b"\x60\x0a\xbc\xde")
_LIMITS = (1, 64, 255, 17)
_PORTS = (5001, 0xF012, 0xF0B3, 0xF0B9)


def link_local(address: Address) -> bytes:
    """The IPv6 address that is made of a link-layer address."""
    identifier = interface_identifier(address.value)
    assert identifier is not None
    return b"\xfe\x80" + bytes(6) + identifier


def udp_datagram(rng: np.random.Generator, source: Address, destination: Address, size: int) -> bytes:
    """A datagram of `size` bytes with a right checksum and headers drawn from `rng`."""
    length = size - 40
    ports = b"".join(_PORTS[int(i)].to_bytes(2, "big") for i in rng.integers(0, len(_PORTS), 2))
    ip = _FLOWS[int(rng.integers(2))] + length.to_bytes(2, "big") + bytes([17, _LIMITS[int(rng.integers(4))]])
    ip += link_local(source) + link_local(destination)
    made = ip + ports + length.to_bytes(2, "big") + bytes(2) + rng.bytes(length - 8)
    return made[:46] + udp_checksum(made, 0, 40).to_bytes(2, "big") + made[48:]
