"""The C between radio and application on this machine, under sanitizers: it talks to its twin in Python."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import pytest

from support.classifiers import small_classifier
from tinyc import pipeline
from tinyc.boards import load_board
from tinyc.emit.lowpan import service_texts
from tinyc.emit.model import render_model
from tinyc.interpreter import run
from tinyc.program import Program
from tinyc.resources import data_folder
from tinyc.sixlowpan.emit_node import node_texts
from tinyc.sixlowpan.endpoint import PAYLOAD_MAX, Endpoint, Udp
from tinyc.sixlowpan.fragments import Mode
from tinyc.sixlowpan.frames import Address, parse
from tinyc.sixlowpan.inference import Answer, Exchange, Request, Status
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, compiler_called, find_compiler

pytestmark = pytest.mark.host

MAIN = Path(__file__).with_name("lowpan_main.c")
NODE, FRIEND = Address.extended(0x02AABBCCDDEEFF03), Address.extended(0x0212740000000007)
STRANGER, CONTENT = Address.short(0x0042), Address.short(0x1234)
SETTINGS = LowpanSettings(
    pan=0x4321,
    extended=NODE,
    source=NODE,
    elided_checksums=True,
    peers=(Peer(FRIEND, Mode.KEYED, bytes(range(16))), Peer(CONTENT, Mode.CONTENT)),
)
SENT, BUSY, NO_ACK = 2, 1, 4
_STRICT = ("-Wshadow", "-Wconversion")


def compiled(name: str, model: Program | None) -> Path:
    compiler = compiler_called(name) or find_compiler()
    hal = data_folder("firmware_templates") / "hal" / "include"
    texts = node_texts(SETTINGS) | {"main.c": MAIN.read_text(encoding="utf-8")}
    texts |= {each: (hal / each).read_text(encoding="utf-8") for each in ("hal.h", "radio.h")}
    if model is not None:
        texts |= render_model(model) | service_texts(model)
        device = data_folder("firmware_templates") / "device"
        texts |= {each: (device / each).read_text(encoding="utf-8") for each in ("smp.h", "cbor.h")}
    serves = f"-DSERVES_MODEL={int(model is not None)}"
    flags = (*WARNINGS, *_STRICT, serves, "-O1", "-g", *compiler.sanitizer_flags())
    return compile_cached(compiler, texts, flags, "node")


class Running:
    """The program, a frame at a time. A sanitizer's message fails the test at the end."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.now = 1000

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _, told = self._process.communicate(timeout=60)
        if kind is None:
            assert self._process.returncode == 0, told.decode(errors="replace")[-4000:]
            self.counters = tuple(map(int, told.split()))

    def _record(self, kind: bytes, number: int, more: bytes = b"") -> list[bytes]:
        assert self._process.stdin is not None
        self._process.stdin.write(kind + struct.pack("<I", number) + more)
        self._process.stdin.flush()
        return [self._read(self._word()) for _ in range(self._word())]

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        assert len(data) == size, "the program ended"
        return data

    def _word(self) -> int:
        (value,) = struct.unpack("<I", self._read(4))
        return int(value)

    def frame(self, data: bytes) -> list[bytes]:
        """Frames that are sent when this one has come."""
        return self._record(b"f", self.now, struct.pack("<I", len(data)) + data)

    def poll(self) -> list[bytes]:
        return self._record(b"p", self.now)

    def outcome(self, number: int) -> None:
        """What becomes of frames from now on."""
        assert not self._record(b"r", number)

    def serial(self) -> None:
        assert not self._record(b"s", self.now)

    def ask(self, here: Endpoint, payload: bytes, port: int = SETTINGS.port) -> list[Udp]:
        """What is answered to a datagram."""
        frames = [out for each in here.send(NODE, (5000, port), payload) for out in self.frame(each)]
        return [got for each in frames for got in here.take(self.now, each)]


def endpoint(address: Address) -> Endpoint:
    known = tuple(replace(peer, address=NODE) for peer in SETTINGS.peers if peer.address == address)
    return Endpoint(address, SETTINGS.pan, known, elided=True)


