"""Firmware and model in images of their own on the emulated nRF52840: only the model is replaced."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.command_line import tinyc
from support.devices import need_toolchain
from support.paths import ROOT
from support.report_pages import page_data
from support.split_builds import (
    BOARD,
    SLOTS,
    again,
    example,
    flash_of,
    on_chip,
    retrained,
    text_program,
    without_last_block,
)
from tinyc import interpreter, pipeline
from tinyc.audio.wav import read_wav
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError
from tinyc.device.hello import ModelFault, Refusal
from tinyc.emit.project import render
from tinyc.emit.split_base import read_base
from tinyc.emulator import Machine
from tinyc.errors import DoesNotFit, TinycError
from tinyc.execution import DeviceEngine, audio_features, text_ids
from tinyc.program import Firmware, Program
from tinyc.split import Split, covers, read_firmware, read_model
from tinyc.verification import random_vectors

pytestmark = pytest.mark.emulated

TOOLCHAINS = ["zig", "gcc"]
MODELS = ["sine", "keyword_spotting", "text"]
# Offsets in `struct tinyc_model`.
MAGIC, FORMAT, END, LAYERS, KERNELS, INPUTS, INPUT_BYTES = 0, 4, 8, 12, 16, 20, 28
ARENA_OFFSET, ARENA_SIZE, STEPS, KERNEL_TABLE, INPUT_TABLE = 44, 48, 52, 56, 60
NAME_TABLE, FEATURES, FRONT_END, HEADER_BYTES = 68, 76, 92, 132


class Builds:
    """Each model and toolchain is built once for all tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[tuple[str, str], Firmware] = {}

    def program(self, model: str) -> Program:
        return text_program(self._folder) if model == "text" else example(model)

    def get(self, model: str, toolchain: str = "zig") -> Firmware:
        key = model, toolchain
        need_toolchain(BOARD, toolchain)
        if key not in self._built:
            folder = self._folder / "-".join(key)
            self._built[key] = pipeline.build(self.program(model), folder, toolchain, Split(SLOTS))
        return self._built[key]


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    return Builds(tmp_path_factory.mktemp("split"))


def body_of(firmware: Firmware, slot: int = 0) -> bytes:
    return firmware.outputs[f"model_{slot}"].read_bytes()


def check(machine: Machine, program: Program, count: int = 2) -> None:
    """The chip answers as the interpreter does, as a whole and layer by layer."""
    engine = DeviceEngine(DeviceClient(machine.transport), program)
    for vector in random_vectors(program.graph, count, 7):
        expected = interpreter.run(program.graph, vector)
        for got, wanted in zip(engine.run(vector), expected, strict=True):
            assert got.tobytes() == wanted.tobytes()
        trace = engine.trace(vector)
        for name, wanted in zip(program.graph.outputs, expected, strict=True):
            assert trace[name].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("model", MODELS)
def test_split_equals_reference(builds: Builds, model: str, toolchain: str, slot: int) -> None:
    program, firmware = builds.program(model), builds.get(model, toolchain)
    with on_chip(firmware, {slot: body_of(firmware, slot)}) as machine:
        check(machine, program)
        hello = DeviceClient(machine.transport).hello()
    assert (hello.model, hello.model_version) == (program.name, program.version)
    assert (hello.layers, hello.arena) == (len(program.steps), program.plan.arena_size)
    assert hello.capacity == program.plan.arena_size
    there = read_firmware(firmware.outputs["firmware_manifest"])
    assert (hello.firmware, hello.kernels) == (there.digest, there.kernel_set)
    other = [ModelFault.UNASKED, ModelFault.ABSENT][slot]
    faults = {slot: ModelFault.RUNS, 1 - slot: other}
    assert {index: refusal.fault for index, refusal in enumerate(hello.refused)} == faults


@pytest.mark.parametrize("model", MODELS)
def test_one_compiler_runs_the_model_of_the_other(builds: Builds, model: str) -> None:
    zig, gcc = (builds.get(model, toolchain) for toolchain in TOOLCHAINS)
    for firmware, image in ((zig, gcc), (gcc, zig)):
        with on_chip(firmware, {1: body_of(image, 1)}) as machine:
            check(machine, builds.program(model), 1)


