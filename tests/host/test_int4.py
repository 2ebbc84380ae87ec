"""Models whose weights are stored with four bits, against TensorFlow Lite and Lite Micro."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from strategies import conv_2d, depthwise_conv_2d, fully_connected
from strategies.common import random_inputs
from strategies.int4 import weight_names, with_int4_weights
from support.classifiers import small_classifier
from support.litert import reference_interpreter, run_interpreter
from support.tflite_micro import micro_interpreter, run_micro
from support.tflite_writer import write
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.errors import TinycError
from tinyc.frontends.tflite import load_bytes
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op
from tinyc.ir.tensor import DType
from tinyc.kernels.portable_int4 import nibbles
from tinyc.memory.budget import budget
from tinyc.objective import Limits, Objective
from tinyc.passes.legalize import legalize
from tinyc.pipeline import compile_graph
from tinyc.quantize.fixed_point import Rounding
from tinyc.report import layer_entries
from tinyc.toolchain.host import HostModel

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from int4_layers import LAYERS

pytestmark = pytest.mark.host

GRAPHS = 40
STRATEGIES: dict[type[Op], Callable[[np.random.Generator], Graph]] = {
    Conv2D: conv_2d.random_graph,
    DepthwiseConv2D: depthwise_conv_2d.random_graph,
    FullyConnected: fully_connected.random_graph,
}


def stored(graph: Graph) -> bytes:
    return write(graph, weight_names(graph))


@pytest.mark.parametrize("kind", STRATEGIES)
def test_layers_equal_tensorflow_lite_and_lite_micro(kind: type[Op]) -> None:
    """Odd numbers of weights, one scale and one per channel among them."""
    rng = np.random.default_rng(1)
    kinds = set()
    for _ in range(GRAPHS):
        graph = with_int4_weights(STRATEGIES[kind](rng))
        data, inputs = stored(graph), random_inputs(rng, graph)
        loaded = load_bytes(data, "layer")
        weights = graph[graph.ops[0].inputs[1]]
        per_channel = weights.quantization is not None and weights.quantization.per_channel
        kinds.add((weights.elements % 2, per_channel))
        (expected,) = run_interpreter(reference_interpreter(data), inputs)
        (actual,) = interpreter.run(loaded, inputs, Rounding.SINGLE)
        assert actual.tobytes() == expected.tobytes(), loaded.ops
        # Lite Micro refuses int4 in fully connected layers with a scale for each unit.
        if kind is not FullyConnected or not per_channel:
            (expected,) = run_micro(micro_interpreter(data), inputs, 1)
            (actual,) = interpreter.run(loaded, inputs)
            assert actual.tobytes() == expected.tobytes(), loaded.ops
    assert len(kinds) == 4


@pytest.fixture(scope="module")
def classifier() -> Graph:
    return with_int4_weights(small_classifier(np.random.default_rng(2)))


@pytest.mark.parametrize("objective", [Objective.FLASH, Objective.TIME], ids=lambda each: each.value)
def test_a_model_in_c_equals_tensorflow_lite_packed_or_not(classifier: Graph, objective: Objective) -> None:
    data = stored(classifier)
    program = compile_graph(load_bytes(data, "small"), load_board("host"), optimize=objective, name="small")
    weights = [step.lowered.fields.get("weights") for step in program.steps]
    sizes = [array.size for array in weights if isinstance(array, np.ndarray)]
    counts = [classifier[name].elements for name in weight_names(classifier)]
    # For flash, the convolutions share the code that unpacks.
    packed = objective is Objective.FLASH
    assert sizes[::2] == [count // 2 if packed else count for count in counts[::2]]
    rng, lite = np.random.default_rng(3), reference_interpreter(data)
    records = [random_inputs(rng, classifier) for _ in range(6)]
    with HostModel(program) as model:
        for inputs, (answer,) in zip(records, model.run_many(records), strict=True):
            assert answer.tobytes() == interpreter.run(program.graph, inputs)[0].tobytes()
            (single,) = interpreter.run(program.graph, inputs, Rounding.SINGLE)
            assert single.tobytes() == run_interpreter(lite, inputs)[0].tobytes()


def test_with_too_little_flash_for_bytes_a_cortex_m4_packs_the_weights() -> None:
    layer, board = LAYERS["fully connected, 640 → 128"], load_board("nrf52840")
    fast = compile_graph(layer, board, name="dense", optimize=Objective.TIME)
    assert "_s8_" in fast.steps[0].kernel.symbol
    room = Limits(flash=budget(fast).flash - 30_000)
    packed = compile_graph(layer, board, name="dense", optimize=Objective.TIME, limits=room)
    (step,) = packed.steps
    assert "_s4_" in step.kernel.symbol and step.kernel.isa == "cortex_m4"
    assert fast.steps[0].lowered.constant_bytes() - step.lowered.constant_bytes() > 40_000
    assert layer_entries(packed)[0]["kernel"] == step.kernel.symbol


def test_a_width_is_no_part_of_a_model(classifier: Graph) -> None:
    """The same numbers with four and with eight bits are one graph, and one digest."""
    assert load_bytes(stored(classifier), "small").digest() == load_bytes(write(classifier), "small").digest()


def test_numbers_of_four_bits_lie_low_half_first() -> None:
    assert nibbles(np.array([[1, -8, 7]], np.int8)).view(np.uint8).tolist() == [0x81, 0x07]


def test_what_is_not_a_constant_of_four_bits_is_refused_by_name(classifier: Graph) -> None:
    graph = load_bytes(write(classifier, {"conv_y"}), "small")
    with pytest.raises(TinycError) as caught:
        legalize(graph)
    problems = caught.value.problems
    assert [problem.where for problem in problems] == [
        "#0 CONV_2D conv_y",
        "#1 DEPTHWISE_CONV_2D depthwise_y",
    ]
    assert all("a tensor has type int4" in problem.what for problem in problems)
    with pytest.raises(TinycError) as caught:
        load_bytes(write(classifier, {"input"}), "small")
    assert [problem.what for problem in caught.value.problems] == ["has type int4"]


def test_a_buffer_of_another_size_is_refused(classifier: Graph) -> None:
    weights = classifier[weight_names(classifier)[0]]
    data = stored(classifier)
    half = nibbles(weights.constant).tobytes()
    at = data.index(half) - 4
    assert data[at : at + 4] == len(half).to_bytes(4, "little")
    short = data[:at] + (len(half) - 1).to_bytes(4, "little") + data[at + 4 :]
    with pytest.raises(TinycError, match=f"needs {len(half)} bytes, its buffer has {len(half) - 1}"):
        load_bytes(short, "small")
    assert weights.dtype is DType.INT8
