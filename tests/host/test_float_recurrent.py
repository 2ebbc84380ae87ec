"""SVDF and LSTM in float32 over sequences, against TensorFlow Lite and TensorFlow Lite Micro."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from strategies import FLOAT_STRATEGIES
from strategies.real import usual
from support.litert import reference_interpreter, run_interpreter
from support.tflite_micro import micro_interpreter, run_micro
from support.tflite_writer import write
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Svdf, UnidirectionalSequenceLstm
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array

pytestmark = pytest.mark.host

GRAPHS = 60
STEPS = 5


def sequences(op: type[Op]) -> Iterator[tuple[Graph, list[list[Array]], list[Array]]]:
    """Layers with finite constants, inputs of a common size, and the outputs of the reference."""
    rng = np.random.default_rng(zlib.crc32(op.kind.encode()))
    for _ in range(GRAPHS):
        graph = FLOAT_STRATEGIES[op](rng)
        inputs = [[usual(rng, graph[name].shape) for name in graph.inputs] for _ in range(STEPS)]
        if all(np.abs(t.constant).max() < 100 for t in graph.operands(graph.ops[0]) if t.is_constant):
            yield graph, inputs, [row[0] for row in interpreter.run_sequence(graph, inputs)]


def test_svdf_equals_tensorflow_lite_micro() -> None:
    cases = list(sequences(Svdf))
    assert len(cases) > GRAPHS / 2
    for graph, inputs, outputs in cases:
        micro = micro_interpreter(write(graph))
        for x, actual in zip(inputs, outputs, strict=True):
            (expected,) = run_micro(micro, x, 1)
            assert expected.shape == actual.shape and expected.tobytes() == actual.tobytes(), graph.ops[0]


def test_svdf_is_near_tensorflow_lite() -> None:
    """Which adds in vectors: within 2^-15 of the result, or of 1."""
    for graph, inputs, outputs in sequences(Svdf):
        lite = reference_interpreter(write(graph))
        for x, actual in zip(inputs, outputs, strict=True):
            (expected,) = run_interpreter(lite, x)
            assert (np.abs(expected - actual) <= 2.0**-15 * np.maximum(1, np.abs(expected))).all()


def test_lstm_is_near_both() -> None:
    """Hidden states within 2^-18: Micro calls libm, Lite has coarser functions, and errors add up."""
    cases = list(sequences(UnidirectionalSequenceLstm))
    assert len(cases) > GRAPHS / 2
    for graph, inputs, outputs in cases:
        micro, lite = micro_interpreter(write(graph)), reference_interpreter(write(graph))
        for x, actual in zip(inputs, outputs, strict=True):
            for (expected,) in (run_micro(micro, x, 1), run_interpreter(lite, x)):
                assert expected.shape == actual.shape
                assert np.abs(expected - actual).max() <= 2.0**-18