def test_sound_and_text_go_in(builds: Builds) -> None:
    program, firmware = builds.program("keyword_spotting"), builds.get("keyword_spotting")
    assert program.audio is not None
    path = ROOT / "examples" / "keyword_spotting" / "inputs" / "go.wav"
    clip = read_wav(path, program.audio.sample_rate, program.audio.clip_samples)
    with on_chip(firmware, {0: body_of(firmware)}) as machine:
        engine = DeviceEngine(DeviceClient(machine.transport), program)
        features = audio_features(program, clip)
        np.testing.assert_array_equal(engine.features(clip), features)
        np.testing.assert_array_equal(
            engine.run_audio(clip)[0], interpreter.run(program.graph, [features])[0]
        )
    program, firmware = builds.program("text"), builds.get("text")
    with on_chip(firmware, {1: body_of(firmware, 1)}) as machine:
        engine = DeviceEngine(DeviceClient(machine.transport), program)
        ids = text_ids(program, b"play some jazz")
        (expected,) = interpreter.run(program.graph, [ids])
        np.testing.assert_array_equal(engine.run_text(b"play some jazz")[0], expected)


def test_other_models_on_the_same_firmware(builds: Builds, tmp_path: Path) -> None:
    """Other weights, and fewer layers: each comes out of a build of its own, whose firmware nobody needs."""
    program, firmware = builds.program("keyword_spotting"), builds.get("keyword_spotting")
    old = body_of(firmware)
    graphs = {"retrained": retrained(program.graph, 1), "shorter": without_last_block(program.graph)}
    with on_chip(firmware, {0: old}) as machine:
        check(machine, program, 1)
    for name, graph in graphs.items():
        new = again(program, graph)
        assert new.digest != program.digest
        built = pipeline.build(new, tmp_path / name, "zig", Split(SLOTS))
        there = read_firmware(firmware.outputs["firmware_manifest"])
        assert not covers(there, read_model(built.outputs["model_manifest"]))
        body = body_of(built)
        assert body != old
        with on_chip(firmware, {0: body}) as machine:
            check(machine, new, 1)
            assert DeviceClient(machine.transport).hello().model_version == "2.0.0"
    assert len(new.steps) == len(program.steps) - 2


@pytest.mark.parametrize("seed", range(2))
def test_a_model_that_is_made_for_a_firmware(builds: Builds, tmp_path: Path, seed: int) -> None:
    """Other scales may want other kernels; spare ones are there, and the choice is among what there is."""
    program = builds.program("keyword_spotting")
    spare = pipeline.build(program, tmp_path / "spare", "zig", Split(SLOTS, spare=True))
    base = read_base(tmp_path / "spare")
    graph = retrained(program.graph, seed, rescaled=True)
    new = again(program, graph, within=base.manifest)
    built = pipeline.build(new, tmp_path / "new", "zig", Split(SLOTS, base=base))
    assert not covers(base.manifest, read_model(built.outputs["model_manifest"]))
    assert built.outputs["bin"].read_bytes() == spare.outputs["bin"].read_bytes()
    assert built.sizes.flash < builds.get("keyword_spotting").sizes.flash + 12_000
    print(f"\nspare kernels: firmware {spare.sizes.flash} B, arena {spare.sizes.arena} B")
    with on_chip(spare, {0: body_of(built)}) as machine:
        check(machine, new, 1)
        assert DeviceClient(machine.transport).hello().capacity == spare.sizes.arena


def test_a_firmware_without_the_kernels(builds: Builds) -> None:
    program = builds.program("keyword_spotting")
    there = read_firmware(builds.get("sine").outputs["firmware_manifest"])
    with pytest.raises(TinycError, match="the firmware does not run the model") as caught:
        again(program, program.graph, within=there)
    assert len(caught.value.problems) > 3


# --- refusals


def patched(body: bytes, *changes: tuple[int, int]) -> bytes:
    """The body with words at these offsets replaced."""
    found = bytearray(body)
    for offset, word in changes:
        struct.pack_into("<I", found, offset, word & 0xFFFFFFFF)
    return bytes(found)


def word(body: bytes, offset: int) -> int:
    (found,) = struct.unpack_from("<I", body, offset)
    return int(found)


