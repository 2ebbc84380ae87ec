"""Rules of the scheme: groups, weights, floors of scales, errors."""

from __future__ import annotations

import numpy as np
import pytest

from support.float_networks import FloatNetwork, normal_samples, small_convolutional
from tinyc import interpreter
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    OPS,
    Activation,
    Add,
    Concatenation,
    Dequantize,
    FullyConnected,
    HardSwish,
    MaxPool2D,
    Mul,
    Quantize,
    Relu,
    Softmax,
    Tanh,
)
from tinyc.ir.tensor import Array, DType, Quantization
from tinyc.quantize.measure import run_quantized
from tinyc.quantize.options import QuantizeOptions
from tinyc.quantize.post_training import Quantized, quantize_graph
from tinyc.quantize.scheme import RULES, check_quantizable, make_groups, quantize_weights, weight_scales
from tinyc.quantize.transformer.slots import KINDS

pytestmark = pytest.mark.unit

PLAIN = QuantizeOptions(equalize=False, correct_bias=False, int16_gain=False)


def largest_error(graph: Graph, quantized: Quantized, samples: list[tuple[Array, ...]]) -> float:
    """Largest difference of the first output, in steps of its scale."""
    name = graph.outputs[0]
    scale = quantized.graph[name].scale
    return max(
        float(np.abs(run_quantized(quantized.graph, s)[name] - interpreter.run(graph, s)[0]).max()) / scale
        for s in samples
    )


