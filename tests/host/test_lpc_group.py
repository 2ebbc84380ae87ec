"""What a 6LoWPAN node tells over SMP, under sanitizers: the same as its twin in Python has counted."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from support import lpc, smp_device
from support.command_line import tinyc
from support.smp_device import HOST, READ, TINYC, WRITE, frame, message
from support.smp_peer import serial_port
from tinyc.device.client import DeviceClient
from tinyc.device.framing import FrameDecoder
from tinyc.emit.environment import render
from tinyc.resources import data_folder
from tinyc.sixlowpan import sender, words
from tinyc.sixlowpan.contexts import Sizes
from tinyc.sixlowpan.emit import receive_texts
from tinyc.sixlowpan.emit_node import node_texts
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.peers import show_address
from tinyc.sixlowpan.receiver import Peer, Receiver
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.sixlowpan.told import NODE, RADIO, LowpanClient, Standing
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

pytestmark = pytest.mark.host

TEMPLATES = data_folder("firmware_templates")
FRAME, LOWPAN, NEIGHBOURS = 1, 15, 16
OURS = Address.extended(0x0212740000000001)
FRIEND, STRANGER = Address.extended(0x0212740000000002), Address.short(0x1234)
KEY = bytes(range(16))
PEERS = (Peer(FRIEND, Mode.KEYED, KEY),)
SIZES = Sizes(neighbours=11)  # more than one page, the last of them not full
MALFORMED, OUT_OF_RANGE, UNSUPPORTED = 2, 3, 8


@pytest.fixture(scope="module")
def node() -> Path:
    files = smp_device.texts(512)
    del files["tinyc_group.c"]
    files |= receive_texts(SIZES, PEERS)
    files["lowpan_config.h"] = node_texts(LowpanSettings())["lowpan_config.h"]
    for name in ("lpc_group.c", "lpc_group.h", "lowpan_node.h"):
        files[name] = (TEMPLATES / "sixlowpan" / name).read_text(encoding="utf-8")
    files["radio.h"] = (TEMPLATES / "hal" / "include" / "radio.h").read_text(encoding="utf-8")
    for name in ("smp_main.c", "lpc_group_stand_in.c"):
        files[name] = (HOST / name).read_text(encoding="utf-8")
    files["main.c"] = render("runtime/main.c.j2", view=smp_device.VIEW)
    compiler = find_compiler()
    flags = (*WARNINGS, "-Wshadow", "-Wconversion", "-O1", "-g", *compiler.sanitizer_flags())
    return compile_cached(compiler, files, flags, "lpc_group")


class Line:
    """A node that has heard some frames, as a transport; each request is asked of it as of a new one."""

    def __init__(self, node: Path, heard: Sequence[bytes]) -> None:
        self._node, self._before, self._out = node, b"".join(map(frame, heard)), b""
        self._skip, self._sent = len(heard), FrameDecoder()

    def write(self, data: bytes) -> None:
        for request in self._sent.feed(data):
            answers = smp_device.exchange(self._node, self._before + frame(request)).answers
            self._out += b"".join(frame(answer.raw) for answer in answers[self._skip :])

    def read(self, size: int, timeout: float) -> bytes:
        out, self._out = self._out[:size], self._out[size:]
        return out

    def close(self) -> None:
        pass


def fed(now: int, source: Address, payload: bytes) -> bytes:
    data = lpc.words(now) + source.packed() + OURS.packed() + payload
    return message(WRITE, TINYC, FRAME, {"data": data})


def traffic(seed: int) -> list[tuple[int, Address, bytes]]:
    """A keyed friend, a stranger in legacy mode, many who only begin, and noise."""
    chance = random.Random(f"group {seed}")
    sent: list[tuple[int, Address, bytes]] = []
    now = 1000
    for tag in range(1, 25):
        source, how = chance.choice([(FRIEND, {"mode": Mode.KEYED, "key": KEY}), (STRANGER, {})])
        datagram = lpc.ipv6(chance.choice([48, 200, 448]), chance.randbytes(7))
        for payload in sender.fragments(lpc.outgoing(datagram, source, OURS, tag=tag, **how), 104):
            now += chance.choice([2, 5])
            if chance.random() > 0.05:
                sent.append((now, source, payload))
            if chance.random() < 0.2:
                sent.append((now, source, payload[:-1] + bytes([payload[-1] ^ 1])))
        if chance.random() < 0.9:
            many = Address.extended(chance.randrange(10, 30))
            sent.append((now, many, lpc.header_only(448, tag, chance.randbytes(40))))
        if tag % 8 == 0:  # as if of the friend
            sent.append(
                (now, FRIEND, b"\xff" + lpc.header_only(448, 900 + tag, chance.randbytes(40)) + b"none")
            )
        now += chance.choice([20, 700])
    sent += [(now, STRANGER, chance.randbytes(chance.randrange(90))) for _ in range(20)]
    return sent


@pytest.mark.parametrize("seed", range(3))
def test_the_client_reads_what_the_twin_has_counted(node: Path, seed: int) -> None:
    frames = traffic(seed)
    twin = Receiver(PEERS, SIZES)
    verdicts = [twin.input(now, source, OURS, payload) for now, source, payload in frames]
    heard = [fed(*each) for each in frames]
    client = LowpanClient(DeviceClient(Line(node, heard)))
    told, neighbours = client.told(), client.neighbours()
    assert len(set(verdicts)) >= 6
    assert told.verdicts == dict(zip(Verdict, twin.counters, strict=True))
    assert told.milliseconds == frames[-1][0]
    assert told.node == dict(zip(NODE, range(1, 8), strict=True))
    memory = told.memory
    assert (memory.slots, memory.contexts) == twin.contexts.in_use()
    assert (memory.slots_of, memory.slot_bytes, memory.contexts_of, memory.neighbours_of) == (
        *(SIZES.slots, SIZES.slot_bytes, SIZES.contexts, SIZES.neighbours),
    )
    known = [it for it in twin.scores.entries if it is not None]
    assert len(known) > 8
    assert list(neighbours) == [
        Standing(it.address, it.keyed, it.score, it.ok, it.streak, it.blocked) for it in known
    ]


def test_what_is_refused(node: Path) -> None:
    requests = [
        message(READ, TINYC, NEIGHBOURS),
        message(READ, TINYC, NEIGHBOURS, {"first": b"0"}),
        message(READ, TINYC, NEIGHBOURS, {"first": SIZES.neighbours + 1}),
        message(READ, TINYC, NEIGHBOURS, {"first": 2**40}),
        message(WRITE, TINYC, NEIGHBOURS, {"first": 0}),
        message(WRITE, TINYC, LOWPAN),
        message(READ, TINYC, NEIGHBOURS, {"first": SIZES.neighbours}),
    ]
    heard = smp_device.exchange(node, b"".join(map(frame, requests))).answers
    codes = [dict(it.body).get("err", it.body).get("rc") for it in heard[:-1]]
    assert codes == [MALFORMED, MALFORMED, OUT_OF_RANGE, OUT_OF_RANGE, UNSUPPORTED, UNSUPPORTED]
    assert heard[-1].body == {"next": SIZES.neighbours, "neighbours": []}


def test_counters_that_move_do_not_tear_an_answer(node: Path) -> None:
    """`parse` in smp_device holds the length of each message against its bytes."""
    heard = smp_device.exchange(node, frame(message(READ, TINYC, LOWPAN)) * 30).answers
    last = [it.body["radio"][RADIO.index("no_ack")] for it in heard]
    assert last == list(range(1, 31))
    received = [it.body["radio"][0] for it in heard]
    assert received[0] == 20 and received[-1] > 255


def test_names_are_those_of_the_firmware() -> None:
    """The numbers of `enum lpc_verdict` and `enum lpc_event`, and the order of the radio's counters."""
    text = (TEMPLATES / "sixlowpan" / "lpc.h").read_text(encoding="utf-8")
    enums = "".join(re.findall(r"enum lpc_(?:verdict|event) \{.*?\};", text, re.DOTALL))
    numbers = {name: int(number) for name, number in re.findall(r"LPC_(\w+) = (\d+)", enums)}
    count = numbers.pop("COUNTERS")
    numbers.pop("VERDICTS")
    assert numbers == {verdict.name: verdict.value for verdict in Verdict}
    assert count == len(Verdict)
    for place, struct, names in (
        ("hal/include/radio.h", "radio_counters", RADIO),
        ("sixlowpan/lowpan_node.h", "lowpan_counters", NODE),
    ):
        text = re.sub(r"/\*.*?\*/", "", (TEMPLATES / place).read_text(encoding="utf-8"), flags=re.DOTALL)
        (body,) = re.findall(rf"struct {struct} \{{(.*?)\}};", text, re.DOTALL)
        assert tuple(re.findall(r"(\w+)[,;]", body)) == names


