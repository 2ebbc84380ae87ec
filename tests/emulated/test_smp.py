"""The firmware's SMP server on the chip: every group by a client that is not tinyc's."""

from __future__ import annotations

from pathlib import Path

import cbor2
import numpy as np
import pytest

from support.audio import audio_program
from support.devices import BOARDS, running
from support.networks import random_network
from support.smp_device import (
    ARENA_PART,
    AUDIO,
    COUNTERS,
    HELLO,
    INPUT,
    INVOKE,
    OS,
    OUTPUT,
    PROFILE,
    READ,
    STAT,
    TEXT,
    TINYC,
    WRITE,
    frame,
    message,
)
from support.smp_probe import Probe
from support.text_models import text_graph, write_tokenizer
from tinyc import __version__, interpreter
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings
from tinyc.boards import load_board
from tinyc.device.limits import buffer_bytes
from tinyc.emit.hello import answer_bytes
from tinyc.emit.project import firmware_digest, render
from tinyc.emulator import Machine
from tinyc.execution import text_ids, token_count
from tinyc.pipeline import compile_graph
from tinyc.program import Firmware, Program
from tinyc.text.tokenizer import load
from tinyc.toolchain import build
from tinyc.toolchain.elf import read_elf

pytestmark = pytest.mark.emulated

GRAPH = random_network(np.random.default_rng(3), 5)


def program(board: str) -> Program:
    return compile_graph(GRAPH, load_board(board), name="small net", version="1.20.300")


