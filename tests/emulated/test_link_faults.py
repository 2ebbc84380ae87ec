"""A line that loses, damages and invents bytes, between the client and the real firmware on the chip.

After every kind of trouble the device answers, its counters tell the truth, its memory holds what was
last acknowledged, and the client gave right answers or errors, never wrong answers. The client's clock
is the chip's, so every case follows from its seed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from smpclient.requests.os_management import EchoWrite

from support.faulty_line import Clock, Line, own_time
from support.networks import random_network
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.device import limits
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError, Restarted
from tinyc.device.framing import CONTINUE, END, START, encode
from tinyc.device.ledger import Counters
from tinyc.device.messages import ArenaWrite, Invoke, Output
from tinyc.emit.project import render
from tinyc.emulator import Machine
from tinyc.pipeline import compile_graph
from tinyc.toolchain import build

pytestmark = pytest.mark.emulated

GRAPH = random_network(np.random.default_rng(3), 5)
NRF = load_board("nrf52840")
SEEDS = 12
"""Seeds of each row of the table below."""


class Bench:
    """The board, its line, and what is known of it."""

    def __init__(self, elf: Path) -> None:
        self.machine, self.clock = Machine(elf, NRF), Clock()
        self.power_on(0)
        self.hello = self.client().hello()

    def power_on(self, seed: int) -> None:
        self.machine.power_cycle(boot=seed)
        del self.machine.line.from_device[:]
        self.line = Line(self.machine, self.clock)

    def client(self) -> DeviceClient:
        made = DeviceClient(self.line)
        made._exchange._sequence = 0  # the same bytes in every run
        return made

    def calm(self, *, open_packets: int = 0) -> Counters:
        """The line gets well: the device answers, and its counters agree with what arrived there."""
        self.line.faults(0)
        peer = self.client()
        peer.resync()
        assert peer.hello() == self.hello
        found = peer.counters()
        # Every start of a packet is a whole packet or a damaged one.
        starts = bytes(self.line.delivered).count(START)
        assert found.packets + found.dropped == starts - open_packets
        return found


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = compile_graph(GRAPH, NRF, name="small net", version="1.20.300")
    return build(render(program), tmp_path_factory.mktemp("link")).elf


@pytest.fixture(scope="module")
def whole(elf: Path) -> Bench:
    with pytest.MonkeyPatch.context() as patch:
        return _bench(elf, patch)


def _bench(elf: Path, patch: pytest.MonkeyPatch) -> Bench:
    made = Bench.__new__(Bench)
    made.clock = Clock()
    own_time(patch, made.clock)
    Bench.__init__(made, elf)
    return made


@pytest.fixture
def bench(whole: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    own_time(monkeypatch, whole.clock)
    whole.power_on(1)
    return whole


def inference(seed: int) -> tuple[bytes, bytes]:
    """All inputs and the outputs that belong to them."""
    rng = np.random.default_rng(seed)
    inputs = [rng.integers(-128, 128, GRAPH[name].shape).astype(np.int8) for name in GRAPH.inputs]
    outputs = interpreter.run(GRAPH, inputs)
    return b"".join(array.tobytes() for array in inputs), b"".join(array.tobytes() for array in outputs)


class Talk:
    """A random conversation that checks every answer, and remembers what the device acknowledged."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self._bench, self._rng = bench, random.Random(seed)
        self.peer = bench.client()
        self.arena: list[int | None] = [None] * bench.hello.arena
        self.invoked = self.doubtful = self.right = self.errors = 0

    def go_on(self, steps: int) -> None:
        kinds: tuple[Callable[[], None], ...] = (self._echo, self._write, self._read, self._run, self._hello)
        for _ in range(steps):
            try:
                self._rng.choice(kinds)()
                self.right += 1
            except ProtocolError:
                self.errors += 1

    def _echo(self) -> None:
        text = "".join(self._rng.choices("abcdefgh", k=self._rng.randrange(600)))
        assert self.peer.echo(text) == text

    def _hello(self) -> None:
        assert self.peer.hello() == self._bench.hello

    def _write(self) -> None:
        at = self._rng.randrange(len(self.arena))
        data = self._rng.randbytes(self._rng.randint(1, len(self.arena) - at))
        span = slice(at, at + len(data))
        self.arena[span] = [None] * len(data)
        self.peer.write(at, data)
        self.arena[span] = list(data)

    def _read(self) -> None:
        at = self._rng.randrange(len(self.arena))
        count = self._rng.randint(1, len(self.arena) - at)
        self.agrees(at, self.peer.read(at, count))

    def agrees(self, at: int, data: bytes) -> None:
        known = zip(self.arena[at:], data, strict=False)
        assert all(expected in (None, found) for expected, found in known)

    def _run(self) -> None:
        inputs, expected = inference(self._rng.randrange(100))
        self.arena = [None] * len(self.arena)
        self.doubtful += 1
        assert self.peer.run(inputs) == expected
        self.doubtful -= 1
        self.invoked += 1

    def settle(self) -> Counters:
        """All that holds once the line is well again."""
        found = self._bench.calm()
        assert found.refused == 0
        assert self.invoked <= found.invocations <= self.invoked + self.doubtful
        self.agrees(0, self._bench.client().read(0, len(self.arena)))
        inputs, expected = inference(7)
        assert self._bench.client().run(inputs) == expected
        return found