def test_damage_is_refused(builds: Builds) -> None:
    """Every case names its reason; afterwards nothing runs, and hello still answers."""
    firmware = builds.get("keyword_spotting")
    body, start = body_of(firmware), SLOTS.model_bodies[0]
    there = read_firmware(firmware.outputs["firmware_manifest"])
    arena, table = word(body, ARENA_SIZE), word(body, KERNEL_TABLE) - start
    steps, inputs = word(body, STEPS) - start, word(body, INPUT_TABLE) - start
    places = word(body, steps + 4) - start
    unknown = bytearray(body)
    unknown[table] ^= 1
    cases: list[tuple[bytes, ModelFault, bytes, bytes]] = [
        (b"", ModelFault.ABSENT, b"", b""),
        (patched(body, (MAGIC, 0)), ModelFault.ABSENT, b"", b""),
        (patched(body, (FORMAT, 7)), ModelFault.FORMAT, struct.pack("<I", 7), struct.pack("<I", 1)),
        (
            bytes(unknown),
            ModelFault.KERNEL,
            bytes(unknown[table : table + 8]),
            bytes.fromhex(there.kernel_set),
        ),
        (
            patched(body, (ARENA_SIZE, arena + 7000)),
            ModelFault.ARENA,
            struct.pack("<I", arena + 7000),
            struct.pack("<I", arena),
        ),
        (
            patched(body, (FRONT_END, 0), (FRONT_END + 4, 0)),
            ModelFault.FRONT_END,
            bytes(8),
            bytes.fromhex(there.front_end),
        ),
    ]
    damaged = [
        ((END, start + SLOTS.model_body_bytes + 4),),
        ((END, start + 4),),
        ((END, 0),),
        ((LAYERS, 0xFFFFFFFF),),
        ((LAYERS, 0x10000),),
        ((KERNELS, 65),),
        ((INPUTS, 0),),
        ((INPUTS, 0x20000001),),
        ((INPUT_BYTES, 491),),
        ((ARENA_OFFSET, 4),),
        ((STEPS, 0x20000000),),
        ((STEPS, start + steps + 1),),
        ((KERNEL_TABLE, start - 8),),
        ((INPUT_TABLE, start + len(body)),),
        ((NAME_TABLE, 0),),
        ((FEATURES, arena),),
        ((FEATURES, 0xFFFFFFFF),),
        ((inputs, arena - 489),),
        ((inputs, 0xFFFFFF00),),
        ((inputs + 4, 0xFFFFFFFF), (INPUT_BYTES, 0xFFFFFFFF)),
        ((steps, 0),),
        ((steps + 4, 0x20000000),),
        ((steps + 8, 64),),
        ((places, arena + 1),),
        ((places + 4, 0xFFFFFFFF),),
    ]
    cases += [(patched(body, *changes), ModelFault.DAMAGED, b"", b"") for changes in damaged]
    with on_chip(firmware, {0: body}) as machine:
        for content, fault, wanted, found in cases:
            machine.power_cycle(flash_of(firmware, {0: content}))
            client = DeviceClient(machine.transport)
            hello = client.hello()
            assert not hello.has_model and not hello.inputs and hello.model == ""
            assert hello.refused == (Refusal(fault, wanted, found), Refusal(ModelFault.ABSENT))
            with pytest.raises(ProtocolError, match="no slot has a model"):
                client.invoke()
            with pytest.raises(ProtocolError, match="no slot has a model"):
                client.read(0, 1)
            with pytest.raises(ProtocolError, match="no slot has a model"):
                client.profile(0, 1)
            with pytest.raises(ProtocolError, match="no slot has a model"):
                client.audio_reset()
            with pytest.raises(TinycError, match="no model that its firmware runs") as caught:
                client.expect(builds.program("keyword_spotting").digest)
            assert str(hello.refused[0]) in str(caught.value)
            assert client.counters().refused == 4
        machine.power_cycle(flash_of(firmware, {0: body}))
        check(machine, builds.program("keyword_spotting"), 1)


def test_the_other_slot_runs_when_one_is_refused(builds: Builds) -> None:
    program, firmware = builds.program("keyword_spotting"), builds.get("keyword_spotting")
    bodies = {0: patched(body_of(firmware), (FORMAT, 2)), 1: body_of(firmware, 1)}
    with on_chip(firmware, bodies) as machine:
        check(machine, program, 1)
        refused = DeviceClient(machine.transport).hello().refused
    assert [refusal.fault for refusal in refused] == [ModelFault.FORMAT, ModelFault.RUNS]