def test_every_counter_has_a_meaning() -> None:
    meanings = [words.meaning(verdict) for verdict in Verdict]
    assert all(meanings) and len(set(meanings)) == len(meanings)


def test_stats_on_the_command_line(node: Path) -> None:
    frames = traffic(1)
    twin = Receiver(PEERS, SIZES)
    for now, source, payload in frames:
        twin.input(now, source, OURS, payload)
    with serial_port(Line(node, [fed(*each) for each in frames])) as port:
        plain = tinyc("lowpan", "stats", "--port", port)
        told = tinyc("lowpan", "stats", "--port", port, "--json")
    assert told.json["counters"] == {it.name.lower(): twin.counters[it] for it in Verdict}
    assert told.json["memory"]["neighbours_of"] == SIZES.neighbours
    (friend,) = [it for it in told.json["neighbours"] if it["keyed"]]
    known = twin.scores.find(FRIEND, keyed=True)
    assert known is not None and friend["address"] == show_address(FRIEND) and friend["proven"]
    assert (friend["score"], friend["ok"], friend["streak"]) == (known.score, known.ok, known.streak)
    wrong = twin.counters[Verdict.TAG_FIRST]
    assert wrong and re.search(rf"tag first\s+│\s+{wrong} │", plain.stdout)
    assert "overlap " not in plain.stdout and show_address(FRIEND) in plain.stdout
