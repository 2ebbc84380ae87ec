"""Projects are built by every toolchain for every board, and the very image is run and questioned."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cbor2
import numpy as np
import pytest
from unicorn.arm_const import UC_ARM_REG_PRIMASK

from support.audio import audio_program
from support.devices import BOARDS, MODELLED, need_qemu, need_toolchain, running
from support.networks import random_network
from support.smp_peer import READ, TINYC, WRITE, frame
from tinyc import interpreter
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError
from tinyc.device.framing import START, FrameDecoder, encode
from tinyc.device.limits import buffer_bytes
from tinyc.device.transport import Transport
from tinyc.emit import symbols
from tinyc.emit.project import render
from tinyc.emulator import Machine
from tinyc.emulator.qemu import MACHINES, QemuMachine
from tinyc.emulator.system_control import FIRST_IRQ, PENDSV, SYSTICK
from tinyc.errors import DoesNotFit, TinycError
from tinyc.pipeline import compile_graph
from tinyc.program import Firmware, Program
from tinyc.toolchain import build, platformio
from tinyc.toolchain.core_folder import core_folder
from tinyc.toolchain.elf import compare_prediction, read_elf, read_sizes
from tinyc.toolchain.size_table import size_table
from tinyc.toolchain.stack import stack_bound

pytestmark = pytest.mark.emulated

TOOLCHAINS = ["zig", "gcc"]
PADDING = {"esp32c3": 256 - 8}  # at most, ahead of the trap handler
GRAPH = random_network(np.random.default_rng(3), 5)


def program(board: str, name: str = "small net") -> Program:
    return compile_graph(GRAPH, load_board(board), name=name)


def expected_and_inputs(seed: int) -> tuple[bytes, bytes]:
    rng = np.random.default_rng(seed)
    inputs = [rng.integers(-128, 128, GRAPH[name].shape).astype(np.int8) for name in GRAPH.inputs]
    outputs = interpreter.run(GRAPH, inputs)
    return b"".join(array.tobytes() for array in outputs), b"".join(array.tobytes() for array in inputs)


class Builds:
    """Each board and toolchain is built once for all tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[tuple[str, str], Firmware] = {}

    def get(self, board: str, toolchain: str) -> Firmware:
        key = board, toolchain
        need_toolchain(load_board(board), toolchain)
        if key not in self._built:
            self._built[key] = build(render(program(board)), self._folder / "-".join(key), toolchain)
        return self._built[key]


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    return Builds(tmp_path_factory.mktemp("builds"))


def check_device(transport: Transport, board: str) -> None:
    client = DeviceClient(transport)
    hello = client.expect(program(board).digest)
    assert (hello.board, hello.model, hello.layers) == (board, "small net", len(GRAPH.ops))
    assert hello.arena == program(board).plan.arena_size
    assert hello.clock_hz == load_board(board).clock_hz
    for seed in range(4):
        expected, inputs = expected_and_inputs(seed)
        assert client.run(inputs) == expected
    expected, inputs = expected_and_inputs(9)
    client.set_inputs(inputs)
    for layer in range(hello.layers):
        client.run_layer(layer)
    assert client.outputs() == expected


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("board", BOARDS)
def test_device_equals_reference(builds: Builds, board: str, toolchain: str) -> None:
    firmware = builds.get(board, toolchain)
    with running(firmware.elf, load_board(board)) as transport:
        check_device(transport, board)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("board", sorted(set(MACHINES) & set(MODELLED)))
def test_qemu_equals_reference(builds: Builds, board: str, toolchain: str) -> None:
    need_qemu(load_board(board))
    with QemuMachine(builds.get(board, toolchain).elf, load_board(board)) as machine:
        check_device(machine.transport, board)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("board", BOARDS)