def test_every_op_kind_has_a_rule() -> None:
    positions = {"ARG_MAX", "ARG_MIN", "GATHER", "GATHER_ND"}
    comparisons = {"EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL", "SELECT_V2"}
    truths = {"LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "REDUCE_ALL", "REDUCE_ANY"}
    with_state = {"ASSIGN_VARIABLE", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
    with_state |= {"STREAM_SUM", "STREAM_TAPS", "STREAM_WINDOW"}
    # The sums of int8 CUMSUM begin at a value that the float model does not have, as the border of PADV2.
    integer_only = {"QUANTIZE", "DEQUANTIZE", "CAST", "CUMSUM", "LOOKUP", "NEG", "PADV2"}
    # They come from files that are quantized already.
    from_files = {"ADD_N", "DIV", "SQUARED_DIFFERENCE"}
    float_only = {"CEIL", "COS", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "L2_POOL_2D", "ROUND", "SIN", "SQUARE"}
    known = float_only | positions | comparisons | truths | with_state | integer_only | from_files
    assert OPS.keys() - RULES.keys() == known | KINDS - RULES.keys()


def test_same_scale_layers_share_a_group() -> None:
    graph = small_convolutional(np.random.default_rng(0))
    groups = make_groups(graph)
    members = {group.tensors for group in groups}
    assert ("layer3_y", "layer4_y", "layer5_y") in members
    assert sum(len(group) for group in members) == 9
    fixed = {group.tensors: group.fixed for group in groups if group.fixed is not None}
    assert fixed == {("layer7_y",): Quantization((1 / 256,), (-128,))}


def test_weights_are_symmetric_per_channel_and_keep_their_extremes() -> None:
    rng = np.random.default_rng(1)
    for axis, shape in ((0, (5, 3, 3, 4)), (3, (1, 3, 3, 6)), (0, (7, 9))):
        weights = rng.normal(0, 1, shape) * 10.0 ** rng.uniform(-4, 4, shape[axis]).reshape(
            [-1 if index == axis else 1 for index in range(len(shape))]
        )
        scales = weight_scales(weights, axis, None, 0.1)
        steps = quantize_weights(weights, scales, axis)
        assert steps.dtype == np.int8 and steps.min() >= -127
        others = tuple(index for index in range(len(shape)) if index != axis)
        assert (np.abs(steps.astype(int)).max(axis=others) == 127).all()


def test_channels_of_zeros_and_large_biases_are_handled() -> None:
    rng = np.random.default_rng(2)
    weights = rng.normal(0, 1, (4, 6))
    weights[1] = 0
    weights[2] *= 1e-12
    bias = np.array([0.1, 2.0, -3.0, 0.0])
    net = FloatNetwork((1, 6))
    graph = net.graph(net.add(FullyConnected, "x0", weights, bias))
    samples = normal_samples(rng, graph, 20)
    quantized = quantize_graph(graph, samples, PLAIN)
    stored = quantized.graph[quantized.graph.ops[0].inputs[2]]
    assert stored.dtype is DType.INT32
    assert np.abs(stored.constant.astype(np.int64)).max() <= 2**30
    assert largest_error(graph, quantized, samples) < 4


def test_all_zero_network() -> None:
    net = FloatNetwork((1, 4))
    y = net.add(FullyConnected, "x0", np.zeros((3, 4)), np.zeros(3), activation=Activation.RELU)
    graph = net.graph(net.add(FullyConnected, y, np.zeros((2, 3))))
    zeros = [(np.zeros((1, 4), np.float32),)]
    quantized = quantize_graph(graph, zeros)
    values = run_quantized(quantized.graph, zeros[0])
    assert (values[graph.outputs[0]] == 0).all()
    assert quantized.bill.network_sqnr_db == 200.0


def test_constants_of_elementwise_layers_are_quantized() -> None:
    rng = np.random.default_rng(3)
    net = FloatNetwork((1, 3, 3, 4))
    y = net.add(Mul, "x0", rng.uniform(0.5, 2, 4))
    graph = net.graph(net.add(Add, y, rng.normal(0, 3, (1, 3, 3, 4))))
    samples = normal_samples(rng, graph, 20)
    quantized = quantize_graph(graph, samples, PLAIN)
    for tensor in quantized.graph.constants():
        assert tensor.dtype is DType.INT8 and tensor.quantization is not None
    assert largest_error(graph, quantized, samples) < 4


def test_a_constant_shared_by_layers_of_different_input_scale() -> None:
    rng = np.random.default_rng(4)
    net = FloatNetwork((1, 5))
    weights, bias = net.constant("w", rng.normal(0, 1, (5, 5))), net.constant("b", rng.normal(0, 1, 5))
    y = net.add(FullyConnected, "x0", weights, bias)
    y = net.add(FullyConnected, y, weights, bias)
    graph = net.graph(net.add(Mul, y, bias))
    samples = normal_samples(rng, graph, 30)
    quantized = quantize_graph(graph, samples, PLAIN)
    assert largest_error(graph, quantized, samples) < 8
    first, second, product = quantized.graph.ops
    assert first.inputs[1] == second.inputs[1]
    assert len({first.inputs[2], second.inputs[2], product.inputs[1]}) == 3


@pytest.mark.parametrize(
    ("kind", "expected"), [(Softmax, (1 / 256, -128)), (Tanh, (1 / 128, 0))], ids=["SOFTMAX", "TANH"]
)
def test_fixed_output_quantization(kind: type, expected: tuple[float, int]) -> None:
    rng = np.random.default_rng(5)
    net = FloatNetwork((1, 5))
    graph = net.graph(net.add(kind, net.add(FullyConnected, "x0", rng.normal(0, 1, (4, 5)))))
    quantized = quantize_graph(graph, normal_samples(rng, graph, 10), PLAIN)
    output = quantized.graph[graph.outputs[0]]
    assert (output.scale, output.zero_point) == expected


def test_scales_stay_where_the_kernels_can_represent_them() -> None:
    """Outputs far smaller than the inputs: each kernel's multiplier would overflow without a floor."""
    net = FloatNetwork((1, 4))
    y = net.add(HardSwish, "x0")
    y = net.add(Relu, y)
    graph = net.graph(net.add(Add, y, net.constant("c", np.full((1, 4), -1e-9, np.float32))))
    samples = [(np.array([[-1000.0, -800.0, -4.0, 1e-4 * k]], np.float32),) for k in range(1, 9)]
    quantized = quantize_graph(graph, samples, PLAIN)
    run_quantized(quantized.graph, samples[0])
    net = FloatNetwork((1, 2))
    y = net.add(FullyConnected, "x0", np.array([[1e6, 1e6]]), np.array([-1e-30]))
    graph = net.graph(net.add(Softmax, net.add(Mul, y, np.array([1e-20]))))
    opposite = [(np.array([[1.0, -1.0]], np.float32),)]
    run_quantized(quantize_graph(graph, opposite, PLAIN).graph, opposite[0])


def test_requantized_reads_of_a_fixed_scale() -> None:
    """A pool passes SOFTMAX's scale on; a sum after it has its own."""
    rng = np.random.default_rng(6)
    net = FloatNetwork((1, 4, 4, 3))
    y = net.add(MaxPool2D, net.add(Softmax, "x0"), filter_height=2, filter_width=2)
    graph = net.graph(net.add(Add, y, y))
    quantized = quantize_graph(graph, normal_samples(rng, graph, 10), PLAIN)
    assert quantized.graph["layer1_y"].quantization == Quantization((1 / 256,), (-128,))
    assert quantized.graph["layer2_y"].scale > 1 / 256


def test_concatenation_of_fixed_and_free_scales() -> None:
    rng = np.random.default_rng(7)
    net = FloatNetwork((1, 6))
    a = net.add(Softmax, net.add(FullyConnected, "x0", rng.normal(0, 1, (3, 6))))
    b = net.add(FullyConnected, "x0", rng.normal(0, 3, (4, 6)))
    graph = net.graph(net.add(Concatenation, a, b, axis=1))
    samples = normal_samples(rng, graph, 30)
    quantized = quantize_graph(graph, samples, PLAIN)
    assert [op.kind for op in quantized.graph.ops].count("QUANTIZE") == 1
    assert largest_error(graph, quantized, samples) < 4


def test_everything_that_stops_the_quantizer_is_listed_at_once() -> None:
    rng = np.random.default_rng(8)
    net = FloatNetwork((1, 4))
    y = net.add(Dequantize, net.add(Quantize, "x0"))
    y = net.add(FullyConnected, y, np.array([[1.0, np.nan, 0, 0]]))
    graph = net.graph(net.add(FullyConnected, y, y))
    with pytest.raises(TinycError) as caught:
        quantize_graph(graph, normal_samples(rng, graph, 2))
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    for expected in ("#0 layer0: QUANTIZE", "#1 layer1: DEQUANTIZE", "layer2_c1", "computes its weights"):
        assert expected in text


def test_int8_graphs_are_not_quantized_again() -> None:
    graph = small_convolutional(np.random.default_rng(9))
    once = quantize_graph(graph, normal_samples(np.random.default_rng(9), graph, 4), PLAIN).graph
    assert verify(once) is once
    with pytest.raises(TinycError, match="int8 tensor"):
        check_quantizable(once)