def test_a_body_for_the_other_slot_is_damaged(builds: Builds) -> None:
    firmware = builds.get("sine")
    with on_chip(firmware, {0: body_of(firmware, 1)}) as machine:
        refused = DeviceClient(machine.transport).hello().refused
    assert refused[0].fault == ModelFault.DAMAGED


@pytest.mark.parametrize("seed", range(3))
def test_no_damage_stops_the_device(builds: Builds, seed: int) -> None:
    """Random words in header, steps and tables: the device may refuse or not, and it answers."""
    rng, firmware = np.random.default_rng(seed), builds.get("keyword_spotting")
    body, start = body_of(firmware), SLOTS.model_bodies[0]
    steps = word(body, STEPS) - start
    spots = [*range(0, HEADER_BYTES, 4), *range(steps, steps + 144, 4)]
    machine = on_chip(firmware, {0: body})
    for _ in range(40):
        changes = [
            (
                int(rng.choice(spots)),
                int(rng.choice([rng.integers(0, 2**32), start + rng.integers(0, 40_000)])),
            )
            for _ in range(int(rng.integers(1, 4)))
        ]
        machine.power_cycle(flash_of(firmware, {0: patched(body, *changes)}))
        DeviceClient(machine.transport).hello()


# --- sizes, stack and cycles


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("model", MODELS)
def test_sizes_stack_and_cycles(builds: Builds, model: str, toolchain: str, tmp_path: Path) -> None:
    program, split = builds.program(model), builds.get(model, toolchain)
    unsplit = replace(program, board=load_board("nrf52840"))
    whole = pipeline.build(unsplit, tmp_path / "whole", toolchain)
    body = body_of(split)
    assert split.sizes.image == len(body) == len(body_of(split, 1))
    assert split.sizes.weights == program.weight_bytes < len(body)
    assert split.sizes.flash < whole.sizes.flash - program.weight_bytes + 2200
    assert split.sizes.ram < whole.sizes.ram + 160
    # Deciding about a model takes no more stack than running one.
    assert split.sizes.stack_bound is not None and whole.sizes.stack_bound is not None
    assert split.sizes.stack_bound <= whole.sizes.stack_bound + 16
    memory, (vector,) = BOARD.memory, random_vectors(program.graph, 1, 3, longest=True)
    cycles = []
    for machine in (Machine(whole.elf, unsplit.board), on_chip(split, {0: body})):
        with machine:
            machine.write_ram(memory.ram_origin, b"\xa5" * memory.stack, "test")
            client = DeviceClient(machine.transport)
            engine = DeviceEngine(client, program)
            engine.run(vector)
            left = machine.read_memory(memory.ram_origin, memory.stack)
            engine._load(vector)
            cycles.append(client.invoke())
    used = memory.stack - (len(left) - len(left.lstrip(b"\xa5")))
    assert used <= split.sizes.stack_bound
    layers = len(program.steps)
    print(
        f"\n{model} {toolchain}: firmware {split.sizes.flash} B and image {len(body)} B, "
        f"whole {whole.sizes.flash} B; RAM {split.sizes.ram} B, whole {whole.sizes.ram} B; "
        f"stack {split.sizes.stack_bound} B, whole {whole.sizes.stack_bound} B; "
        f"{cycles[1]} cycles, whole {cycles[0]}, {(cycles[1] - cycles[0]) / layers:.0f} a layer"
    )
    assert cycles[1] - cycles[0] <= 80 * layers + 40


def test_a_model_that_is_larger_than_its_slot(tmp_path: Path) -> None:
    program = example("keyword_spotting")
    # Header and TLVs take 1536 bytes of a slot.
    for bytes_ in (8192, 1536 + program.weight_bytes + 100):
        small = Split(replace(SLOTS, model_pages=2, page=bytes_))
        with pytest.raises(DoesNotFit, match="does not fit into a model slot"):
            pipeline.build(program, tmp_path, "zig", small)
    with pytest.raises(DoesNotFit, match="an arena of 262000 bytes does not fit"):
        pipeline.build(program, tmp_path, "zig", Split(SLOTS, arena=262_000))
    with pytest.raises(DoesNotFit, match="an arena of 259000 bytes does not fit"):
        pipeline.build(program, tmp_path, "zig", Split(SLOTS, arena=259_000))


