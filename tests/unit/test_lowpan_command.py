"""`tinyc lowpan`: keys for a network, and verdicts on what was captured of it."""

from __future__ import annotations

import json
import random
import stat
from pathlib import Path

import pytest

from support.command_line import tinyc
from support.iphc_cases import Datagrams
from tinyc.sixlowpan import frames, pcap, peers, sender
from tinyc.sixlowpan.examine import examine
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address, MacFrame, MacType
from tinyc.sixlowpan.iphc import Link
from tinyc.sixlowpan.iphc_compress import compress, udp_checksum
from tinyc.sixlowpan.pcap import Captured, LinkType
from tinyc.sixlowpan.sender import Outgoing

pytestmark = pytest.mark.unit

ONE, TWO = Address.extended(0x0212740000000001), Address.extended(0x0212740000000002)


def sent(payload: bytes, sequence: int = 1, source: Address = ONE, destination: Address = TWO) -> bytes:
    """A data frame."""
    frame = MacFrame(
        MacType.DATA,
        sequence=sequence,
        destination_pan=0xABCD,
        source_pan=0xABCD,
        destination=destination,
        source=source,
    )
    return frames.header(frame) + payload


def datagram(size: int) -> bytes:
    """An uncompressed UDP datagram of `size` bytes."""
    made = Datagrams(7)
    udp = b"\x16\x33\x16\x34" + (size - 40).to_bytes(2, "big") + bytes(2)
    whole = made.ipv6(made.link(), 17, size - 40) + udp + random.Random(1).randbytes(size - 48)
    return whole[:46] + udp_checksum(whole, 0, 40).to_bytes(2, "big") + whole[48:]