RATES = {"1_in_3000": 1 / 3000, "1_in_1000": 1 / 1000, "1_in_300": 1 / 300}
FAULTS = {
    f"{kind}-{name}": dict.fromkeys(parts, rate)
    for kind, parts in {
        "dropped": ("drop",),
        "flipped": ("flip",),
        "doubled": ("duplicate",),
        "all_three": ("drop", "flip", "duplicate"),
    }.items()
    for name, rate in RATES.items()
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_bytes(bench: Bench, faults: dict[str, float]) -> None:
    right = errors = dropped = 0
    for seed in range(SEEDS):
        bench.power_on(seed)
        talk = Talk(bench, seed)
        talk.go_on(1)
        bench.line.faults(seed, **faults)
        talk.go_on(12)
        dropped += talk.settle().dropped
        right, errors = right + talk.right, errors + talk.errors
    assert dropped > 0
    assert right > (errors if max(faults.values()) < 1 / 500 else errors // 4)


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_invoke_runs_once(bench: Bench, faults: dict[str, float]) -> None:
    """Whatever the client says of an INVOKE is what happened."""
    told = 0
    for seed in range(SEEDS):
        bench.power_on(seed)
        bench.client().write(0, bytes(bench.hello.arena))
        peer, before = bench.client(), bench.calm().invocations
        for turn in range(4):
            bench.line.faults(100 * seed + turn, **faults)
            try:
                peer.invoke()
            except ProtocolError:
                assert bench.calm().invocations - before <= 1
            else:
                told += 1
                assert bench.calm().invocations - before == 1
            before = bench.calm().invocations
    assert told > (3 * SEEDS if max(faults.values()) < 1 / 500 else SEEDS)


GARBAGE: dict[str, Callable[[random.Random], bytes]] = {
    "any_bytes": lambda rng: rng.randbytes(65536),
    "markers_only": lambda rng: bytes(rng.choices(b"\x06\x09\x04\x14", k=65536)),
    "markers_and_line_feeds": lambda rng: bytes(rng.choices(b"\x06\x09\x04\x14\n\r", k=65536)),
    "starts_only": lambda _: START * 32768,
    "base64": lambda rng: bytes(rng.choices(b"ABCDwxyz0189+/=", k=65536)),
    "a_line_of_64_kb": lambda rng: START + bytes(rng.choices(b"ABCDwxyz0189+/", k=65534)),
    "packets_that_never_end": lambda rng: b"".join(
        START + b"/wAA" + bytes(rng.choices(b"ABCDwxyz", k=rng.randrange(40) * 4)) + END for _ in range(700)
    ),
    "continued_without_a_start": lambda rng: (CONTINUE + b"AAAA" * 20 + END) * 780,
    "one_byte": lambda rng: bytes([rng.choice(b"\x06\x04A\n\x00")]) * 65536,
}


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize("seed", range(2))
def test_much_garbage(bench: Bench, kind: str, seed: int) -> None:
    talk = Talk(bench, seed)
    talk.go_on(4)
    bench.line.inject(GARBAGE[kind](random.Random(seed)))
    talk.go_on(4)
    assert talk.errors == 0
    found = talk.settle()
    if START in GARBAGE[kind](random.Random(seed)):
        assert found.dropped > 0


def written(at: int, data: bytes) -> bytes:
    return encode(ArenaWrite(off=at, data=data, sequence=9).BYTES)


@pytest.mark.parametrize("seed", range(8))
def test_truncated_packets(bench: Bench, seed: int) -> None:
    """Cut anywhere: nothing of it is stored, and the next packet is whole."""
    rng, size = random.Random(seed), bench.hello.arena
    bench.client().write(0, b"\x11" * size)
    packet = written(0, b"\x22" * size)
    for _ in range(25):
        bench.line.inject(packet[: rng.randrange(len(packet) - 1)])
        if rng.random() < 0.5:
            bench.line.inject(END)
        assert bench.client().read(0, size) == b"\x11" * size
    assert bench.calm().dropped > 10


@pytest.mark.parametrize("seed", range(8))
def test_torn_lines(bench: Bench, seed: int) -> None:
    """Packets that come in pieces, with pauses in between, arrive whole."""
    rng, size = random.Random(seed), bench.hello.arena
    for turn in range(20):
        data = rng.randbytes(size)
        packet = written(0, data)
        cuts = sorted(rng.randrange(len(packet)) for _ in range(rng.randint(1, 5)))
        for start, end in zip([0, *cuts], [*cuts, len(packet)], strict=True):
            bench.line.inject(packet[start:end])
            bench.machine.run(rng.randrange(NRF.clock_hz // 10))
        assert bench.client().read(0, size) == data, turn
    assert bench.calm().dropped == 0


@pytest.mark.parametrize("seed", range(8))
def test_text_between_the_lines_of_a_packet(bench: Bench, seed: int) -> None:
    """The device ignores what is no part of a packet."""
    rng, text = random.Random(seed), "x" * 1500
    message = EchoWrite(d=text, sequence=5).BYTES
    noise = b""
    for line in encode(message).splitlines(keepends=True):
        noise += bytes(rng.choices(b"hello AAAA==\x04\x06\n", k=rng.randrange(300))) + b"\n" + line
    assert START not in noise.replace(encode(message)[:2], b"", 1)
    bench.line.inject(noise)
    bench.client().resync()
    found = bench.calm()
    assert found.dropped == 0 and found.packets > 1


@pytest.mark.parametrize(
    "request_", [Invoke(sequence=3), Output(off=0, len=4, sequence=3)], ids=["INVOKE", "OUTPUT"]
)
def test_a_client_that_was_killed(bench: Bench, request_: Invoke | Output) -> None:
    """Its request ends anywhere, or its answer is still to come; the next client is not misled."""
    packet, (inputs, expected) = encode(request_.BYTES), inference(5)
    for keep in range(len(packet) + 1):
        bench.power_on(keep)
        bench.line.inject(packet[:keep])
        peer = bench.client()
        peer._exchange._sequence = 2  # its first request has the number of the last one
        assert peer.run(inputs) == expected
        before = bench.calm()
        assert before.invocations == 1 + (keep == len(packet) and isinstance(request_, Invoke))


def test_resets_in_the_middle_of_a_run(bench: Bench) -> None:
    """At every few bytes, in both directions: the outputs are right, or the client says so."""
    inputs, expected = inference(3)
    bench.client().run(inputs)
    length = 0
    told = right = 0
    for at in range(0, 1 << 20, 7):
        if length and at >= length:
            break
        bench.power_on(at)
        peer = bench.client()
        assert peer.run(inputs) == expected
        bench.line.passed, bench.line.reset_at = 0, at
        try:
            assert peer.run(inputs) == expected
            right += 1
        except Restarted:
            told += 1
        except ProtocolError as error:
            assert "answer" in error.what
            told += 1
        length = length or bench.line.passed
        assert peer.run(inputs) == expected
        assert bench.calm().invocations in (1, 2)
    assert told > 20


@pytest.mark.parametrize("seed", range(30))
def test_resets_around_an_invoke(bench: Bench, seed: int) -> None:
    """Not more than one INVOKE runs for one call, over all restarts, and a claim is true."""
    peer, rng = bench.client(), random.Random(seed)
    peer.run(inference(1)[0])
    before = bench.calm().invocations
    bench.line.passed, bench.line.reset_at = 0, rng.randrange(80)
    bench.line.faults(seed, drop=0.01)
    try:
        peer.invoke()
        claimed = True
    except ProtocolError:
        claimed = False
    restarted, bench.line.reset_at = bench.line.reset_at is None, None
    after = bench.calm().invocations
    if claimed and not restarted:
        assert after - before == 1
    elif restarted:
        assert after <= 1
    else:
        assert after - before <= 1


def test_waiting_for_the_device_to_be_back(bench: Bench) -> None:
    for seed in range(10):
        peer = bench.client()
        peer.run(inference(seed)[0])
        peer.reset()
        bench.line.delivered.clear()
        if seed % 2:
            bench.line.faults(seed, drop=0.003)
        assert peer.wait_back(20.0) == bench.hello
        bench.line.faults(0)
        assert peer.counters().invocations == 0
        assert peer.run(inference(seed)[0]) == inference(seed)[1]


def test_the_device_prints_between_its_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Firmware that says something before, behind and, without a line feed, right before an answer."""
    project = render(compile_graph(GRAPH, NRF, name="talks"))
    (path,) = [path for path in project.files if str(path).endswith("main.c")]
    code = str(project.files[path])
    say = 'hal_uart_write((const uint8_t *)"{}", sizeof "{}" - 1u);'
    before, after = (say.format(text, text) for text in ("asked\\r\\ntemp \\xB0", "done\\n"))
    loud = code.replace("smp_serve(size);", f"{before}\n            smp_serve(size);\n            {after}")
    assert loud != code
    elf = build(replace(project, files={**project.files, path: loud}), tmp_path).elf
    bench = _bench(elf, monkeypatch)
    peer = bench.client()
    inputs, expected = inference(2)
    assert peer.run(inputs) == expected
    peer.listen(0.2)
    assert peer.echo("x" * 1900) == "x" * 1900
    peer.listen(0.2)
    lines = peer.log_lines()
    asked = peer.counters().packets - 1  # HELLO of the bench was another client's
    assert lines.count("asked") == lines.count("temp \ufffd") >= asked - 3
    assert set(lines) == {"asked", "temp \ufffd", "done"}
    assert bench.calm().dropped == 0


def test_bytes_that_come_while_the_chip_computes(elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line's real rate the receiver's FIFO overflows: requests are lost, never misread."""
    with Machine(elf, NRF, timed_line=True) as machine:
        clock = Clock()
        own_time(monkeypatch, clock)
        peer = DeviceClient(Line(machine, clock), timeout=0.3, run_timeout=0.6)
        peer.hello()
        for seed in range(4):
            inputs, expected = inference(seed)
            peer.set_inputs(inputs)
            machine.transport.write(encode(Invoke(sequence=200).BYTES) * 2)
            machine.transport.write(encode(Output(off=0, len=4, sequence=201).BYTES))
            assert peer.run(inputs) == expected
        found = peer.counters()
        assert 4 <= found.invocations <= 12 and found.refused == 0


def test_the_longest_message_of_the_board(bench: Bench) -> None:
    assert limits.buffer_bytes(NRF.memory.ram) == limits.LARGE_BUFFER
    started = time.monotonic()
    assert bench.client().echo("y" * 2030) == "y" * 2030
    assert time.monotonic() - started < 60
