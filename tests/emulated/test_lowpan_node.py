"""Firmware of 6LoWPAN nodes without a model, on emulated boards: UDP and pings over a simulated air."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support import wireshark
from support.lowpan_air import NodeBoard, Station
from support.small_firmware import SOURCES
from tinyc.boards import Board, load_board
from tinyc.device.client import DeviceClient
from tinyc.emit.lowpan import Application
from tinyc.emulator.air import MICROSECOND, Air
from tinyc.errors import TinycError
from tinyc.sixlowpan import pcap
from tinyc.sixlowpan.endpoint import PAYLOAD_MAX, Endpoint, ipv6_datagram, link_local
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address, check_sum
from tinyc.sixlowpan.iphc_compress import checksum
from tinyc.sixlowpan.pcap import Captured
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.toolchain import lowpan
from tinyc.toolchain.lowpan import NodeFirmware

pytestmark = pytest.mark.emulated

PAN = 0x1234
NODE = Address.extended(0x02AABBCCDDEEFF01)
FRIEND, STRANGER, SHORT = Address.extended(0x0212740000000007), Address.short(0x0042), Address.short(0x1234)
KEY = bytes(range(16))
SETTINGS = LowpanSettings(
    pan=PAN,
    channel=20,
    extended=NODE,
    source=NODE,
    peers=(Peer(FRIEND, Mode.KEYED, KEY), Peer(SHORT, Mode.CONTENT)),
)
ICMP = 58


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("nrf52840")


@pytest.fixture(scope="module")
def firmware(board: Board, tmp_path_factory: pytest.TempPathFactory) -> NodeFirmware:
    source = SOURCES / "lowpan_echo.c"
    application = Application("echo", {source.name: source.read_text(encoding="utf-8")})
    return lowpan.build(board, SETTINGS, application, tmp_path_factory.mktemp("node") / "out")


@pytest.fixture
def air() -> Air:
    return Air()


@pytest.fixture
def node(firmware: NodeFirmware, air: Air) -> NodeBoard:
    found = NodeBoard(firmware.firmware.elf, firmware.board, air, "node")
    air.run(5_000)
    return found


@pytest.fixture
def station(air: Air, node: NodeBoard) -> Callable[[Address], Station]:
    """`station(address)` is a node of this machine, which knows the board as its peer if that knows it."""

    def made(address: Address) -> Station:
        own = next((peer for peer in SETTINGS.peers if peer.address == address), None)
        known = () if own is None else (replace(own, address=NODE),)
        return Station(air, Endpoint(address, PAN, known), address.value.hex(), SETTINGS.channel)

    return made


def icmp(source: bytes, destination: bytes, body: bytes) -> bytes:
    """An ICMPv6 datagram with its checksum (RFC 4443, 2.3) put in place."""
    total = checksum(checksum(len(body) + ICMP, source + destination), body[:2] + b"\0\0" + body[4:])
    total = total % 0xFFFF
    return ipv6_datagram(source, destination, ICMP, body[:2] + (0xFFFF - total).to_bytes(2, "big") + body[4:])


@pytest.mark.parametrize("address", [FRIEND, STRANGER, SHORT], ids=["keyed", "legacy", "content"])
@pytest.mark.parametrize("size", [0, 1, 500, PAYLOAD_MAX])
def test_a_datagram_is_sent_back_in_the_mode_that_was_agreed(
    air: Air, station: Callable[[Address], Station], address: Address, size: int
) -> None:
    here = station(address)
    data = bytes(i % 251 for i in range(size))
    here.send(here.endpoint.send(NODE, (5000, 6000), data))
    air.run(150_000)
    (got,) = here.received
    assert (got.data, got.source_port, got.destination_port) == (data, 6000, 5000)
    assert (got.link, got.source, got.destination) == (NODE, link_local(NODE), link_local(address))
    assert got.mode is {FRIEND: Mode.KEYED, STRANGER: Mode.LEGACY, SHORT: Mode.CONTENT}[address]


def test_echo_requests_are_answered(air: Air, station: Callable[[Address], Station]) -> None:
    here = station(STRANGER)
    ends = link_local(STRANGER), link_local(NODE)
    asked = icmp(*ends, b"\x80\0\0\0\x12\x34\0\x01" + bytes(range(200)))
    here.send(here.endpoint.frames(NODE, asked))
    air.run(50_000)
    (answer,) = here.endpoint.receiver.delivered
    assert answer.data == icmp(ends[1], ends[0], b"\x81\0\0\0" + asked[44:])


def test_wireshark_reads_what_was_on_the_air(
    air: Air, station: Callable[[Address], Station], tmp_path: Path
) -> None:
    """Request and answer as datagrams in one frame and in fragments, with their check sums."""
    wireshark.required()
    here, sizes = station(STRANGER), (40, 480)
    for size in sizes:
        here.send(here.endpoint.send(NODE, (5000, 6000), bytes(range(40)) * (size // 40)))
        air.run(150_000)
    heard = [
        Captured(1000 * it.start // MICROSECOND, it.psdu[:-2], it.psdu[-2:] == check_sum(it.psdu[:-2]))
        for it in air.frames
    ]
    pcap.write(tmp_path / "air.pcap", heard, pcap.LinkType.WITH_FCS)
    names = (
        "wpan.fcs_ok",
        "wpan.src64",
        "udp.srcport",
        "udp.checksum.status",
        "udp.payload",
        "6lowpan.frag.tag",
    )
    rows = wireshark.fields(tmp_path / "air.pcap", names)
    assert len(rows) == len(air.frames) > 20
    assert all(wireshark.one(row, "wpan.fcs_ok") == 1 for row in rows)
    datagrams = [row for row in rows if row["udp.payload"]]
    assert [wireshark.one(row, "udp.srcport") for row in datagrams] == [5000, 6000] * 2
    assert [bool(row["6lowpan.frag.tag"]) for row in datagrams] == [False, False, True, True]
    assert [wireshark.octets(row, "wpan.src64") for row in datagrams] == [b"", NODE.value] * 2
    for row, size in zip(datagrams, (40, 40, 480, 480), strict=True):
        assert wireshark.one(row, "udp.checksum.status") == 1
        assert wireshark.octets(row, "udp.payload") == bytes(range(40)) * (size // 40)


def test_what_is_not_for_the_node_or_lies_about_its_sender_is_not_delivered(
    air: Air, station: Callable[[Address], Station]
) -> None:
    here = station(STRANGER)
    for ends in (
        (link_local(FRIEND), link_local(NODE)),  # the victim's IPv6 address, on an own frame
        (link_local(STRANGER), link_local(FRIEND)),
        (bytes.fromhex("ff02") + bytes(13) + b"\x01", link_local(NODE)),
    ):
        here.send(here.endpoint.frames(NODE, icmp(*ends, b"\x80\0\0\0\x12\x34\0\x01")))
        air.run(30_000)
    assert not here.heard


def test_a_downgrade_is_not_delivered(air: Air, station: Callable[[Address], Station]) -> None:
    friend = station(FRIEND)
    friend.endpoint.peers = ()
    friend.send(friend.endpoint.send(NODE, (1, 2), b"without a chain" * 20))
    friend.send(friend.endpoint.send(NODE, (1, 2), b"short"))
    air.run(50_000)
    assert not friend.heard


def test_the_node_sends_by_itself_one_datagram_at_a_time(
    air: Air, node: NodeBoard, station: Callable[[Address], Station]
) -> None:
    here = station(SHORT)
    node.set_word("wanted", 300)
    air.run(100_000)
    (got,) = here.received
    assert got.data == bytes(i * 7 % 256 for i in range(300))
    assert [node.word("results", i) for i in range(3)] == [0, 1, 1]
    # Nobody acknowledges: the datagram fails after one frame with its repetitions, and the next may go.
    here.channel = 11
    before = len(air.frames)
    node.set_word("wanted", 1000)
    air.run(100_000)
    assert len(air.frames) - before == 4
    node.set_word("wanted", 1)
    air.run(100_000)
    assert node.word("results") == 0


def test_it_sleeps_and_answers_the_serial_port(node: NodeBoard, air: Air, board: Board) -> None:
    node.machine.reset_profile()
    air.run(1_000_000)
    assert node.machine.asleep
    assert node.machine.profile().instructions < 1_000_000
    client = DeviceClient(node.machine.transport)
    hello = client.hello()
    assert (hello.board, hello.model) == (board.name, "lowpan echo")


def test_chains_go_on_after_a_restart_and_replays_do_not(
    node: NodeBoard, air: Air, station: Callable[[Address], Station]
) -> None:
    friend = station(FRIEND)
    recorded = [friend.endpoint.send(NODE, (5000, 6000), b"datagram %d" % i * 20) for i in range(40)]
    for frames in recorded[:35]:
        friend.send(frames)
        air.run(60_000)
    assert len(friend.received) == 35
    air.run(1_100_000)  # a record a second at most
    DeviceClient(node.machine.transport).reset()
    air.run(500_000)
    for frames in (*recorded[:33], *recorded[35:]):
        friend.send(frames)
        air.run(60_000)
    # Tags 32 to 63 are one step, and count as used.
    assert len(friend.received) == 35
    for i in range(24):
        friend.send(friend.endpoint.send(NODE, (5000, 6000), b"later %d" % i * 30))
        air.run(60_000)
    assert [each.data[:8] for each in friend.received[35:]] == [b"later 23"]
    assert all(each.mode is Mode.KEYED for each in friend.received)


def test_boards_without_a_radio_are_refused(tmp_path: Path) -> None:
    application = Application("a", {"a.c": ""})
    with pytest.raises(TinycError, match="has no radio") as caught:
        lowpan.build(load_board("microbit"), SETTINGS, application, tmp_path / "out")
    assert "nrf52840" in caught.value.allowed
    assert not (tmp_path / "out").exists()
