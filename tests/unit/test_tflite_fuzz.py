"""Damaged and hostile .tflite files: the answer is a graph or one TinycError, in bounded time and memory."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import tflite

from support.chains import keyword_chain
from support.movement_layers import DRAWS
from support.tflite_writer import int32, offsets, table, write, write_layers
from tinyc import passes
from tinyc.errors import TinycError
from tinyc.frontends.tflite import load_bytes
from tinyc.ir.graph import Graph, verify

pytestmark = pytest.mark.unit

SECONDS = 20.0


def outcome(data: bytes) -> Graph | TinycError:
    """What the front end and the passes make of the bytes; any other exception fails the test."""
    try:
        graph = load_bytes(data, "fuzzed")
    except TinycError as error:
        assert str(error).startswith("fuzzed: ")
        return error
    verify(graph)
    try:
        return passes.legalize(passes.run(graph))
    except TinycError as error:
        return error


COUNT = 600


@pytest.fixture(scope="module")
def model() -> bytes:
    return write(keyword_chain(real=False))


def test_the_undamaged_model_loads(model: bytes) -> None:
    assert isinstance(outcome(model), Graph)


def test_truncated_anywhere(model: bytes) -> None:
    for length in range(0, len(model), 7):
        outcome(model[:length])
    # The root table comes early, its vectors late: half a file is never a model.
    assert isinstance(outcome(model[: len(model) // 2]), TinycError)


def test_flipped_bits(model: bytes) -> None:
    rng = np.random.default_rng(0)
    for _ in range(COUNT):
        damaged = bytearray(model)
        for _ in range(int(rng.integers(1, 4))):
            damaged[int(rng.integers(8, len(damaged)))] ^= 1 << int(rng.integers(8))
        outcome(bytes(damaged))


def test_hostile_words(model: bytes) -> None:
    """Offsets, counts and extents replaced by the values that hurt most."""
    rng = np.random.default_rng(1)
    words = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0, 0x10000, 0x1000000)
    for _ in range(COUNT):
        damaged = bytearray(model)
        position = 4 * int(rng.integers(0, len(damaged) // 4))
        struct.pack_into("<I", damaged, position, int(rng.choice(words)))
        outcome(bytes(damaged))


def test_random_bytes() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        body = rng.integers(0, 256, int(rng.integers(0, 400)), dtype=np.uint8).tobytes()
        assert isinstance(outcome(body), TinycError)
        assert isinstance(outcome(b"\x10\0\0\0TFL3" + body), TinycError)


def test_memory_is_bounded(model: bytes) -> None:
    rng = np.random.default_rng(3)
    tracemalloc.start()
    started = time.process_time()
    try:
        for _ in range(100):
            damaged = bytearray(model)
            for _ in range(8):
                position = 4 * int(rng.integers(2, len(damaged) // 4))
                struct.pack_into("<I", damaged, position, int(rng.integers(1 << 32)))
            try:
                load_bytes(bytes(damaged), "fuzzed")
            except TinycError:
                continue
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20
    assert time.process_time() - started < SECONDS


def test_tables_that_share_a_long_vector() -> None:
    """A small file cannot ask for work that grows with the square of its size."""
    builder = flatbuffers.Builder(1024)
    count, length = 3000, 50_000
    scales = builder.CreateNumpyVector(np.full(length, 0.1, dtype=np.float32))
    quantization = table(builder, "QuantizationParameters", Scale=scales)
    shape = int32(builder, [length])
    tensors = [
        table(builder, "Tensor", Type=tflite.TensorType.INT8, Shape=shape, Quantization=quantization)
        for _ in range(count)
    ]
    operators = [
        table(builder, "Operator", Inputs=int32(builder, [i]), Outputs=int32(builder, [i + 1]))
        for i in range(count - 1)
    ]
    subgraph = table(
        builder,
        "SubGraph",
        Tensors=offsets(builder, tensors),
        Inputs=int32(builder, [0]),
        Outputs=int32(builder, [count - 1]),
        Operators=offsets(builder, operators),
    )
    code = table(builder, "OperatorCode", BuiltinCode=tflite.BuiltinOperator.RELU)
    model = table(
        builder,
        "Model",
        Version=3,
        OperatorCodes=offsets(builder, [code]),
        Subgraphs=offsets(builder, [subgraph]),
    )
    builder.Finish(model, file_identifier=b"TFL3")
    assert "more than the file has bytes for" in str(outcome(bytes(builder.Output())))


def test_damaged_real_models(shared: Path) -> None:
    rng = np.random.default_rng(4)
    for path in sorted((shared / "models").rglob("*.tflite")):
        data = path.read_bytes()
        for _ in range(12):
            damaged = bytearray(data)
            for _ in range(3):
                # Structure lies at both ends, weights in between.
                edge = int(rng.integers(8, min(len(data), 4000)))
                position = edge if rng.random() < 0.5 else len(data) - edge
                damaged[position] ^= 1 << int(rng.integers(8))
            outcome(bytes(damaged))
        outcome(data[: len(data) // 3])


@pytest.mark.parametrize("kind", DRAWS)
def test_operators_that_move_elements(kind: str) -> None:
    """Axes, sizes, multiples and indices replaced by the values that hurt most; the memory stays small."""
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    hostile = (0, -1, 2**31 - 1, -(2**31), 1 << 16, 1 << 24)
    tracemalloc.start()
    try:
        for _ in range(20):
            layer, tensors = DRAWS[kind](rng)
            places = [index for index, tensor in enumerate(tensors) if tensor.is_constant]
            value = int(rng.choice(hostile))
            if places and rng.random() < 0.8:
                at = int(rng.choice(places))
                data = tensors[at].constant.copy()
                data.reshape(-1)[int(rng.integers(data.size))] = np.int64(value).astype(data.dtype)
                tensors[at] = tensors[at].with_(data=data)
            elif layer.fields:
                layer.fields[str(rng.choice(list(layer.fields)))] = value % 128
            inputs = [
                tensor.name for tensor in tensors if tensor.name in layer.inputs and tensor.data is None
            ]
            outcome(write_layers([layer], tensors, inputs, layer.outputs))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20
