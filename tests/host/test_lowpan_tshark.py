"""Wireshark's dissection of what our sender makes: addresses, fragments, headers, ports, and the datagram."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import wireshark
from support.iphc_cases import CONTEXTS, Datagrams
from support.wireshark import octets, one
from tinyc.sixlowpan import chain, frames, pcap, sender
from tinyc.sixlowpan.fragments import FIRST, HEADER_FIRST, Mode
from tinyc.sixlowpan.frames import Address, MacFrame, MacType
from tinyc.sixlowpan.iphc import Link
from tinyc.sixlowpan.iphc_compress import compress, udp_checksum
from tinyc.sixlowpan.pcap import Captured, LinkType
from tinyc.sixlowpan.sender import Outgoing

pytestmark = pytest.mark.host

PAN, KEY = 0xABCD, bytes(range(16))
# Prefixes of whole bytes and one of 128 bits: not the one of 45, which Wireshark reads in another way.
KNOWN = (CONTEXTS[0], CONTEXTS[1], CONTEXTS[3])
PREFERENCES = tuple(
    it
    for context in KNOWN
    for it in (
        "-o",
        f"6lowpan.context{context.number}:{ipaddress.IPv6Address(context.prefix)}/{context.length}",
    )
)
MAC = ("wpan.src16", "wpan.src64", "wpan.dst16", "wpan.dst64", "wpan.seq_no", "wpan.fcs_ok")
FRAGMENT = ("6lowpan.frag.size", "6lowpan.frag.tag", "6lowpan.frag.offset", "6lowpan.reassembled.in")
FAULTS = ("6lowpan.fragment.overlap", "6lowpan.fragment.error", "_ws.malformed", "6lowpan.pagenb")
IPHC = tuple(f"6lowpan.iphc.{it}" for it in ("tf", "nh", "hlim", "cid", "sac", "sam", "m", "dac", "dam"))
DATAGRAM = (
    *("ipv6.src", "ipv6.dst", "ipv6.tclass", "ipv6.flow", "ipv6.hlim", "ipv6.plen", "udp.srcport"),
    *("udp.dstport", "udp.length", "udp.checksum", "udp.checksum.status", "udp.payload"),
)
NAMES = (*MAC, *FRAGMENT, *FAULTS, *IPHC, "6lowpan.nhc.udp.ports", *DATAGRAM, "data.data")


@dataclass(frozen=True, slots=True)
class Sent:
    """A datagram as it is and as it went out."""

    datagram: bytes
    outgoing: Outgoing
    payloads: tuple[bytes, ...]


def sent(number: int, made: Datagrams, mode: Mode) -> Sent:
    """A UDP datagram of any size and form that fits."""
    rng = made.rng
    ends = [rng.choice([rng.randbytes(2), rng.randbytes(8)]) for _ in "ab"]
    link = Link(*ends, KNOWN if rng.random() < 0.7 else ())
    udp = made.udp(rng.choice([rng.randrange(40), rng.randrange(300), rng.randrange(1233), 1232]))
    datagram = made.ipv6(link, 17, len(udp)) + udp
    datagram = datagram[:46] + udp_checksum(datagram, 0, 40).to_bytes(2, "big") + datagram[48:]
    headers = compress(link, datagram)
    form, covered = (headers.data, headers.consumed) if rng.random() < 0.8 else (b"\x41", 0)
    key = KEY if mode is Mode.KEYED else b""
    rest = datagram[covered:]
    outgoing = Outgoing(Address(ends[0]), Address(ends[1]), form, covered, rest, number, mode, 0, key)
    return Sent(datagram, outgoing, tuple(sender.fragments(outgoing, rng.choice([64, 80, 96]))))


def written(path: Path, many: list[Sent], payloads: list[tuple[bytes, ...]]) -> None:
    """A capture of their frames."""
    captured = []
    for number, (it, some) in enumerate(zip(many, payloads, strict=True)):
        for i, payload in enumerate(some):
            mac = MacFrame(
                MacType.DATA,
                sequence=i,
                destination_pan=PAN,
                source_pan=PAN,
                destination=it.outgoing.destination,
                source=it.outgoing.source,
            )
            time = number * 1_000_000_000 + i * 1_000_000
            captured.append(Captured(time, frames.header(mac) + payload, sound=True))
    pcap.write(path, captured, LinkType.WITH_FCS)


def check_mac(row: dict[str, list[str]], it: Sent, number: int) -> None:
    for end, address in (("src", it.outgoing.source), ("dst", it.outgoing.destination)):
        short, extended = row[f"wpan.{end}16"], octets(row, f"wpan.{end}64")
        if address.kind == 2:
            assert [int(text, 0) for text in short] == [int.from_bytes(address.value, "big")]
            assert extended == b""
        else:
            assert short == []
            assert extended == address.value
    assert one(row, "wpan.seq_no") == number
    assert row["wpan.fcs_ok"] in (["1"], ["True"])


def check_fragment(row: dict[str, list[str]], it: Sent, payload: bytes, last: int) -> None:
    """A fragment as RFC 4944 has it; all point to the frame with which the datagram is whole."""
    assert one(row, "6lowpan.frag.size") == len(it.datagram) == (payload[0] & 7) << 8 | payload[1]
    assert one(row, "6lowpan.frag.tag") == it.outgoing.tag
    for fault in ("6lowpan.fragment.overlap", "6lowpan.fragment.error", "_ws.malformed"):
        assert row[fault] == []
    first = payload[0] & 0xF8 == FIRST
    assert one(row, "6lowpan.frag.offset") == (None if first else payload[HEADER_FIRST] * 8)
    assert row["6lowpan.reassembled.in"] in ([], [str(last)])


def check_headers(row: dict[str, list[str]], content: bytes) -> None:
    """IPHC's fields are those of its two bytes; and the form of the ports (RFC 6282, 3.1.1 and 4.3.3)."""
    if content[0] >> 5 != 3:
        assert all(row[name] == [] for name in IPHC)
        return
    high, low = content[:2]
    told = [one(row, name) for name in IPHC]
    bits = [high >> 3 & 3, high >> 2 & 1, high & 3, low >> 7]
    assert told == [*bits, low >> 6 & 1, low >> 4 & 3, low >> 3 & 1, low >> 2 & 1, low & 3]