@pytest.fixture(scope="module", params=["gcc", "clang"])
def echo(request: pytest.FixtureRequest) -> Path:
    if compiler_called(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return compiled(request.param, None)


@pytest.fixture(scope="module")
def program() -> Program:
    graph = small_classifier(np.random.default_rng(5))
    return pipeline.compile_graph(graph, load_board("host"), name="over air", lowpan=SETTINGS)


@pytest.fixture
def model(program: Program) -> Iterator[Running]:
    with Running(compiled("gcc", program)) as found:
        yield found


@pytest.mark.parametrize("address", [FRIEND, STRANGER, CONTENT], ids=["keyed", "legacy", "content"])
def test_datagrams_of_every_length_come_back(echo: Path, address: Address) -> None:
    here, rng = endpoint(address), random.Random(3)
    sizes = [*range(0, 120, 7), 200, 448, 1000, PAYLOAD_MAX - 1, PAYLOAD_MAX]
    with Running(echo) as node:
        for size in sizes:
            node.now += 2000
            data = rng.randbytes(size)
            (got,) = node.ask(here, data, 7)
            assert (got.data, got.source_port, got.destination_port) == (data, 7, 5000)
            assert got.mode is {FRIEND: Mode.KEYED, STRANGER: Mode.LEGACY, CONTENT: Mode.CONTENT}[address]
    assert node.counters == (len(sizes), 0, 0, 0, len(sizes), 0)


def test_checksums_are_left_out_under_a_chain_alone(echo: Path) -> None:
    for address in (FRIEND, STRANGER, CONTENT):
        here = endpoint(address)
        with Running(echo) as node:
            frames = [out for each in here.send(NODE, (1, 2), b"x" * 300) for out in node.frame(each)]
            (got,) = [got for each in frames for got in here.take(node.now, each)]
            assert got.data == b"x" * 300
        chained = address != STRANGER
        first = frames[0][parse(frames[0])[1].payload :]
        # Behind 0xFF, the fragment's header and IPHC of two bytes: NHC of UDP, whose bit 2 says it.
        nhc = first[chained + 4 + 2]
        assert (nhc >> 3, nhc >> 2 & 1) == (0b11110, chained)


def test_a_frame_that_is_not_acknowledged_ends_its_datagram(echo: Path) -> None:
    here = endpoint(FRIEND)
    with Running(echo) as node:
        node.outcome(NO_ACK)
        frames = [out for each in here.send(NODE, (1, 2), bytes(500)) for out in node.frame(each)]
        assert len(frames) == 1
        node.outcome(SENT)
        node.now += 2000
        (got,) = node.ask(here, b"again")
        assert got.data == b"again"
    assert node.counters == (2, 0, 0, 0, 1, 1)


def test_while_a_datagram_is_on_its_way_the_next_is_not_sent(echo: Path) -> None:
    here = endpoint(STRANGER)
    with Running(echo) as node:
        node.outcome(BUSY)
        (first,) = [out for each in here.send(NODE, (1, 2), b"first") for out in node.frame(each)]
        assert not node.ask(here, b"second")
        node.outcome(SENT)
        assert not node.poll()
        (got,) = here.take(node.now, first)
        assert got.data == b"first"
    assert node.counters == (2, 0, 0, 0, 1, 0)


def test_hostile_frames_do_no_harm(echo: Path) -> None:
    """Cut, damaged, repeated and strange frames; then an honest datagram comes back."""
    rng = random.Random(11)
    makers = [endpoint(each) for each in (FRIEND, STRANGER, CONTENT)]
    with Running(echo) as node:
        for _ in range(1500):
            node.now += rng.randrange(40)
            here = rng.choice(makers)
            frames = here.send(NODE, (rng.randrange(65536), 7), rng.randbytes(rng.randrange(400)))
            frame = bytearray(rng.choice(frames))
            for _ in range(rng.randrange(4)):
                frame[rng.randrange(len(frame))] = rng.randrange(256)
            node.frame(bytes(frame[: rng.randrange(len(frame) + 1)] if rng.random() < 0.3 else frame))
        node.now += 300_000
        fresh = endpoint(Address.short(0x0099))
        (got,) = node.ask(fresh, b"honest" * 100)
        assert got.data == b"honest" * 100


def test_a_model_answers_as_the_interpreter(model: Running, program: Program) -> None:
    here, rng = endpoint(FRIEND), np.random.default_rng(0)
    tensor = program.graph[program.graph.inputs[0]]
    for number in range(20):
        model.now += 2000
        data = rng.integers(-128, 128, tensor.shape).astype(np.int8)
        asked = Exchange(number, data.tobytes())
        (answer,) = model.ask(here, asked.payload)
        assert not asked.take(answer.data)
        assert asked.result is not None
        assert asked.result.output == run(program.graph, [data])[0].tobytes()


def test_hostile_requests_do_no_harm(model: Running, program: Program) -> None:
    """Random headers and lengths, over both ends of what is right; then a right one is answered."""
    here, rng = endpoint(STRANGER), random.Random(7)
    size = program.graph[program.graph.inputs[0]].bytes
    numbers = (0, 1, size - 1, size, size + 1, 2**16, 2**31, 2**32 - 1)
    statuses = set()
    for _ in range(1500):
        model.now += rng.randrange(1500)
        data = rng.randbytes(rng.choice((0, 1, 3, 40, size, size + 1, 400)))
        offset = rng.choice((*numbers, 40, 43, 80))
        payload = Request(rng.randrange(3), offset, rng.choice((size, size, size, *numbers)), data).encode()
        if rng.random() < 0.1:
            payload = payload[: rng.randrange(len(payload))]
        if rng.random() < 0.05:
            model.serial()
        for answer in model.ask(here, payload):
            statuses.add(Answer.decode(answer.data).status)
    assert statuses >= {*Status} - {Status.BAD_REQUEST}
    model.now += 10_000
    asked = Exchange(9, bytes(size))
    (answer,) = model.ask(here, asked.payload)
    asked.take(answer.data)
    assert asked.result is not None
