"""Sentence classifiers on the emulated nRF52840: the shipped EmbBERT, and an encoder of standard layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from support.paths import ROOT
from tinyc import interpreter, pipeline, source
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.emit import symbols
from tinyc.emulator import Machine
from tinyc.execution import DeviceEngine, host_engine
from tinyc.ir.tensor import Array
from tinyc.preparation import prepare
from tinyc.program import Program
from tinyc.verification import random_vectors, verify

pytestmark = pytest.mark.emulated

EXAMPLE = ROOT / "examples" / "bert_intent"


@contextmanager
def chip(program: Program, elf: Path) -> Iterator[tuple[DeviceEngine, Machine]]:
    machine = Machine(elf, program.board)
    try:
        yield DeviceEngine(DeviceClient(machine.transport), program), machine
    finally:
        machine.transport.close()


def compiled(path: Path) -> Program:
    wanted = source.resolve(path)
    graph = prepare(wanted).graph
    return pipeline.compile_graph(
        graph,
        load_board("nrf52840_bare"),
        name=wanted.name,
        labels=wanted.labels,
        tokenizer=wanted.tokenizer,
    )


def sentence(program: Program, length: int) -> Array:
    (name,) = program.graph.inputs
    ids = np.zeros(program.graph[name].shape, np.int16)
    ids[0, :length] = np.random.default_rng(length).integers(5, 4000, length)
    return ids


@pytest.mark.parametrize("name", ["tinyc", "hwu64"])
def test_the_shipped_embbert(name: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    program = compiled(EXAMPLE / f"{name}.toml")
    firmware = pipeline.build(program, tmp_path)
    # The arithmetic of a sentence of 256 tokens: two buffers of 32 KiB, a tile of four rows, the ids.
    assert program.plan.arena_size < 75_300 and firmware.sizes.ram < 1.05 * 75_300
    assert program.weight_bytes < 375_000
    wanted = source.resolve(EXAMPLE / f"{name}.toml")
    assert wanted.evaluation is not None
    (columns,), labels = source.load_samples(wanted.evaluation, program.graph.inputs)
    assert labels is not None
    hits = 0
    with chip(program, firmware.elf) as (engine, machine):
        for ids, label in zip(columns[:40], labels[:40], strict=True):
            vector = [ids.reshape(1, -1).astype(np.int16)]
            (got,), (expected,) = engine.run(vector), interpreter.run(program.graph, vector)
            assert got.tobytes() == expected.tobytes()
            hits += int(got.argmax() == label)
        assert hits >= 32
        invoke = f"{symbols.prefix(program)}_invoke"
        machine.watch([invoke])
        engine.run([sentence(program, 32)])
        counted = machine.profile().watched[invoke].instructions
    # 6,087,680 products of a sentence of 32 tokens.
    assert counted < 1.9 * 6_087_680


@pytest.mark.parametrize("length", [0, 1, 2, 255, 256])
def test_sentences_of_any_length(length: int, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    program = compiled(EXAMPLE / "tinyc.toml")
    vector = [sentence(program, length)]
    with host_engine(program) as host:
        (got,), (expected,) = host.run(vector), interpreter.run(program.graph, vector)
    assert got.tobytes() == expected.tobytes()


def test_ids_out_of_range_do_no_harm() -> None:
    pytest.importorskip("tensorflow")
    program = compiled(EXAMPLE / "tinyc.toml")
    ids = sentence(program, 20)
    ids[0, 3:7] = [32767, -1, -32768, 8192]
    known = ids.copy()
    known[0, 3:7] = 0
    with host_engine(program, sanitize=True) as host:
        (got,) = host.run([ids])
    (expected,) = interpreter.run(program.graph, [ids])
    assert got.tobytes() == expected.tobytes()


def test_an_encoder_of_standard_keras_layers(tmp_path: Path) -> None:
    """Two blocks, two heads; nothing of it is ours."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(3)
    layers, longest, vocabulary, width = keras.layers, 48, 400, 32
    ids = keras.Input((longest,), dtype="int32", name="ids")
    x = layers.Embedding(vocabulary, width)(ids)
    x = layers.Add()([x, layers.Embedding(longest, width)(keras.ops.arange(longest)[None])])
    for _ in range(2):
        attended = layers.MultiHeadAttention(2, width // 2)(x, x)
        x = layers.LayerNormalization()(layers.Add()([x, layers.Dropout(0.1)(attended)]))
        hidden = layers.Dense(width)(layers.Dense(4 * width, activation="gelu")(x))
        x = layers.LayerNormalization()(layers.Add()([x, hidden]))
    model = keras.Model(ids, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))
    model.save(tmp_path / "encoder.keras")
    rng = np.random.default_rng(0)
    rows = rng.integers(0, vocabulary, (64, longest)).astype(np.int32)
    np.savez(tmp_path / "rows.npz", inputs=rows)
    wanted = source.resolve(tmp_path / "encoder.keras", calibration=tmp_path / "rows.npz")
    prepared = prepare(wanted)
    program = pipeline.compile_graph(prepared.graph, load_board("nrf52840_bare"), name="encoder")
    firmware = pipeline.build(program, tmp_path / "firmware")
    with chip(program, firmware.elf) as (engine, _), host_engine(program) as host:
        result = verify(
            program, random_vectors(program.graph, 3, 1), {"host": host, "device": engine}, layers=True
        )
    assert result.agrees, result.first
    real = np.asarray(model(rows[:16]))
    scale = program.graph[program.graph.outputs[0]].scale
    ours = np.stack(
        [
            interpreter.run(program.graph, [row[None].astype(np.int16)])[0].reshape(-1) * scale
            for row in rows[:16]
        ]
    )
    assert np.abs(ours - real).max() < 0.05 * np.abs(real).max()