def fragments(tag: int, whole: bytes) -> list[bytes]:
    """Fragments of a datagram by hand, 80 bytes each."""
    size = len(whole)
    made = [(0xC000 | size).to_bytes(2, "big") + tag.to_bytes(2, "big") + b"\x41" + whole[:80]]
    for at in range(80, size, 80):
        head = (0xE000 | size).to_bytes(2, "big") + tag.to_bytes(2, "big") + bytes([at // 8])
        made.append(head + whole[at : at + 80])
    return made


def test_provision(tmp_path: Path) -> None:
    folder = tmp_path / "peers"
    said = tinyc("lowpan", "provision", "02:12:74:00:00:00:00:01", "12:34", "--folder", folder, "--json")
    assert said.code == 0
    assert [row["peers"] for row in said.json] == [1, 1]
    files = [Path(row["file"]) for row in said.json]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    (key,) = {node.peers[0].key for node in peers.load_folder(folder)}
    assert key is not None
    assert key.hex() not in said.stdout + said.stderr
    assert tinyc("lowpan", "provision", "00:07", "--hub", "12:34", "--folder", folder).code == 0
    nodes = {node.address: node for node in peers.load_folder(folder)}
    assert sorted(len(node.peers) for node in nodes.values()) == [1, 1, 2]
    assert key in {peer.key for peer in nodes[peers.parse_address("12:34")].peers}


def test_provision_says_what_is_wrong(tmp_path: Path) -> None:
    said = tinyc("lowpan", "provision", "12:3", "--folder", tmp_path / "peers")
    assert said.code == 1
    assert "12:3" in said.stderr
    assert not (tmp_path / "peers").exists()


def test_check(tmp_path: Path) -> None:
    """Whole, in order, with a repeat, with a forged copy before, without an end, and other frames."""
    whole = datagram(240)
    payloads = [b"\x41" + datagram(60)]
    payloads += fragments(1, whole)
    second = fragments(2, whole)
    payloads += [second[0], second[1], second[1], second[2]]
    third = fragments(3, whole)
    forged = third[1][:-1] + bytes([third[1][-1] ^ 1])
    payloads += [third[0], forged, *third[1:]]
    payloads += fragments(4, whole)[:2]
    payloads.append(b"\x41" + bytes(39))
    air = [Captured(i * 5_000_000, sent(payload, i), True) for i, payload in enumerate(payloads)]
    air.append(Captured(0, frames.acknowledgement(7), True))
    air.append(Captured(0, b"\x01", True))
    air.append(Captured(0, sent(payloads[0]), False))
    path = tmp_path / "air.pcap"
    pcap.write(path, air, LinkType.WITH_FCS)
    said = tinyc("lowpan", "check", path, "--json")
    assert said.code == 0
    found = [(row["tag"], row["frames"], row["verdict"], row["why"]) for row in said.json["datagrams"]]
    assert found == [
        (None, 1, "delivered", {}),
        (1, 3, "delivered", {}),
        (2, 4, "delivered", {}),
        (3, 4, "refused", {"conflict": 1, "orphan": 1}),
        (4, 2, "incomplete", {}),
        (None, 1, "refused", {"headers: truncated": 1}),
    ]
    assert said.json["skipped"] == {"not data": 1, "header: truncated": 1, "wrong check sum": 1}
    table = tinyc("lowpan", "check", path)
    assert table.code == 0
    assert "1 conflict, 1 orphan" in table.stdout


def test_check_with_keys(tmp_path: Path) -> None:
    """Compressed, chained with the provisioned key, forged and replayed: all of it from the files alone."""
    folder = tmp_path / "peers"
    nodes = {node.address: node for node in peers.provision([ONE, TWO])}
    files = dict(zip(nodes, peers.write(folder, nodes.values()), strict=True))
    key = nodes[ONE].peers[0].key
    assert key is not None
    made = Datagrams(8)
    udp = made.udp(200)
    whole = made.ipv6(Link(ONE.value, TWO.value), 17, len(udp)) + udp
    whole = whole[:46] + udp_checksum(whole, 0, 40).to_bytes(2, "big") + whole[48:]
    headers = compress(Link(ONE.value, TWO.value), whole[:100], len(whole))
    air = []
    for tag, mode in ((1, Mode.KEYED), (2, Mode.KEYED), (3, Mode.CONTENT), (1, Mode.KEYED)):
        outgoing = Outgoing(
            ONE, TWO, headers.data, headers.consumed, whole[headers.consumed :], tag, mode, 0, key
        )
        payloads = sender.fragments(outgoing, 104)
        assert len(payloads) == 3
        if tag == 2:
            payloads.insert(1, payloads[1][:-3] + bytes([payloads[1][-3] ^ 1]) + payloads[1][-2:])
        air += [sent(payload, len(air) + i) for i, payload in enumerate(payloads)]
    path = tmp_path / "air.pcap"
    pcap.write(path, [Captured(i * 200_000_000, data) for i, data in enumerate(air)])
    said = tinyc("lowpan", "check", path, "--node", files[TWO], "--json")
    found = [(row["tag"], row["mode"], row["verdict"], row["why"]) for row in said.json["datagrams"]]
    assert found[1] == (2, "keyed", "delivered", {"tag_later": 1})
    # A content chain from a peer with a key is read as a keyed one, whose first tag is shorter.
    assert found[2] == (3, "keyed", "refused", {"misaligned": 1, "orphan": 2})
    assert found[0][:3] == (1, "keyed", "delivered")
    assert found[0][3] == {"replay": 1, "orphan": 2}
    assert [row["verdict"] for row in tinyc("lowpan", "check", path, "--json").json["datagrams"]] == [
        *("refused", "refused", "delivered")
    ]


def test_check_refuses_what_is_no_capture(tmp_path: Path) -> None:
    path = tmp_path / "text.pcap"
    path.write_text("this is no capture at all")
    assert tinyc("lowpan", "check", path).code == 1
    assert tinyc("lowpan", "check", tmp_path / "missing.pcap").code == 1


def test_real_captures(shared: Path) -> None:
    folder = shared / "data" / "sixlowpan" / "captures"
    if not folder.is_dir():
        pytest.skip("the captures are not here")
    # Whoever kept them put other addresses into them: their checksums are wrong.
    for path in sorted(folder.glob("smoltcp*.pcap")):
        judged = examine(pcap.read(path).frames)
        assert [(each.size, each.verdict, each.frames) for each in judged.datagrams] == [
            (176, "refused", 2),
            (188, "refused", 2),
        ]


def test_the_attack_corpus_as_captures(shared: Path) -> None:
    """Each case of the corpus as a capture: every frame is accounted for, the clean one is delivered."""
    path = shared / "data" / "sixlowpan" / "attack_corpus.json"
    if not path.exists():
        pytest.skip("the attack corpus is not here")
    delivered = {}
    for case in json.loads(path.read_text())["cases"]:
        air = [Captured(it["t_ms"] * 1_000_000, bytes.fromhex(it["hex"])) for it in case["frames"]]
        judged = examine(pcap.parse(pcap.render(air)).frames)
        counted = sum(each.frames for each in judged.datagrams) + judged.skipped.total()
        assert counted == len(air), case["name"]
        delivered[case["name"]] = [each.verdict for each in judged.datagrams]
    assert delivered["in-order"] == ["delivered"]
    assert len(delivered) == 49