def test_only_boards_with_slots(tmp_path: Path) -> None:
    said = tinyc("build", ROOT / "examples" / "sine", "-b", "microbit", "--split-model", "-o", tmp_path)
    assert said.code == 1 and "has no slots for models" in said.stderr


def test_registry_builds_no_split_model(builds: Builds) -> None:
    with pytest.raises(TinycError, match="builds no split model"):
        render(builds.program("sine"), "registry", Split(SLOTS))


def test_the_verbs(tmp_path: Path) -> None:
    """build, verify, run; then a model for that firmware, and one that it does not run."""
    sine, first, second = ROOT / "examples" / "sine", tmp_path / "first", tmp_path / "second"
    said = tinyc("build", sine, "--split-model", "--arena", 1000, "-o", first, "--json")
    assert said.code == 0, said.stderr
    told = said.json["split"]
    assert told["arena_capacity"] == 1000 and told["image"] < 2000 < said.json["flash"]
    assert {"model_0", "model_1", "firmware_manifest", "model_manifest"} <= set(said.json["files"])
    assert tinyc("verify", first).code == 0
    np.save(tmp_path / "x.npy", np.array([[1.0]], dtype=np.float32))
    said = tinyc("run", first, "--input", tmp_path / "x.npy", "--json")
    assert said.code == 0, said.stderr
    assert said.json["instructions"] > 500
    said = tinyc("build", sine, "--split-model", "--firmware", first, "-o", second, "--json")
    assert said.code == 0, said.stderr
    assert said.json["split"] == told
    assert (first / "firmware.bin").read_bytes() == (second / "firmware.bin").read_bytes()
    arena, fits, small = said.json["arena"], tmp_path / "fits", tmp_path / "small"
    of_first = ("build", sine, "--split-model", "--firmware", first)
    said = tinyc(*of_first, "--max-arena", arena, "--max-flash", "100k", "-o", fits, "--json")
    assert said.code == 0, said.stderr
    assert said.json["arena"] == arena
    for limit, words in (("--max-arena", "bytes alive in the arena"), ("--max-flash", "bytes of constants")):
        said = tinyc(*of_first, limit, 8, "-o", small)
        assert said.code == 3 and words in said.stderr and "#0 FULLY_CONNECTED" in said.stderr
        assert "build without --firmware" in said.stderr and not small.exists()
    said = tinyc("build", ROOT / "examples" / "keyword_spotting", "--split-model", "--firmware", first)
    assert said.code == 1 and "the firmware does not run the model" in said.stderr
    said = tinyc("build", sine, "--arena", 1000)
    assert said.code == 1 and "add --split-model" in said.stderr
    said = tinyc("profile", first)
    assert said.code == 1 and "split build" in said.stderr
    assert tinyc("report", second, "--against", first).code == 0
    page = page_data(second / "report.html")
    assert page["build"]["image"] == told["image"] and page["build"]["costs"] == "predicted"
    assert 1000 in [one["bytes"] for one in page["build"]["symbols"] if one["group"] == "arena"]
    assert page["comparison"]["symbols"] == []
    (first / "src" / "hal.c").write_text("/* changed */\n", encoding="utf-8")
    said = tinyc("build", sine, "--split-model", "--firmware", first, "-o", second)
    assert said.code == 1 and "not those that were built" in said.stderr


def test_several_models_share_a_firmware(builds: Builds, tmp_path: Path) -> None:
    program = builds.program("keyword_spotting")
    shorter = again(program, without_last_block(retrained(program.graph, 3, rescaled=True)), version="3.0.0")
    both = pipeline.build(program, tmp_path / "both", "zig", Split(SLOTS, also=(shorter,)))
    other = pipeline.build(shorter, tmp_path / "other", "zig", Split(SLOTS))
    with on_chip(both, {0: body_of(both)}) as machine:
        check(machine, program, 1)
    with on_chip(both, {0: body_of(other)}) as machine:
        check(machine, shorter, 1)
    with pytest.raises(TinycError, match="cannot share a firmware"):
        render(program, split=Split(SLOTS, also=(builds.program("sine"),)))
    with pytest.raises(TinycError, match="an arena of 64 bytes is too small"):
        render(program, split=Split(SLOTS, arena=64))
