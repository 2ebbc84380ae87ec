"""Layers and networks with int16 activations and int8 weights, against TensorFlow Lite and Lite Micro."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from strategies import conv_2d, depthwise_conv_2d, fully_connected
from strategies.common import random_inputs
from strategies.int16 import with_int16_activations
from support.litert import reference_interpreter, run_interpreter
from support.programs import program_of
from support.tflite_micro import micro_interpreter, run_micro
from support.tflite_writer import write
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.errors import TinycError
from tinyc.frontends.tflite import load_bytes
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.kernels.catalogue import candidates
from tinyc.passes.legalize import legalize
from tinyc.pipeline import compile_graph
from tinyc.quantize.fixed_point import Rounding
from tinyc.toolchain.host import HostBundle, HostModel

pytestmark = pytest.mark.host

STRATEGIES = {
    Conv2D: conv_2d.random_graph,
    DepthwiseConv2D: depthwise_conv_2d.random_graph,
    FullyConnected: fully_connected.random_graph,
}
NETWORKS = (
    *("convolution", "dense", "depthwise", "gates", "keywords"),
    *("moves", "pools", "residual", "slices", "softmax"),
)


def with_int32_bias(tensor: Tensor) -> Tensor:
    wide = with_int16_activations(tensor)
    return (
        wide
        if wide.dtype is not DType.INT64
        else wide.with_(dtype=DType.INT32, data=wide.constant.astype(np.int32))
    )


def layers(
    kind: type[Op], count: int, change: Callable[[Tensor], Tensor] = with_int16_activations
) -> list[Graph]:
    rng = np.random.default_rng(5)
    graphs = [STRATEGIES[kind](rng) for _ in range(count)]
    return [
        graph.rebuilt(tensors={name: change(tensor) for name, tensor in graph.tensors.items()})
        for graph in graphs
    ]


@pytest.mark.parametrize("kind", STRATEGIES)
def test_layers_equal_tensorflow_lite_micro(kind: type[Op]) -> None:
    rng = np.random.default_rng(6)
    for graph in layers(kind, 40):
        inputs = random_inputs(rng, graph)
        (expected,) = run_micro(micro_interpreter(write(graph)), inputs, 1)
        (actual,) = interpreter.run(graph, inputs)
        assert actual.tobytes() == expected.tobytes(), graph.ops[0]


@pytest.mark.parametrize("kind", [Conv2D, FullyConnected])
def test_a_bias_of_32_bits_asks_for_sums_of_32_bits(kind: type[Op]) -> None:
    """As TensorFlow Lite Micro, and in C."""
    rng = np.random.default_rng(7)
    graphs = [graph for graph in layers(kind, 24, with_int32_bias) if len(graph.ops[0].inputs) == 3]
    bundle = HostBundle(
        [program_of(graph, candidates(graph.ops[0], graph), f"m{i}") for i, graph in enumerate(graphs)]
    )
    for index, graph in enumerate(graphs):
        inputs = random_inputs(rng, graph)
        (expected,) = run_micro(micro_interpreter(write(graph)), inputs, 1)
        (actual,) = interpreter.run(graph, inputs)
        assert actual.tobytes() == expected.tobytes(), graph.ops[0]
        ((answer,),) = bundle.run(index, [inputs])
        assert answer.tobytes() == expected.tobytes(), graph.ops[0]


@cache
def models() -> dict[str, bytes]:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from support.int16_models import converted, networks

    return {name: converted(model) for name, model in networks().items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_converted_network_is_exact(name: str) -> None:
    """Reference and C equal TensorFlow Lite Micro; with its host rounding TensorFlow Lite.

    A LEAKY_RELU is TensorFlow Lite's: that of Micro forms its ratio otherwise, rarely with another result.
    """
    data = models()[name]
    graph = load_bytes(data, name)
    program = compile_graph(graph, load_board("host"), name=name)
    kinds = {op.kind for op in graph.ops}
    rng = np.random.default_rng(8)
    records = [random_inputs(rng, graph) for _ in range(6)]
    lite, micro = reference_interpreter(data), micro_interpreter(data)
    with HostModel(program) as model:
        answers = model.run_many(records)
    for inputs, (answer,) in zip(records, answers, strict=True):
        (single,) = interpreter.run(graph, inputs, Rounding.SINGLE)
        assert single.tobytes() == run_interpreter(lite, inputs)[0].tobytes()
        (double,) = interpreter.run(graph, inputs)
        if "LEAKY_RELU" not in kinds:
            assert double.tobytes() == run_micro(micro, inputs, 1)[0].tobytes()
        assert answer.tobytes() == double.tobytes()


def test_what_no_kernel_of_tensorflow_lite_defines_is_refused() -> None:
    graph = next(
        graph for graph in layers(DepthwiseConv2D, 9, with_int32_bias) if len(graph.ops[0].inputs) == 3
    )
    with pytest.raises(TinycError) as caught:
        legalize(graph)
    assert "int64" in str(caught.value.problems)
    (graph,) = layers(Conv2D, 1)
    bias = graph[graph.ops[0].inputs[2]]
    huge = bias.with_(data=np.full(bias.shape, 2**50))
    with pytest.raises(TinycError, match="cannot be compiled") as caught:
        legalize(graph.rebuilt(tensors={**graph.tensors, bias.name: huge}))
    assert "48 bits" in str(caught.value.problems)
    x, weights, y = (graph[name] for name in (*graph.ops[0].inputs[:2], *graph.outputs))
    assert weights.quantization is not None
    fine = y.with_(quantization=Quantization((x.scale * max(weights.quantization.scale) / 512,), (0,)))
    with pytest.raises(TinycError) as caught:
        legalize(graph.rebuilt(tensors={**graph.tensors, y.name: fine}))
    assert "multiplier" in str(caught.value.problems)