class Builds:
    """Each board is built once for all tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[str, Firmware] = {}

    def get(self, board: str) -> Firmware:
        if board not in self._built:
            self._built[board] = build(render(program(board)), self._folder / board)
        return self._built[board]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    return Builds(tmp_path_factory.mktemp("smp"))


def inference(seed: int) -> tuple[bytes, bytes]:
    """All inputs and the outputs that belong to them."""
    rng = np.random.default_rng(seed)
    inputs = [rng.integers(-128, 128, GRAPH[name].shape).astype(np.int8) for name in GRAPH.inputs]
    outputs = interpreter.run(GRAPH, inputs)
    return b"".join(array.tobytes() for array in inputs), b"".join(array.tobytes() for array in outputs)


def write_input(probe: Probe, data: bytes, chunk: int = 300) -> None:
    for at in range(0, len(data), chunk):
        part = data[at : at + chunk]
        assert probe.ask(WRITE, TINYC, INPUT, {"off": at, "data": part}) == {"off": at + len(part)}


def read_output(probe: Probe, size: int, chunk: int = 300) -> bytes:
    data = b""
    for at in range(0, size, chunk):
        part = probe.ask(READ, TINYC, OUTPUT, {"off": at, "len": min(chunk, size - at)})
        assert part["off"] == at
        data += part["data"]
    return data


@pytest.mark.parametrize("board", BOARDS)
def test_every_group(builds: Builds, board: str) -> None:
    firmware, compiled = builds.get(board), program(board)
    place = {
        name: [compiled.plan.offset(name), GRAPH[name].bytes] for name in (*GRAPH.inputs, *GRAPH.outputs)
    }
    memory = load_board(board).memory
    with running(firmware.elf, load_board(board)) as transport:
        probe = Probe(transport)
        before = probe.ask(READ, TINYC, COUNTERS)
        hello = dict(probe.ask(READ, TINYC, HELLO))
        # What a bootloader would say is not there: it did not start the firmware.
        slots = load_board(board).slots
        unsaid = 0 if slots is None else 90
        assert answer_bytes(compiled) - 4 - unsaid <= len(cbor2.dumps(hello)) <= answer_bytes(compiled)
        assert hello.pop("boot", None) == (None if slots is None else {})
        chip, ram = hello.pop("chip"), hello.pop("ram")
        assert hello == {
            "proto": 2,
            "board": board,
            "firmware": bytes.fromhex(firmware_digest(render(compiled).files)),
            "model": bytes.fromhex(compiled.digest),
            "name": "small net",
            "version": "1.20.300",
            "tinyc": __version__,
            "clock": load_board(board).clock_hz,
            "arena": compiled.plan.arena_size,
            "layers": len(GRAPH.ops),
            "inputs": [place[name] for name in GRAPH.inputs],
            "outputs": [place[name] for name in GRAPH.outputs],
            "slots": [[name, slots.image_bytes] for name in ("primary", "secondary")] if slots else [],
        }
        assert len(chip) == 8
        # Sections are aligned, so the linker may take some bytes more.
        assert 0 <= memory.application_ram - memory.stack - firmware.sizes.ram - ram <= 64
        size = buffer_bytes(memory.ram)
        assert probe.ask(READ, OS, 6) == {"buf_size": size, "buf_count": 1}
        text = "x" * (size - 4 - 8 - 6)
        assert probe.ask(WRITE, OS, 0, {"d": text}) == {"r": text}
        for seed in range(2):
            inputs, expected = inference(seed)
            write_input(probe, inputs)
            probe.ask(WRITE, TINYC, INVOKE)
            assert read_output(probe, len(expected)) == expected
        inputs, expected = inference(7)
        write_input(probe, inputs, 77)
        for first in range(0, len(GRAPH.ops), 2):
            count = min(2, len(GRAPH.ops) - first)
            told = probe.ask(WRITE, TINYC, PROFILE, {"first": first, "count": count})
            assert told["first"] == first and len(told["cycles"]) == count
        assert read_output(probe, len(expected), 50) == expected
        assert probe.ask(WRITE, TINYC, ARENA_PART, {"off": 1, "data": b"abc"}) == {"off": 4}
        assert probe.ask(READ, TINYC, ARENA_PART, {"off": 1, "len": 3}) == {"off": 1, "data": b"abc"}
        assert probe.ask(WRITE, TINYC, 7, {"data": b""}) == {"rc": 8}
        assert probe.ask(READ, 1, 0) == ({"rc": 8} if slots is None else {"images": []})
        assert probe.ask(READ, STAT, 1) == {"stat_list": ["tinyc"]}
        counters = probe.ask(READ, STAT, 0, {"name": "tinyc"})["fields"]
        assert counters["dropped"] == before["dropped"]
        assert (counters["refused"], counters["invocations"]) == (2 - bool(slots), 2)


@pytest.mark.parametrize("board", BOARDS)
def test_reset(builds: Builds, board: str) -> None:
    """The answer comes whole, and then the firmware begins anew."""
    with running(builds.get(board).elf, load_board(board)) as transport:
        for _ in range(3):
            probe = Probe(transport)
            assert probe.ask(READ, TINYC, COUNTERS)["invocations"] == 0
            probe.ask(WRITE, TINYC, INVOKE)
            assert probe.ask(READ, TINYC, COUNTERS)["invocations"] == 1
            assert probe.ask(WRITE, OS, 5) == {}
            assert transport.read(1, 0.3) == b""


def test_sound(tmp_path: Path) -> None:
    """Samples in parts, at odd addresses too: the features are those of the Python twin."""
    settings, board = AudioSettings(clip_samples=4000), load_board("nrf52840")
    graph = audio_program(settings, scale=0.5, zero_point=3).graph
    compiled = compile_graph(graph, board, name="heard", audio=settings)
    front_end = AudioFrontEnd.for_input(settings, graph[graph.inputs[0]])
    samples = np.random.default_rng(5).integers(-9000, 9000, settings.clip_samples).astype("<i2")
    firmware = build(render(compiled), tmp_path)
    assert firmware.sizes.stack_bound is not None
    with Machine(firmware.elf, board) as machine:
        probe = Probe(machine.transport)
        ((offset, size),) = probe.ask(READ, TINYC, HELLO)["inputs"]
        for filling in ("", "a"):
            assert probe.ask(WRITE, TINYC, AUDIO, {"reset": True}) == {"frames": 0}
            for at in range(0, len(samples), 900):
                data = samples[at : at + 900].tobytes()
                frames = probe.ask(WRITE, TINYC, AUDIO, {"z": filling, "data": data})["frames"]
            assert frames == settings.frames
            part = probe.ask(READ, TINYC, ARENA_PART, {"off": offset, "len": size})
            assert part["data"] == front_end.features(samples).tobytes()


def test_text(tmp_path: Path) -> None:
    """A text as either kind of string: the ids are those of the Python twin."""
    board = load_board("nrf52840")
    tokenizer = load(write_tokenizer(tmp_path))
    compiled = compile_graph(text_graph(), board, name="read", tokenizer=tokenizer)
    with Machine(build(render(compiled), tmp_path / "out").elf, board) as machine:
        probe = Probe(machine.transport)
        ((offset, size),) = probe.ask(READ, TINYC, HELLO)["inputs"]
        for text in ("play some jazz", b"play some jazz", b"\xff what", ""):
            raw = text.encode() if isinstance(text, str) else text
            assert probe.ask(WRITE, TINYC, TEXT, {"text": text}) == {"ids": token_count(compiled, raw)}
            part = probe.ask(READ, TINYC, ARENA_PART, {"off": offset, "len": size})
            assert part["data"] == text_ids(compiled, raw).astype("<i2").tobytes()


def test_the_stack_of_every_command(builds: Builds) -> None:
    firmware, board = builds.get("nrf52840_bare"), load_board("nrf52840_bare")
    bound, memory = firmware.sizes.stack_bound, board.memory
    assert bound is not None
    with Machine(firmware.elf, board) as machine:
        machine.write_ram(memory.ram_origin, b"\xa5" * memory.stack, "test")
        probe = Probe(machine.transport)
        for operation in (READ, WRITE):
            for group, command in ((0, 0), (0, 6), (2, 0), (2, 1), *((64, command) for command in range(10))):
                body = {"d": "x", "name": "tinyc", "off": 0, "len": 9, "first": 0, "count": 3}
                probe.ask(operation, group, command, {**body, "data": b"abcd", "z": [[[[1]]]]})
        left = machine.read_memory(memory.ram_origin, memory.stack)
    used = memory.stack - (len(left) - len(left.lstrip(b"\xa5")))
    assert bound // 2 < used <= bound


@pytest.mark.parametrize("seed", range(3))
def test_garbage_does_not_stop_the_device(builds: Builds, seed: int) -> None:
    with Machine(builds.get("nrf52840").elf, load_board("nrf52840")) as machine:
        rng = np.random.default_rng(seed)
        machine.transport.write(rng.integers(0, 256, 5000).astype(np.uint8).tobytes())
        damaged = bytearray(frame(message(WRITE, TINYC, INVOKE)))
        damaged[-4] ^= 1
        machine.transport.write(bytes(damaged))
        probe = Probe(machine.transport)
        counters = probe.ask(READ, TINYC, COUNTERS)
        assert (counters["packets"], counters["invocations"]) == (2, 0) and counters["dropped"] >= 1


def test_the_digest_names_the_texts(builds: Builds) -> None:
    image = read_elf(builds.get("nrf52840").elf)
    digest = bytes.fromhex(firmware_digest(render(program("nrf52840")).files))
    assert any(digest in segment.data for segment in image.segments)
