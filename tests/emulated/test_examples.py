"""Every example for every board; the keyword firmware listens on the emulated chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.devices import BOARDS, running
from support.paths import ROOT
from tinyc import pipeline, source
from tinyc.audio.wav import read_wav
from tinyc.boards import load_board
from tinyc.cli import target
from tinyc.device.client import DeviceClient
from tinyc.device.limits import buffer_bytes
from tinyc.emulator import Machine
from tinyc.errors import DoesNotFit
from tinyc.execution import DeviceEngine, audio_features, host_engine
from tinyc.program import Program
from tinyc.verification import random_vectors, verify

pytestmark = pytest.mark.emulated

# A sentence of 256 tokens takes the plain cores minutes; test_transformers.py runs this example.
LARGE = {"bert_intent"}
EXAMPLES = sorted({path.parent.name for path in (ROOT / "examples").glob("*/tinyc.toml")} - LARGE)
# Boards of 16 kB of RAM.
TOO_LARGE = {
    ("keyword_spotting", "hifive1_revb"),
    ("keyword_spotting", "microbit"),
    ("keyword_learning", "microbit"),
}
# The network of keyword_spotting, with a head: a board that keeps it, one that does not, a small one.
LEARNING = {"nrf52840", "nrf52840_bare", "microbit"}
# Boards for which an example is not just another program.
ONLY = {
    "keyword_learning": LEARNING,
    "lowpan_sensor": {board for board in BOARDS if load_board(board).radio},
}
CASES = [(example, board) for example in EXAMPLES for board in BOARDS if board in ONLY.get(example, {board})]


def compiled(example: str, board: str) -> Program:
    return target.compiled(ROOT / "examples" / example, board)[2]


def test_there_are_examples() -> None:
    assert {"keyword_spotting", "sine"} <= set(EXAMPLES)


@pytest.mark.parametrize(("example", "board"), CASES)
def test_every_example_on_every_board(example: str, board: str, tmp_path: Path) -> None:
    program = compiled(example, board)
    if (example, board) in TOO_LARGE:
        with pytest.raises(DoesNotFit, match=f"does not fit on board `{board}`"):
            pipeline.build(program, tmp_path / "out")
        return
    firmware = pipeline.build(program, tmp_path / "out")
    with running(firmware.elf, program.board) as transport, host_engine(program) as host:
        device = DeviceEngine(DeviceClient(transport), program)
        engines = {"host": host, "device": device}
        result = verify(program, random_vectors(program.graph, 3, 1), engines, layers=True)
    assert result.agrees, result.first


def test_keyword_firmware_bounds(tmp_path: Path) -> None:
    program = compiled("keyword_spotting", "nrf52840_bare")
    sizes = pipeline.build(program, tmp_path / "out").sizes
    assert sizes.flash - sizes.weights < 24_000
    memory = program.board.memory
    assert sizes.ram + memory.stack - sizes.arena < 2_432 + buffer_bytes(memory.ram)


def test_the_device_hears_what_the_twin_hears(tmp_path: Path) -> None:
    program = compiled("keyword_spotting", "nrf52840")
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


def test_the_labels_fit_the_model() -> None:
    for example in EXAMPLES:
        found = source.resolve(ROOT / "examples" / example)
        if found.labels:
            program = compiled(example, "nrf52840")
            assert len(found.labels) == program.graph[program.graph.outputs[0]].elements
