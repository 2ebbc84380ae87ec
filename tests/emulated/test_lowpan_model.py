"""Models that answer over the air, on emulated boards: what they say is what the interpreter says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.classifiers import small_classifier
from support.lowpan_air import NodeBoard, Station
from tinyc import pipeline
from tinyc.boards import Board, load_board
from tinyc.device.client import DeviceClient
from tinyc.emulator.air import Air
from tinyc.interpreter import run
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Add
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.memory.budget import budget
from tinyc.program import Firmware, Program
from tinyc.sixlowpan.endpoint import Endpoint
from tinyc.sixlowpan.fragments import Mode, Verdict
from tinyc.sixlowpan.frames import Address
from tinyc.sixlowpan.inference import DATA_MAX, Answer, Exchange, Request, Result, Status
from tinyc.sixlowpan.receiver import Peer
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.sixlowpan.told import LowpanClient

pytestmark = pytest.mark.emulated

NODE = Address.extended(0x02AABBCCDDEEFF02)
FRIEND, STRANGER = Address.extended(0x0212740000000007), Address.extended(0x0212740000000009)
KEY = bytes(range(16, 32))
SETTINGS = LowpanSettings(
    pan=0x7777, channel=11, extended=NODE, source=NODE, peers=(Peer(FRIEND, Mode.KEYED, KEY),)
)
WIDE = 2 * DATA_MAX + 100


def doubling(size: int) -> Graph:
    """A model whose input and output are larger than a datagram."""
    scale = Quantization((0.5,), (0,))
    tensors = [Tensor(name, (1, size), DType.INT8, scale) for name in ("x", "y")]
    op = Add(name="double", inputs=("x", "x"), outputs=("y",))
    return Graph("double", {each.name: each for each in tensors}, (op,), ("x",), ("y",))


def built(graph: Graph, board: Board, folder: Path) -> tuple[Program, Firmware]:
    program = pipeline.compile_graph(graph, board, name="over air", lowpan=SETTINGS)
    return program, pipeline.build(program, folder)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, Firmware]:
    """On a board with a bootloader."""
    graph = small_classifier(np.random.default_rng(5))
    return built(graph, load_board("nrf52840"), tmp_path_factory.mktemp("classifier"))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, Firmware]:
    return built(doubling(WIDE), load_board("nrf52840_bare"), tmp_path_factory.mktemp("wide"))


class Scene:
    """A board with a firmware, and those who ask it."""

    def __init__(self, made: tuple[Program, Firmware]) -> None:
        self.program, firmware = made
        self.air = Air()
        self.node = NodeBoard(firmware.elf, self.program.board, self.air, "node")
        self.air.run(5_000)

    def station(self, address: Address) -> Station:
        known = tuple(replace(peer, address=NODE) for peer in SETTINGS.peers if peer.address == address)
        endpoint = Endpoint(address, SETTINGS.pan, known)
        return Station(self.air, endpoint, address.value.hex(), SETTINGS.channel)

    def send(self, here: Station, payload: bytes) -> list[bytes]:
        """What is answered."""
        before = len(here.received)
        here.send(here.endpoint.send(NODE, (49152, SETTINGS.port), payload))
        self.air.run(200_000)
        assert all(each.source_port == SETTINGS.port for each in here.received[before:])
        return [each.data for each in here.received[before:]]

    def infer(self, here: Station, exchange: Exchange) -> Result:
        answers = self.send(here, exchange.payload)
        while answers:
            again = exchange.take(answers.pop(0))
            answers += self.send(here, exchange.payload) if again else []
        assert exchange.result is not None, exchange
        return exchange.result

    def expected(self, data: bytes) -> bytes:
        graph = self.program.graph
        tensor = graph[graph.inputs[0]]
        values = np.frombuffer(data, tensor.dtype.numpy).reshape(tensor.shape)
        return run(graph, [values])[0].tobytes()


@pytest.mark.parametrize("address", [FRIEND, STRANGER], ids=["keyed", "legacy"])
def test_the_answer_is_the_interpreters(classifier: tuple[Program, Firmware], address: Address) -> None:
    scene = Scene(classifier)
    here = scene.station(address)
    rng = np.random.default_rng(1)
    for number in range(3):
        data = rng.integers(-128, 128, 120).astype(np.int8).tobytes()
        result = scene.infer(here, Exchange(number, data))
        assert result.output == scene.expected(data)
        assert result.label == int(np.frombuffer(result.output, np.int8).argmax())
    modes = {each.mode for each in here.received}
    assert modes == {Mode.KEYED if address == FRIEND else Mode.LEGACY}


def test_the_plan_says_what_it_takes(classifier: tuple[Program, Firmware]) -> None:
    program, firmware = classifier
    planned, sizes = budget(program), firmware.sizes
    assert abs(planned.ram - planned.stack - sizes.ram) < 0.02 * sizes.ram
    assert abs(planned.flash - sizes.flash) < 0.1 * sizes.flash
    assert sizes.stack_bound is not None
    assert sizes.stack_bound <= program.board.memory.stack


def test_inputs_and_outputs_in_parts(wide: tuple[Program, Firmware]) -> None:
    scene = Scene(wide)
    here = scene.station(FRIEND)
    data = np.random.default_rng(2).integers(-128, 128, WIDE).astype(np.int8).tobytes()
    result = scene.infer(here, Exchange(500, data))
    assert result.output == scene.expected(data)


def test_what_cannot_be_is_refused(wide: tuple[Program, Firmware]) -> None:
    scene = Scene(wide)
    here, other = scene.station(STRANGER), scene.station(FRIEND)

    def answers(payload: bytes, who: Station = here) -> list[tuple[Status, int]]:
        return [(it.status, it.offset) for it in map(Answer.decode, scene.send(who, payload))]

    (described,) = map(Answer.decode, scene.send(here, Request(3, 0, 0).encode()))
    assert described == Answer(3, Status.DESCRIBED, None, WIDE, WIDE, bytes.fromhex(scene.program.digest))
    assert answers(Request(1, 0, WIDE + 1, b"x").encode()) == [(Status.BAD_SIZE, WIDE)]
    assert answers(Request(1, WIDE, WIDE, b"x").encode()) == [(Status.BAD_SIZE, WIDE)]
    assert answers(Request(1, 2**32 - 1, WIDE, b"xy").encode()) == [(Status.BAD_SIZE, WIDE)]
    assert answers(Request(1, 0, WIDE).encode()) == [(Status.BAD_SIZE, WIDE)]
    assert answers(Request(1, 8, WIDE, b"x").encode()) == [(Status.START_OVER, WIDE)]
    assert answers(b"\x02" + Request(1, 0, WIDE, b"x").encode()[1:]) == [(Status.BAD_REQUEST, WIDE)]
    assert answers(Request(1, 0, WIDE, b"x").encode()[:15]) == []
    assert answers(Answer(1, Status.DONE, None, 0, WIDE).encode()) == []
    # Parts again and in the wrong order; a second asker has to wait until the first is given up.
    assert answers(Request(1, 0, WIDE, bytes(100)).encode()) == [(Status.MORE, 100)]
    assert answers(Request(1, 100, WIDE, bytes(50)).encode()) == [(Status.MORE, 150)]
    assert answers(Request(1, 100, WIDE, bytes(50)).encode()) == [(Status.MORE, 150)]
    assert answers(Request(1, 151, WIDE, bytes(50)).encode()) == [(Status.START_OVER, WIDE)]
    assert answers(Request(1, 0, WIDE, bytes(8)).encode(), other) == [(Status.BUSY, WIDE)]
    scene.air.run(5_000_000)
    assert answers(Request(1, 0, WIDE, bytes(8)).encode(), other) == [(Status.MORE, 8)]


def test_the_serial_port_comes_first(classifier: tuple[Program, Firmware]) -> None:
    scene = Scene(classifier)
    here = scene.station(STRANGER)
    data = bytes(range(120))
    client = DeviceClient(scene.node.machine.transport)
    scene.send(here, Request(1, 0, 120, data[:60]).encode())
    assert client.hello().digest == scene.program.digest
    assert LowpanClient(client).told().verdicts[Verdict.TAKEN] == 0
    (answer,) = map(Answer.decode, scene.send(here, Request(1, 60, 120, data[60:90]).encode()))
    assert answer.status is Status.MORE  # whoever only looks takes the model from nobody
    client.set_inputs(data)
    scene.air.run(1)
    (answer,) = map(Answer.decode, scene.send(here, Request(1, 90, 120, data[90:]).encode()))
    assert answer.status is Status.BUSY
    scene.air.run(1_000_000)
    (answer,) = map(Answer.decode, scene.send(here, Request(1, 90, 120, data[90:]).encode()))
    assert answer.status is Status.START_OVER
    assert scene.infer(here, Exchange(2, data)).output == scene.expected(data)
