"""The Image group of a firmware on the emulated nRF52840: its flash, its serial port, its resets."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from smpclient import SMPClient

from support.devices import need_toolchain
from support.networks import random_network
from support.slot_boards import CAPACITY, PAGE, PRIMARY, RETAINED, TRAILER, UPLOADS, install, slot_board
from support.smp_device import COUNTERS, INVOKE, OS, READ, STAT, TINYC, WRITE, frame, message
from support.smp_probe import Probe
from support.unsigned_images import TRAILER_MAGIC, image, image_hash
from support.unsigned_images import program as program_of
from support.update_device import slots
from tinyc.device.smp_line import LineTransport
from tinyc.emit.project import render
from tinyc.emulator import Machine
from tinyc.emulator.chip import FlashRules
from tinyc.emulator.flash import Cut, FlashImage, Mode
from tinyc.emulator.machine import Ended
from tinyc.pipeline import compile_graph
from tinyc.program import Firmware
from tinyc.signing.read import read_image
from tinyc.toolchain import build

pytestmark = pytest.mark.emulated

IMAGE, STATE, UPLOAD, ERASE = 1, 0, 1, 5
GRAPH = random_network(np.random.default_rng(3), 5)
RATES = (115_200, 1_000_000)
EXACT = FlashRules(strict=True, timed=True)
NEW = image(program_of(PRIMARY, 30_001, 4), version=(2, 0, 1, 0), slot_map=slots().number)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Firmware]:
    folder = tmp_path_factory.mktemp("slots")
    return {
        baud: build(render(compile_graph(GRAPH, slot_board(baud), name="net")), folder / str(baud))
        for baud in RATES
    }


@pytest.fixture(params=RATES)
def machine(request: pytest.FixtureRequest, firmware: dict[int, Firmware]) -> Iterator[Machine]:
    """On a line with a rate, over a slot that is full of something else."""
    baud: int = request.param
    with Machine(firmware[baud].elf, slot_board(baud), flash_rules=EXACT, timed_line=True) as machine:
        install(machine, firmware[baud].sizes.flash)
        for at in range(UPLOADS, UPLOADS + 9 * PAGE, PAGE):
            machine.flash_array.write(at + 8, 0)
        yield machine


def upload(machine: Machine, data: bytes, limit: int | None = None) -> list[int]:
    """Upload by smpclient, up to an offset."""

    async def run() -> list[int]:
        offsets = []
        async with SMPClient(LineTransport(machine.transport), "", timeout_s=300.0) as client:
            async for offset in client.upload(data, first_timeout_s=300.0, subsequent_timeout_s=300.0):
                offsets.append(offset)
                if limit is not None and offset >= limit:
                    break
        return offsets

    return asyncio.run(run())


def test_an_upload_and_its_request(machine: Machine) -> None:
    """The file is in flash to the byte, and nothing was lost while flash was busy."""
    running = read_image(machine.flash()[PRIMARY : PRIMARY + CAPACITY], padded=True).hash
    assert upload(machine, NEW)[-1] == len(NEW)
    assert machine.flash()[UPLOADS : UPLOADS + len(NEW)] == NEW
    probe = Probe(machine.transport)
    assert probe.ask(READ, STAT, 0, {"name": "tinyc"})["fields"]["dropped"] == 0
    first, second = probe.ask(READ, IMAGE, STATE)["images"]
    assert (first["slot"], first["hash"], first["active"], first["confirmed"]) == (0, running, True, True)
    assert (second["slot"], second["version"], second["hash"]) == (1, "2.0.1", image_hash(NEW))
    told = probe.ask(WRITE, IMAGE, STATE, {"hash": image_hash(NEW)})["images"][1]
    assert told["pending"] and not told["permanent"]
    assert machine.flash()[TRAILER + PAGE - 16 : TRAILER + PAGE] == TRAILER_MAGIC
    assert probe.ask(WRITE, IMAGE, ERASE) == {"err": {"group": IMAGE, "rc": 9}}


def test_a_reset_in_the_middle(machine: Machine) -> None:
    """The client goes on as before, and is sent back to the last whole page."""
    before = upload(machine, NEW, limit=15_000)
    machine.run(machine.clock_hz)
    machine.reset()
    after = upload(machine, NEW)
    assert after[0] == before[-1] // PAGE * PAGE
    assert machine.flash()[UPLOADS : UPLOADS + len(NEW)] == NEW


def test_a_power_cut_in_the_middle(machine: Machine) -> None:
    at = upload(machine, NEW, limit=9_000)[-1]
    machine.cut_power(Cut(machine.flash_array.count + 2000, Mode.TORN))
    probe = Probe(machine.transport)
    while machine.run(machine.clock_hz // 10) is not Ended.POWER_LOST:
        at = probe.ask(WRITE, IMAGE, UPLOAD, {"off": at, "data": NEW[at : at + 1_000]})["off"]
    machine.power_cycle()
    assert upload(machine, NEW)[0] >= 3 * PAGE
    assert machine.flash()[UPLOADS : UPLOADS + len(NEW)] == NEW


def test_erase(machine: Machine) -> None:
    machine.flash_array.write(UPLOADS + CAPACITY - 4, 0)
    assert Probe(machine.transport, timeout=30.0).ask(WRITE, IMAGE, ERASE) == {}
    assert machine.flash()[UPLOADS : TRAILER + PAGE] == b"\xff" * (CAPACITY + PAGE)


def test_reset_into_recovery(machine: Machine) -> None:
    probe = Probe(machine.transport)
    assert probe.ask(READ, OS, 8) == {"bootloader": "MCUboot"}
    assert probe.ask(WRITE, OS, 5, {"boot_mode": 1}) == {}
    machine.run(machine.clock_hz // 100)
    assert machine.read_memory(RETAINED + 4, 4) == (0x5EC07E12).to_bytes(4, "little")
    assert Probe(machine.transport).ask(READ, IMAGE, STATE)["images"][0]["active"]


def test_the_next_request_waits_while_flash_is_written(machine: Machine) -> None:
    """It arrives whole during an erase and the writes of the chunk before it, with noise in front of it."""
    probe = Probe(machine.transport)
    sha = hashlib.sha256(NEW).digest()
    size = 1_950
    body = {"off": 0, "len": len(NEW), "sha": sha, "data": NEW[:size]}
    assert probe.ask(WRITE, IMAGE, UPLOAD, body) == {"off": size}
    for at in range(size, len(NEW), size):
        machine.transport.write(b"\n\xaa\xaa noise \xaa")
        answer = probe.ask(WRITE, IMAGE, UPLOAD, {"off": at, "data": NEW[at : at + size]})
        assert answer["off"] == min(at + size, len(NEW))
    assert answer["match"] is True
    assert probe.ask(READ, STAT, 0, {"name": "tinyc"})["fields"]["dropped"] == 0


def test_requests_that_nobody_can_take(firmware: dict[int, Firmware]) -> None:
    """A host that does not wait: most of it is lost while the device computes, and nothing is done twice."""
    built, large = firmware[1_000_000], image(program_of(PRIMARY, 475_000, 6), slot_map=slots().number)
    flood = frame(message(WRITE, TINYC, INVOKE))
    with Machine(built.elf, slot_board(1_000_000), timed_line=True) as machine:
        content = bytearray(machine.flash())
        content[UPLOADS : UPLOADS + len(large)] = large
        machine.flash_array.load(FlashImage(bytes(content)))
        Probe(machine.transport)
        request = frame(message(WRITE, IMAGE, STATE, {"hash": image_hash(large)}))
        machine.transport.write(request + flood * 3000)
        machine.transport.read(1 << 16, 3.0)
        probe = Probe(machine.transport)
        assert probe.ask(READ, IMAGE, STATE)["images"][-1]["pending"]
        assert 100 < probe.ask(READ, TINYC, COUNTERS)["invocations"] < 3000


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
def test_stack(toolchain: str, tmp_path: Path) -> None:
    """What the machine code needs at most is known, and is not exceeded."""
    board = slot_board(1_000_000)
    need_toolchain(board, toolchain)
    built = build(render(compile_graph(GRAPH, board, name="net")), tmp_path, toolchain)
    bound = built.sizes.stack_bound
    assert bound is not None and bound <= board.memory.stack // 2
    with Machine(built.elf, board) as machine:
        install(machine, built.sizes.flash)
        assert upload(machine, NEW)[-1] == len(NEW)
        assert Probe(machine.transport).ask(WRITE, IMAGE, STATE, {"hash": image_hash(NEW)})["images"]
        assert bound // 2 < machine.stack_used() <= bound


def test_garbage_that_looks_like_no_byte(firmware: dict[int, Firmware]) -> None:
    """The receiver tells bytes that have come by their value: a frame after any garbage is heard."""
    with Machine(firmware[115_200].elf, slot_board(), timed_line=True) as machine:
        for count in (1, 2, 255, 256, 257, 700):
            machine.transport.write(b"\xaa" * count)
            probe = Probe(machine.transport)
            assert probe.ask(READ, OS, 6) == {"buf_size": 2048, "buf_count": 1}
