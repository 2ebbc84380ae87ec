"""Compressed headers as scapy reads them: addresses, flow label, next header and hop limit are ours.

Not compared: the traffic class, whose two fields scapy 2.8 does not put into IPv6's order (RFC 6282, 3.1.1),
lengths, which it takes from what it kept of the payload, and contexts, which it does not have.
"""

from __future__ import annotations

import logging

import pytest

from support.iphc_cases import Datagrams
from tinyc.sixlowpan import frames
from tinyc.sixlowpan.frames import Address, MacFrame, MacType
from tinyc.sixlowpan.iphc import Link
from tinyc.sixlowpan.iphc_compress import compress

pytestmark = pytest.mark.unit


def test_scapy_reads_the_same_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scapy")
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    from scapy.config import conf
    from scapy.layers.dot15d4 import Dot15d4
    from scapy.layers.inet6 import IPv6

    monkeypatch.setattr(conf, "dot15d4_protocol", "sixlowpan")
    made = Datagrams(21)
    read = 0
    for _ in range(400):
        source, destination = made.rng.randbytes(8), made.rng.randbytes(8)
        link = Link(source, destination)
        udp = made.udp(made.rng.randrange(1, 30))
        datagram = made.ipv6(link, 17, len(udp)) + udp
        headers = compress(link, datagram)
        mac = MacFrame(
            MacType.DATA,
            sequence=1,
            destination_pan=0xABCD,
            source_pan=0xABCD,
            destination=Address(destination),
            source=Address(source),
        )
        seen = Dot15d4(frames.header(mac) + headers.data + datagram[headers.consumed :])
        if IPv6 not in seen:
            continue
        theirs = bytes(seen[IPv6])
        assert theirs[6:40] == datagram[6:40], headers.data.hex()
        assert theirs[1] & 15 == datagram[1] & 15
        assert theirs[2:4] == datagram[2:4]
        read += 1
    assert read > 300
