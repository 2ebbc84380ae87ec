"""Operators whose NumPy reference follows TensorFlow Lite Micro, bit for bit."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from strategies import MICRO_ONLY, STRATEGIES, WIDE_MICRO_ONLY
from strategies.common import random_inputs
from strategies.pairwise import with_defined_answers
from strategies.quantize import random_requantization_of_int32
from support.tflite_micro import micro_interpreter, run_micro
from support.tflite_writer import write
from tinyc import interpreter
from tinyc.ir.ops.base import Op

pytestmark = pytest.mark.host

GRAPHS = 100


@pytest.mark.parametrize("op", (*MICRO_ONLY, *WIDE_MICRO_ONLY), ids=lambda op: op.kind)
def test_the_reference_equals_tensorflow_lite_micro(op: type[Op]) -> None:
    rng = np.random.default_rng(zlib.crc32(op.kind.encode()))
    for case in range(GRAPHS):
        graph = STRATEGIES[op](rng)
        drawn = [random_inputs(rng, graph) for _ in range(5 if graph.states else 1)]
        sequence = [with_defined_answers(graph, inputs)[1] for inputs in drawn]
        micro = micro_interpreter(write(graph))
        for number, actual in enumerate(interpreter.run_sequence(graph, sequence)):
            expected = run_micro(micro, sequence[number], len(graph.outputs))
            for left, right in zip(expected, actual, strict=True):
                assert left.shape == right.shape
                assert left.tobytes() == right.tobytes(), f"case {case}.{number}: {graph.ops[0]}"


def test_requantization_from_and_to_int32_equals_tensorflow_lite_micro() -> None:
    rng = np.random.default_rng(1)
    pairs = set()
    for _ in range(GRAPHS):
        graph = random_requantization_of_int32(rng)
        inputs = random_inputs(rng, graph)
        (expected,) = run_micro(micro_interpreter(write(graph)), inputs, 1)
        (actual,) = interpreter.run(graph, inputs)
        assert actual.tobytes() == expected.tobytes(), graph.ops[0]
        pairs.add((inputs[0].dtype.name, actual.dtype.name))
    assert len(pairs) == 4
