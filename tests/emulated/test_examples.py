"""Every example for every board; the keyword firmware listens on the emulated chip.

Each example is compiled and rendered for each board. A firmware is the texts of its board, and those of the
example. `sine` is built and runs on every board, the other examples once for all boards for which their texts
and the compiler's flags are the same.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.devices import BOARDS, running
from support.paths import ROOT
from tinyc import pipeline
from tinyc.audio.wav import read_wav
from tinyc.boards import load_board
from tinyc.cli import target
from tinyc.device.client import DeviceClient
from tinyc.device.limits import buffer_bytes
from tinyc.emit.project import board_texts
from tinyc.emulator import Machine
from tinyc.errors import DoesNotFit
from tinyc.execution import DeviceEngine, audio_features, host_engine
from tinyc.memory.budget import budget
from tinyc.program import Program
from tinyc.verification import random_vectors, verify

pytestmark = pytest.mark.emulated

ON_EVERY_BOARD = "sine"
# Examples whose model is the user's own, and the one of the shared folder that plays it.
BROUGHT = {"person_detection": "mlperf_tiny/vww_96_int8.tflite"}
# A sentence of 256 tokens takes the plain cores minutes; test_transformers.py runs this example.
LARGE = {"bert_intent"}
EXAMPLES = sorted({path.parent.name for path in (ROOT / "examples").glob("*/tinyc.toml")} - LARGE)
# Boards of 16 kB of RAM, or 256 kB of flash.
TOO_LARGE = {
    ("anomaly_detection", "microbit"),
    ("person_detection", "microbit"),
    ("keyword_learning", "microbit"),
}
# The network of keyword_spotting, with a head: a board that keeps it, one that does not, a small one.
LEARNING = {"nrf52840", "nrf52840_bare", "microbit"}
# Boards for which an example is not just another program.
ONLY = {
    "keyword_learning": LEARNING,
    # The user's model may be any; test_mlperf_tiny.py has more to say of this one.
    "person_detection": {"microbit", "nrf52840", "rpi_pico"},
    "lowpan_sensor": {board for board in BOARDS if load_board(board).radio},
}
CASES = [(example, board) for example in EXAMPLES for board in BOARDS if board in ONLY.get(example, {board})]


@pytest.fixture
def folder(example: str, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of the example, with the model that a user brings."""
    home = ROOT / "examples" / example
    if example not in BROUGHT:
        return home
    shared: Path = request.getfixturevalue("shared")
    copy = tmp_path / example
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("build", "*.tflite"))
    shutil.copy(shared / "models" / BROUGHT[example], copy / f"{example}.tflite")
    return copy


@pytest.fixture(scope="session")
def proved() -> set[str]:
    """`texts_of_example` of what was built and ran."""
    return set()


def compiled(folder: Path, board: str) -> Program:
    return target.compiled(folder, board)[2]


def texts_of_example(program: Program) -> str:
    """A digest of what a firmware has beside the texts of its board, and of the compiler's flags."""
    board = program.board
    boards = {*board_texts(board), "include/identity.h"}
    texts = {
        path: text.replace(board.title, "").replace(board.name, "")
        for path, text in pipeline.render(program).files.items()
        if path.startswith(("include/", "src/")) and path not in boards
    }
    return hashlib.sha256(repr((board.instruction_set, texts)).encode()).hexdigest()


def test_there_are_examples() -> None:
    assert {"keyword_spotting", "sine"} <= set(EXAMPLES)


@pytest.mark.parametrize(("example", "board"), CASES)
def test_every_example_on_every_board(
    example: str, board: str, folder: Path, proved: set[str], tmp_path: Path
) -> None:
    program = compiled(folder, board)
    if (example, board) in TOO_LARGE:
        with pytest.raises(DoesNotFit, match=f"does not fit on board `{board}`"):
            pipeline.build(program, tmp_path / "out")
        return
    budget(program).require_fit()
    texts = texts_of_example(program)
    if texts in proved and example != ON_EVERY_BOARD and example not in ONLY:
        return
    firmware = pipeline.build(program, tmp_path / "out")
    with running(firmware.elf, program.board) as transport, host_engine(program) as host:
        device = DeviceEngine(DeviceClient(transport), program)
        engines = {"host": host, "device": device}
        vectors = random_vectors(program.graph, 1 if example in BROUGHT else 3, 1)
        by_layer = verify(program, vectors[:1], engines, layers=True)
        for engine in engines.values():
            engine.reset()
        result = verify(program, vectors, engines)
    assert by_layer.agrees, by_layer.first
    assert result.agrees, result.first
    proved.add(texts)


def test_keyword_firmware_bounds(tmp_path: Path) -> None:
    program = compiled(ROOT / "examples" / "keyword_spotting", "nrf52840_bare")
    sizes = pipeline.build(program, tmp_path / "out").sizes
    assert sizes.flash - sizes.weights < 24_000
    memory = program.board.memory
    assert sizes.ram + memory.stack - sizes.arena < 2_432 + buffer_bytes(memory.ram)


def test_the_device_hears_what_the_twin_hears(tmp_path: Path) -> None:
    program = compiled(ROOT / "examples" / "keyword_spotting", "nrf52840")
    firmware = pipeline.build(program, tmp_path / "out")
    machine = Machine(firmware.elf, program.board)
    device = DeviceEngine(DeviceClient(machine.transport), program)
    assert program.audio is not None
    paths = sorted((ROOT / "examples" / "keyword_spotting" / "inputs").glob("*.wav"))
    assert len(paths) >= 3
    with host_engine(program) as host:
        for path in paths:
            clip = read_wav(path, program.audio.sample_rate, program.audio.clip_samples)
            expected = audio_features(program, clip)
            np.testing.assert_array_equal(device.features(clip), expected)
            np.testing.assert_array_equal(device.run_audio(clip)[0], host.run([expected])[0])


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_labels_fit_the_model(example: str, folder: Path) -> None:
    program = compiled(folder, "nrf52840")
    outputs = program.graph[program.graph.outputs[0]].elements
    assert len(program.labels) in (0, outputs)