def check_datagram(row: dict[str, list[str]], data: bytes) -> None:
    assert ipaddress.IPv6Address(row["ipv6.src"][0]).packed == data[8:24]
    assert ipaddress.IPv6Address(row["ipv6.dst"][0]).packed == data[24:40]
    start = int.from_bytes(data[:4], "big")
    assert one(row, "ipv6.tclass") == start >> 20 & 0xFF
    assert one(row, "ipv6.flow") == start & 0xFFFFF
    assert one(row, "ipv6.hlim") == data[7]
    assert one(row, "ipv6.plen") == len(data) - 40
    words = ("udp.srcport", "udp.dstport", "udp.length", "udp.checksum")
    assert [one(row, name) for name in words] == [
        int.from_bytes(data[i : i + 2], "big") for i in range(40, 48, 2)
    ]
    assert one(row, "udp.checksum.status") == 1  # good
    assert octets(row, "udp.payload") == data[48:]


def test_legacy_datagrams(tmp_path: Path) -> None:
    """Every frame, and every datagram as a whole."""
    wireshark.required()
    made, forms = Datagrams(31), set()
    many = [it for it in (sent(number, made, Mode.LEGACY) for number in range(260)) if it.payloads]
    assert len(many) > 200
    written(tmp_path / "sent.pcap", many, [it.payloads for it in many])
    rows = wireshark.fields(tmp_path / "sent.pcap", NAMES, *PREFERENCES)
    assert len(rows) == sum(len(it.payloads) for it in many)
    at = 0
    for it in many:
        mine = rows[at : at + len(it.payloads)]
        at += len(it.payloads)
        for number, (row, payload) in enumerate(zip(mine, it.payloads, strict=True)):
            check_mac(row, it, number)
            if len(mine) > 1:
                check_fragment(row, it, payload, at)
        check_headers(mine[0], it.payloads[0][HEADER_FIRST:])
        if len(mine) > 1:  # one that is whole in its first fragment is none for Wireshark
            check_datagram(mine[-1], it.datagram)
        forms.add(tuple(one(mine[0], name) for name in (*IPHC[:3], "6lowpan.nhc.udp.ports")))
    assert {ports for *_, ports in forms} >= {None, 0, 1, 2, 3}
    assert {limit for _, _, limit, _ in forms} >= {None, 0, 1, 2, 3}
    assert {traffic for traffic, *_ in forms} >= {None, 0, 1, 2, 3}


@pytest.mark.parametrize("mode", [Mode.CONTENT, Mode.KEYED])
def test_chained_fragments(tmp_path: Path, mode: Mode) -> None:
    """As sent they are of page 15; without that byte and the trailers they are RFC 4944's."""
    wireshark.required()
    made = Datagrams(32 + mode)
    many = [it for it in (sent(number, made, mode) for number in range(60)) if len(it.payloads) > 1]
    assert len(many) > 40
    plain = []
    for it in many:
        ends = [chain.FIRST_TRAILER[mode], *[chain.MIDDLE_TRAILER[mode]] * (len(it.payloads) - 2)]
        ends.append(chain.LAST_TRAILER[mode])
        cut = zip(it.payloads, ends, strict=True)
        plain.append(tuple(payload[1 : len(payload) - end] for payload, end in cut))
    for name, payloads in (("chained", [it.payloads for it in many]), ("plain", plain)):
        written(tmp_path / f"{name}.pcap", many, payloads)
        rows = wireshark.fields(tmp_path / f"{name}.pcap", NAMES, *PREFERENCES)
        at = 0
        for it, some in zip(many, payloads, strict=True):
            mine = rows[at : at + len(some)]
            at += len(some)
            for number, (row, payload) in enumerate(zip(mine, some, strict=True)):
                check_mac(row, it, number)
                if name == "chained":
                    assert one(row, "6lowpan.pagenb") == 15
                    assert row["6lowpan.frag.size"] == []
                    assert octets(row, "data.data") == payload[1:]
                else:
                    check_fragment(row, it, payload, at)
            if name == "plain":
                check_headers(mine[0], some[0][HEADER_FIRST:])
                check_datagram(mine[-1], it.datagram)