def test_outputs_and_sizes(builds: Builds, board: str, toolchain: str) -> None:
    firmware = builds.get(board, toolchain)
    memory, sizes = load_board(board).memory, firmware.sizes
    binary = firmware.outputs["bin"].read_bytes()
    image = read_elf(firmware.elf)
    assert image.symbol("linker_stack_top").address == (
        memory.ram_origin + memory.ram_reserved + -(-memory.stack // 8) * 8
    )
    if image.architecture == "ARM":
        stack_top, reset = struct.unpack_from("<2I", binary, memory.boot_stage)
        assert stack_top == image.symbol("linker_stack_top").address
        assert reset & 1 and memory.application_origin < reset < memory.application_origin + len(binary)
    else:
        assert image.entry == memory.application_origin
    # Between sections there may be a gap that aligns the next one, to 8 bytes at most.
    assert 0 <= len(binary) - sizes.flash < 8
    assert replace(sizes, stack_bound=None) == read_sizes(firmware.elf, program(board))
    assert sizes.arena == program(board).plan.arena_size
    assert sizes.weights == program(board).weight_bytes
    assert sizes.flash - sizes.weights < 24_000
    # Where flash is written, a whole request arrives meanwhile.
    updates = 3600 if load_board(board).slots is not None else 0
    assert sizes.ram - sizes.arena + memory.stack < 2432 + updates + buffer_bytes(memory.ram)
    assert ("uf2" in firmware.outputs) == (load_board(board).uf2_family is not None)
    assert all(path.is_file() for path in firmware.outputs.values())


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("board", BOARDS)
def test_every_byte_has_a_name_in_the_size_table(builds: Builds, board: str, toolchain: str) -> None:
    firmware = builds.get(board, toolchain)
    table, sizes = size_table(firmware.elf), firmware.sizes
    assert [entry.bytes for entry in table] == sorted((entry.bytes for entry in table), reverse=True)
    totals = dict.fromkeys(("code", "constant", "data", "bss"), 0)
    for entry in table:
        totals[entry.kind] += entry.bytes
    assert totals == {"code": sizes.text, "constant": sizes.rodata, "data": sizes.data, "bss": sizes.bss}
    emitted = symbols.emitted(program(board))
    found = {entry.name: (entry.kind, entry.bytes) for entry in table}
    assert found[emitted.arena] == ("bss", sizes.arena)
    for name, size in emitted.weights.items():
        assert found[name] == ("constant", size)
    for name in (*emitted.layers, "main"):
        assert found[name][0] == "code"
    unnamed = sum(entry.bytes for entry in table if entry.name == "(no symbol)")
    # The texts of the protocol are among them.
    assert unnamed - PADDING.get(board, 0) < (360 if load_board(board).slots is None else 500)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("board", BOARDS)
def test_the_stack_stays_below_its_bound(builds: Builds, board: str, toolchain: str) -> None:
    firmware, memory = builds.get(board, toolchain), load_board(board).memory
    bound = firmware.sizes.stack_bound
    assert bound is not None and bound <= memory.stack
    if board not in MODELLED or load_board(board).slots is not None:
        return  # only an emulated chip tells what its stack used; the deepest path is that of an update
    bottom = memory.ram_origin + memory.ram_reserved
    with Machine(firmware.elf, load_board(board)) as machine:
        machine.write_ram(bottom, b"\xa5" * memory.stack, "test")
        client = DeviceClient(machine.transport)
        client.run(expected_and_inputs(0)[1])
        left = machine.read_memory(bottom, memory.stack)
    used = memory.stack - (len(left) - len(left.lstrip(b"\xa5")))
    assert bound // 2 < used <= bound


def test_code_without_a_stack_bound(builds: Builds) -> None:
    """A layer that may call itself through the layer table has no bound."""
    image = read_elf(builds.get("nrf52840", "zig").elf)
    with pytest.raises(TinycError, match="calls itself"):
        stack_bound(image, ["main"])


def test_a_stack_that_is_too_small(tmp_path: Path) -> None:
    board = load_board("nrf52840")
    tiny = replace(board, memory=replace(board.memory, stack=128))
    with pytest.raises(DoesNotFit, match="reserves 128"):
        build(render(compile_graph(GRAPH, tiny, name="net")), tmp_path)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_sound_goes_in_by_the_serial_port(tmp_path: Path, toolchain: str) -> None:
    """The device's front end equals the Python twin, and its model sees the features."""
    settings = AudioSettings(clip_samples=4000)
    board = load_board("nrf52840")
    need_toolchain(board, toolchain)
    on_host = audio_program(settings, scale=0.5, zero_point=3)
    program = compile_graph(on_host.graph, board, name="heard", audio=settings)
    front_end = AudioFrontEnd.for_input(settings, program.graph[program.graph.inputs[0]])
    firmware = build(render(program), tmp_path, toolchain)
    assert firmware.sizes.stack_bound is not None
    samples = np.random.default_rng(5).integers(-9000, 9000, settings.clip_samples).astype(np.int16)
    features = front_end.features(samples)
    with Machine(firmware.elf, board) as machine:
        client = DeviceClient(machine.transport)
        place = client.hello().inputs[0]
        for _ in range(2):
            client.audio_reset()
            assert client.audio_push([]) == 0
            assert client.audio_push(samples[:1]) == 0
            assert client.audio_push(samples[1:]) == settings.frames
            assert client.read(place.offset, place.size) == features.tobytes()
            client.invoke()
            (expected,) = interpreter.run(program.graph, [features.reshape(1, -1)])
            assert client.outputs() == expected.tobytes()


def test_the_elf_is_compared_with_the_plan(builds: Builds) -> None:
    image = read_elf(builds.get("nrf52840", "zig").elf)
    good = program("nrf52840")
    compare_prediction(image, good)
    bigger = replace(good, plan=replace(good.plan, arena_size=good.plan.arena_size + 16))
    with pytest.raises(TinycError) as caught:
        compare_prediction(image, bigger)
    assert [problem.where for problem in caught.value.problems] == ["small_net_arena_memory"]
    with pytest.raises(TinycError, match="differs from the memory plan"):
        compare_prediction(image, program("nrf52840", "other"))
    with pytest.raises(TinycError) as caught:
        compare_prediction(image, program("xiao_nrf52840"))
    assert "outside flash" in str(caught.value)


def test_a_bootloader_leaves_interrupts_behind(builds: Builds) -> None:
    """Masked, but pending: they must not come in when the firmware lets interrupts through."""
    machine = Machine(builds.get("nano33ble", "zig").elf, load_board("nano33ble"))
    machine._core.write(UC_ARM_REG_PRIMASK, 1)
    for register, value in ((0x014, 100), (0x010, 7), (0x100, 1 << 5), (0x200, 1 << 5), (0xD04, 5 << 26)):
        machine._core.engine.mem_write(0xE000E000 + register, value.to_bytes(4, "little"))
    assert {5 + FIRST_IRQ, PENDSV, SYSTICK} <= machine._core.control.pending
    check_device(machine.transport, "nano33ble")


def test_no_firmware_image(tmp_path: Path) -> None:
    (tmp_path / "a.elf").write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(TinycError):
        read_elf(tmp_path / "a.elf")
    with pytest.raises(TinycError, match="not for ARM"):
        read_elf(Path(sys.executable).resolve())
    with pytest.raises(TinycError, match="cannot read"):
        read_elf(tmp_path / "b.elf")


@pytest.fixture
def board_client(builds: Builds) -> tuple[Machine, DeviceClient]:
    machine = Machine(builds.get("nrf52840", "zig").elf, load_board("nrf52840"))
    return machine, DeviceClient(machine.transport, timeout=1.0)


MALFORMED, OUT_OF_RANGE = ({"err": {"group": TINYC, "rc": code}} for code in (2, 3))
NOT_THERE, INVALID = {"rc": 8}, {"rc": 3}


@pytest.mark.parametrize(
    ("op", "group", "command", "fields", "expected"),
    [
        (WRITE, TINYC, 6, {}, MALFORMED),
        (WRITE, TINYC, 6, {"off": 0}, MALFORMED),
        (WRITE, TINYC, 6, {"off": "0", "data": b"x"}, MALFORMED),
        (WRITE, TINYC, 6, {"off": -1, "data": b"x"}, MALFORMED),
        (WRITE, TINYC, 6, {"off": 0xFFFFFFFF, "data": b"x"}, OUT_OF_RANGE),
        (WRITE, TINYC, 6, {"off": 0xFFFFFFF0, "data": bytes(20)}, OUT_OF_RANGE),
        (READ, TINYC, 6, {"off": 0xFFFFFFFF, "len": 1}, OUT_OF_RANGE),
        (READ, TINYC, 6, {"off": 1, "len": 0xFFFFFFFF}, OUT_OF_RANGE),
        (READ, TINYC, 6, {"off": 0}, MALFORMED),
        (WRITE, TINYC, 1, {"off": 0xFFFFFFFF, "data": b"x"}, OUT_OF_RANGE),
        (READ, TINYC, 3, {"off": 0xFFFFFFFF, "len": 1}, OUT_OF_RANGE),
        (READ, TINYC, 0, [1], INVALID),
        (WRITE, TINYC, 4, {"first": 5, "count": 1}, OUT_OF_RANGE),
        (WRITE, TINYC, 4, {"first": 0, "count": 0xFFFFFFFF}, OUT_OF_RANGE),
        (WRITE, TINYC, 4, {"first": 0}, MALFORMED),
        (WRITE, TINYC, 7, {"reset": True}, NOT_THERE),
        (WRITE, TINYC, 8, {"text": b"play"}, NOT_THERE),
        (WRITE, TINYC, 0, {}, NOT_THERE),
        (READ, TINYC, 2, {}, NOT_THERE),
        (READ, TINYC, 99, {}, NOT_THERE),
        (READ, 63, 0, {}, NOT_THERE),
        (READ, 2, 0, {"name": "other"}, {"err": {"group": 2, "rc": 2}}),
    ],
)
def test_the_device_refuses(
    board_client: tuple[Machine, DeviceClient],
    op: int,
    group: int,
    command: int,
    fields: object,
    expected: object,
) -> None:
    machine, client = board_client
    machine.transport.write(encode(frame(op, group, command, fields, sequence=9)))
    (answer,) = FrameDecoder().feed(machine.transport.read(4096, 1.0))
    assert cbor2.loads(answer[8:]) == expected
    assert answer[:2] == bytes([8 | op | 1, 0])
    assert answer[4:8] == bytes([group >> 8, group & 0xFF, 9, command])
    client.expect(program("nrf52840").digest)


def test_the_last_byte_of_the_arena_can_be_used(board_client: tuple[Machine, DeviceClient]) -> None:
    client = board_client[1]
    arena = client.hello().arena
    client.write(arena - 3, b"abc")
    assert client.read(arena - 3, 3) == b"abc"
    client.write(arena, b"")
    with pytest.raises(ProtocolError, match="out of range"):
        client.write(arena - 2, b"abc")


@pytest.mark.parametrize("seed", range(5))
def test_garbage_does_not_stop_the_device(board_client: tuple[Machine, DeviceClient], seed: int) -> None:
    machine, client = board_client
    rng = np.random.default_rng(seed)
    machine.transport.write(rng.integers(0, 256, 5000).astype(np.uint8).tobytes())
    damaged = bytearray(encode(frame(READ, TINYC, 0, {})))
    damaged[5] ^= 1
    machine.transport.write(bytes(damaged) + START + b"//8A")
    client.resync()
    expected, inputs = expected_and_inputs(seed)
    assert client.run(inputs) == expected


def outputs(firmware: Firmware) -> dict[str, bytes]:
    return {kind: path.read_bytes() for kind, path in firmware.outputs.items()}


def test_the_same_bytes_in_another_folder(builds: Builds, tmp_path: Path) -> None:
    first = builds.get("xiao_nrf52840", "zig")
    second = build(render(program("xiao_nrf52840")), tmp_path / "an other ö folder", "zig")
    assert outputs(first) == outputs(second)


def test_a_second_build_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = render(program("nrf52840"))
    first = build(project, tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    def not_called(*_: object) -> Path:
        raise AssertionError("the compiler was called")

    with monkeypatch.context() as patch:
        patch.setattr(platformio, "run", not_called)
        assert build(project, tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == stamps
    before = outputs(first)
    first.outputs["hex"].write_text("damaged")
    assert outputs(build(project, tmp_path)) == before


def test_a_failing_compiler_is_one_error(tmp_path: Path) -> None:
    project = render(program("nrf52840"))
    good = outputs(build(project, tmp_path))
    broken = replace(
        project, files={**project.files, "src/hal.c": '#include "hal.h"\nint broken(void) { return x; }\n'}
    )
    with pytest.raises(TinycError) as caught:
        build(broken, tmp_path)
    assert "toolchain `zig` failed" in caught.value.what
    assert "undeclared identifier 'x'" in caught.value.what
    assert not list(tmp_path.glob("firmware.*"))
    assert outputs(build(project, tmp_path)) == good


def test_warnings_are_errors(tmp_path: Path) -> None:
    project = render(program("nrf52840"))
    text = project.files["src/hal.c"] + "static int unused(void) { return 1; }\n"
    with pytest.raises(TinycError, match="unused"):
        build(replace(project, files={**project.files, "src/hal.c": text}), tmp_path)


def test_an_interrupted_build_leaves_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = render(program("nrf52840"))
    good = outputs(build(project, tmp_path))
    changed = replace(
        project, files={**project.files, "include/hal.h": project.files["include/hal.h"] + "/**/\n"}
    )
    real = platformio.run

    def interrupted(folder: Path, *arguments: str, private: bool) -> Path:
        for damaged in real(folder, *arguments, private=private).parent.glob("src/*.o"):
            damaged.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(platformio, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(changed, tmp_path)
    assert not list(tmp_path.glob("firmware.*"))
    assert outputs(build(project, tmp_path)) == good


_BUILD_IN_A_PROCESS = """
import sys
from pathlib import Path
from test_build import build, program, render
build(render(program("nrf52840")), Path(sys.argv[1]))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_control_c_stops_everything(builds: Builds, tmp_path: Path) -> None:
    """Python, PlatformIO, SCons and compilers end; the next build finds a sane folder."""
    here = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, "-c", _BUILD_IN_A_PROCESS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), *sys.path])},
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / ".pio" / "build").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    assert not list(tmp_path.glob("firmware.*"))
    objects = tmp_path / ".pio" / "build" / "nrf52840" / "src"
    before = sorted(objects.glob("*.o"))
    time.sleep(0.3)
    assert sorted(objects.glob("*.o")) == before
    assert outputs(build(render(program("nrf52840")), tmp_path)) == outputs(builds.get("nrf52840", "zig"))


def test_a_missing_toolchain_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = render(program("nrf52840"))
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(TinycError) as caught:
            build(project, tmp_path / "out", "gcc")
    assert "gcc-arm-none-eabi" in caught.value.hint
    monkeypatch.setattr(platformio, "installed", lambda name: None)
    with pytest.raises(TinycError) as caught:
        build(project, tmp_path / "out", "zig")
    assert "pip install ziglang" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_plain_platformio_builds_a_moved_project(builds: Builds, tmp_path: Path) -> None:
    first = builds.get("nrf52840", "zig")
    moved = tmp_path / "moved"
    shutil.copytree(first.folder, moved, ignore=shutil.ignore_patterns(".pio", ".tinyc", "firmware.*"))
    subprocess.run(
        [sys.executable, "-m", "platformio", "run", "--silent"],
        cwd=moved,
        env={**platformio.environment("zig"), "PLATFORMIO_CORE_DIR": str(core_folder())},
        check=True,
    )
    elf = moved / ".pio" / "build" / "nrf52840" / "firmware.elf"
    assert elf.read_bytes() == first.elf.read_bytes()
