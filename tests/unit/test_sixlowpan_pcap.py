"""Captures: what is written is read again, real files are read, and no bytes break the reader."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from tinyc.errors import TinycError
from tinyc.sixlowpan import frames, pcap
from tinyc.sixlowpan.iphc import Link, decompress
from tinyc.sixlowpan.iphc_compress import checksum, compress
from tinyc.sixlowpan.pcap import Capture, Captured, LinkType

pytestmark = pytest.mark.unit

FRAMES = (
    Captured(1_700_000_000_123_456_789, bytes(range(30)), True, False, -71.5, 200),
    Captured(1_700_000_001_000_000_001, b"\x02\x00\x07", False, False, -90.0, 3),
    Captured(0, b"", True),
)


@pytest.mark.parametrize("link_type", list(LinkType))
def test_written_and_read(tmp_path: Path, link_type: LinkType) -> None:
    path = tmp_path / "air.pcap"
    pcap.write(path, FRAMES, link_type)
    expected = list(FRAMES)
    if link_type is not LinkType.TAP:
        expected = [replace(frame, rssi=None, lqi=None) for frame in expected]
    if link_type is LinkType.NO_FCS:
        expected = [replace(frame, sound=None) for frame in expected]
    assert pcap.read(path) == Capture(link_type, tuple(expected))


def test_a_cut_frame() -> None:
    cut = Captured(5, b"\x41\xdc", None, True)
    assert pcap.parse(pcap.render([cut])).frames == (cut,)
    assert pcap.parse(pcap.render([cut], LinkType.TAP)).frames == (cut,)
    with pytest.raises(ValueError, match="cut"):
        pcap.render([cut], LinkType.WITH_FCS)


def test_big_endian_and_microseconds() -> None:
    header = struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 230)
    record = struct.pack(">IIII", 3, 250_000, 2, 2) + b"\x01\x02"
    assert pcap.parse(header + record) == Capture(LinkType.NO_FCS, (Captured(3_250_000_000, b"\x01\x02"),))


def test_a_recorder_that_was_stopped() -> None:
    whole = pcap.render(FRAMES)
    last = 24 + 16 + 30 + 16 + 3
    for cut in range(24, len(whole)):
        found = pcap.parse(whole[:cut])
        assert found.unfinished == (cut not in (24, 24 + 46, last))
        assert len(found.frames) == (cut >= 70) + (cut >= last)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a capture"),
        (b"\x0a\x0d\x0d\x0a" + bytes(60), "pcapng"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1), "link type 1"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 3, 4, 0, 0, 65535, 230), "not a capture"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 230) + b"\xff" * 16, "4294967295 bytes"),
        (pcap.render([], LinkType.TAP) + struct.pack("<IIII", 0, 0, 4, 4) + b"\0\0\xff\xff", "do not fit"),
    ],
)
def test_refused(content: bytes, says: str) -> None:
    with pytest.raises(TinycError, match=says):
        pcap.parse(content)


def test_damaged_files_never_break_the_reader() -> None:
    """Any damage gives a capture or a TinycError, and never more bytes than the file has."""
    rng = random.Random(1)
    refused = 0
    for _ in range(6000):
        content = bytearray(pcap.render(FRAMES, rng.choice(list(LinkType))))
        for _ in range(rng.randrange(1, 6)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        del content[rng.randrange(len(content)) + 1 :]
        try:
            found = pcap.parse(bytes(content))
        except TinycError:
            refused += 1
            continue
        assert sum(len(frame.data) for frame in found.frames) <= len(content)
    assert 1000 < refused < 5900


# Frames, and what their check sums say: those of tcpdump's fuzzed files are wrong.
CAPTURES = {
    "smoltcp_contiki-ng_frag_echo_udp_fcs195.pcap": (4, [True] * 4),
    "smoltcp_contiki-ng_frag_echo_udp_nofcs230.pcap": (4, [None] * 4),
    "tcpdump_802_15_4-data.pcap": (1, [None]),
    "tcpdump_802_15_4-oobr-1.pcap": (1, [False]),
    "tcpdump_802_15_4-oobr-2.pcap": (1, [False]),
    "tcpdump_802_15_4_beacon.pcap": (1, [False]),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_real_captures(shared: Path, name: str) -> None:
    path = shared / "data" / "sixlowpan" / "captures" / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    found = pcap.read(path)
    count, sound = CAPTURES[name]
    assert len(found.frames) == count
    assert not found.unfinished
    assert [frame.sound for frame in found.frames] == sound


def test_real_datagrams_come_out_whole(shared: Path) -> None:
    """Two datagrams that went in two fragments each, ICMP and UDP, and back to the same bytes.

    Whoever kept the capture put other addresses into it, so both checksums are off, by the same amount.
    """
    path = shared / "data" / "sixlowpan" / "captures" / "smoltcp_contiki-ng_frag_echo_udp_fcs195.pcap"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    air = pcap.read(path).frames
    off = set()
    for first, second in (air[:2], air[2:]):
        mac, rest = (frames.parse(frame.data)[1] for frame in (first, second))
        start, end = first.data[mac.payload :], second.data[rest.payload :]
        inner = start[4:]
        link = Link(mac.source.value, mac.destination.value)
        headers = decompress(link, inner, int.from_bytes(start[:2], "big") & 0x7FF)
        datagram = headers.data + inner[headers.consumed :]
        assert end[4] * 8 == len(datagram)
        datagram += end[5:]
        assert len(datagram) == int.from_bytes(datagram[4:6], "big") + 40
        total = checksum(checksum(len(datagram) - 40 + datagram[6], datagram[8:40]), datagram[40:])
        off.add((total & 0xFFFF) + (total >> 16))
        assert compress(link, datagram).data == inner[: headers.consumed]
    assert len(off) == 1
