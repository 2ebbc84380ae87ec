"""Elimination of channels: what goes, what has to stay, and that every kept value stays the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.planted import Planted, planted_network
from tinyc import frontends, interpreter, passes
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, Add, Conv2D, DepthwiseConv2D, FullyConnected, Padding, Relu
from tinyc.ir.tensor import Array, Quantization, Tensor
from tinyc.passes.channels import channels
from tinyc.passes.eliminate_channels import eliminate_channels, eliminate_once, kept_channels
from tinyc.passes.intervals import find_bounds
from tinyc.quantize.fixed_point import Rounding

pytestmark = pytest.mark.unit


def extremes(graph: Graph) -> list[list[Array]]:
    """Inputs full of the smallest value, of the largest, and of zeros."""
    return [
        [np.full(graph[name].shape, value, np.int8) for name in graph.inputs]
        for value in (-128, 127, graph[graph.inputs[0]].zero_point)
    ]


def eliminated(before: Graph) -> tuple[list[Graph], list[dict[str, Array]]]:
    """The graph before and after each round, and the channels that each round kept."""
    graphs, kept = [before], []
    while (after := verify(eliminate_once(graphs[-1]))) is not graphs[-1]:
        kept.append(kept_channels(graphs[-1]))
        graphs.append(after)
    return graphs, kept


def assert_same(
    graphs: list[Graph], kept: list[dict[str, Array]], inputs: list[Array], rule: Rounding
) -> int:
    """Compares every activation that is left with the channels that were kept; how many values."""
    compared, expected = 0, interpreter.trace(graphs[0], inputs, rule)
    for after, masks in zip(graphs[1:], kept, strict=True):
        actual = interpreter.trace(after, inputs, rule)
        for name, tensor in after.tensors.items():
            if not tensor.is_constant:
                values = expected[name][..., masks[name]] if tensor.shape else expected[name]
                assert np.array_equal(values, actual[name]), name
                compared += values.size
        for name in (*after.inputs, *after.outputs):
            assert graphs[0][name] == after[name]
        expected = actual
    return compared


def test_random_networks_keep_their_values() -> None:
    rng = np.random.default_rng(11)
    networks = [planted_network(rng) for _ in range(60)]
    fewer = 0
    for before in networks:
        graphs, kept = eliminated(before)
        fewer += graphs[-1].macs() < before.macs()
        assert eliminate_channels(before) == graphs[-1]
        for inputs in [*extremes(before), random_inputs(rng, before), random_inputs(rng, before)]:
            assert_same(graphs, kept, inputs, Rounding(str(rng.choice([r.value for r in Rounding]))))
    assert fewer > 40


def test_bounds_hold() -> None:
    rng = np.random.default_rng(12)
    for _ in range(40):
        graph = planted_network(rng)
        bounds = find_bounds(graph)
        for inputs in [*extremes(graph), random_inputs(rng, graph)]:
            for name, values in interpreter.trace(graph, inputs, Rounding.SINGLE).items():
                if name in bounds:
                    rows = values.reshape(-1, channels(graph[name]))
                    assert (rows >= bounds[name].low).all() and (rows <= bounds[name].high).all(), name


@pytest.mark.parametrize(
    "model", ["ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "str_ww_ref_model"]
)
def test_networks_without_such_channels_stay(model: str, shared: Path) -> None:
    graph = before_elimination(shared / "models" / "mlperf_tiny" / f"{model}.tflite")
    assert eliminate_channels(graph) is graph


def test_half_of_visual_wake_words_goes(shared: Path) -> None:
    before = before_elimination(shared / "models" / "mlperf_tiny" / "vww_96_int8.tflite")
    graphs, kept = eliminated(before)
    assert before.macs() == 7_489_664
    assert graphs[-1].macs() <= 3_727_313
    rng = np.random.default_rng(0)
    for inputs in [*extremes(before), *(random_inputs(rng, before) for _ in range(5))]:
        assert assert_same(graphs, kept, inputs, Rounding.DOUBLE) > 100_000


def before_elimination(path: Path) -> Graph:
    graph = frontends.load(path)
    for rewrite in passes.PIPELINE[: passes.PIPELINE.index(eliminate_channels)]:
        graph = verify(rewrite(graph))
    return graph


# One trap at a time. Layers have scale 1 in the end: an accumulator is 64 times the output.

ONE = Quantization((1.0,), (0,))


def layer(
    net: Planted, op: type, x: Tensor, weights: Array, bias: list[int], zero_point: int = 0, **fields: object
) -> Tensor:
    """A layer whose output is the accumulator / 64, saturated, plus the zero point."""
    filters = net.constant(weights.astype(np.int8), Quantization((1 / 64,), (0,)))
    like = x.with_(quantization=Quantization((1.0,), (zero_point,)))
    return net.add(op, x, filters, net.constant(np.array(bias, np.int32)), like=like, **fields)


def start(shape: tuple[int, ...] = (1, 5, 5, 1), zero_point: int = 0) -> tuple[Planted, Tensor]:
    net = Planted(np.random.default_rng(3), shape)
    x = net.tensors["x"].with_(quantization=Quantization((1.0,), (zero_point,)))
    net.tensors["x"] = x
    return net, x


def assert_exact(before: Graph) -> Graph:
    graphs, kept = eliminated(before)
    rng = np.random.default_rng(1)
    for inputs in [*extremes(before), *(random_inputs(rng, before) for _ in range(10))]:
        for rule in Rounding:
            assert_same(graphs, kept, inputs, rule)
    return graphs[-1]


def two_channels(net: Planted, x: Tensor, constant: int, zero_point: int = 0) -> Tensor:
    """Channel 0 is the input, channel 1 holds one value."""
    weights = np.array([64, 0]).reshape(2, 1, 1, 1)
    return layer(net, Conv2D, x, weights, [0, 64 * (constant - zero_point)], zero_point)


@pytest.mark.parametrize(
    ("constant", "zero_point", "padding", "left"),
    [(7, 0, "VALID", 1), (7, 0, "SAME", 2), (0, 0, "SAME", 1), (-5, -5, "SAME", 1), (-4, -5, "SAME", 2)],
)
@pytest.mark.parametrize("depthwise", [False, True])
def test_a_constant_goes_unless_padding_differs(
    constant: int, zero_point: int, padding: str, left: int, depthwise: bool
) -> None:
    net, x = start()
    y = two_channels(net, x, constant, zero_point)
    if depthwise:
        weights = 7 * np.arange(-9, 9).reshape(1, 3, 3, 2)
        y = layer(net, DepthwiseConv2D, y, weights, [5, 500], padding=Padding(padding))
        y = layer(net, Conv2D, y, np.array([9, -7]).reshape(1, 1, 1, 2), [3])
    else:
        y = layer(net, Conv2D, y, np.arange(-9, 9).reshape(1, 3, 3, 2), [3], padding=Padding(padding))
    after = assert_exact(net.graph(y))
    assert after["v0"].shape[3] == left


def test_a_constant_that_never_meets_the_padding_goes() -> None:
    net, x = start()
    y = two_channels(net, x, 7)
    weights = np.arange(1, 19).reshape(1, 3, 3, 2)
    weights[0, 0, :, 1] = weights[0, 2, :, 1] = weights[0, :, 0, 1] = weights[0, :, 2, 1] = 0
    y = layer(net, Conv2D, y, weights, [3], padding=Padding.SAME)
    assert assert_exact(net.graph(y))["v0"].shape[3] == 1


def test_a_border_that_clamps_to_the_same_value_is_constant() -> None:
    """Inside the accumulator is 9 * 64, at a corner 4 * 64; RELU6 makes 6 or less of both."""
    for weight, left in ((64, 2), (128, 1)):
        net, x = start()
        y = two_channels(net, x, 1)
        taps = np.stack([np.ones((3, 3)), np.full((3, 3), weight)], axis=-1)[None]
        y = layer(net, DepthwiseConv2D, y, taps, [0, 0], padding=Padding.SAME, activation=Activation.RELU6)
        y = layer(net, Conv2D, y, np.array([9, -7]).reshape(1, 1, 1, 2), [3])
        assert assert_exact(net.graph(y))["v0"].shape[3] == left


@pytest.mark.parametrize(("bias", "left"), [(2**31 - 1 - 127 * 127, 1), (2**31 - 127 * 127, 2)])
def test_a_bias_stays_within_32_bits(bias: int, left: int) -> None:
    net, x = start()
    y = two_channels(net, x, 127)
    y = layer(net, Conv2D, y, np.array([[1, 127], [64, 64]]).reshape(2, 1, 1, 2), [bias, 0])
    # The clamp would hide the first output.
    filters = net.tensors[net.ops[-1].inputs[1]]
    net.tensors[filters.name] = filters.with_(quantization=Quantization((2.0**-24, 1 / 64), (0, 0), 0))
    assert assert_exact(net.graph(y))["v0"].shape[3] == left


def test_an_output_that_is_clamped_whatever_comes_needs_no_input() -> None:
    net, x = start(zero_point=-128)
    weights = np.array([64, 100]).reshape(2, 1, 1, 1)
    y = layer(net, Conv2D, x, weights, [0, 9], zero_point=-128)
    # Output 1 alone reads channel 1, and is far below zero for all of its values.
    weights = np.array([[64, 0], [3, 127]]).reshape(2, 1, 1, 2)
    y = layer(net, Conv2D, y, weights, [0, -(10**6)], activation=Activation.RELU)
    after = assert_exact(net.graph(y))
    assert after["v0"].shape[3] == 1
    assert after["v1"].shape[3] == 2


def test_accumulators_that_wrap_around_are_not_constant() -> None:
    """bias + products leaves 32 bits for large inputs: a lower bound on both sides proves nothing."""
    net, x = start()
    weights = np.array([64, 127]).reshape(2, 1, 1, 1)
    y = layer(net, Conv2D, x, weights, [0, 2**31 - 1])
    y = layer(net, Conv2D, y, np.array([1, 1]).reshape(1, 1, 1, 2), [0])
    graph = net.graph(y)
    assert not find_bounds(graph)["v0"].constant.any()
    assert assert_exact(graph)["v0"].shape[3] == 2


def test_a_constant_that_the_two_roundings_see_differently_stays() -> None:
    """Rounding twice turns some values up that rounding once does not."""
    found = 0
    for bias in range(40):
        net, x = start((1, 2))
        filters = net.constant(np.array([[64, 3], [0, 0]], np.int8), Quantization((0.2,), (0,)))
        biases = net.constant(np.array([0, bias], np.int32))
        y = net.add(FullyConnected, x, filters, biases, like=x)
        graph = net.graph(layer(net, FullyConnected, y, np.array([[64, 64]]), [0]))
        roundings = (Rounding.SINGLE, Rounding.DOUBLE)
        once, twice = (interpreter.trace(graph, extremes(graph)[0], r)["v0"][0, 1] for r in roundings)
        found += once != twice
        assert find_bounds(graph)["v0"].constant[1] == (once == twice)
        if once != twice:
            assert assert_exact(graph)["v0"].shape[1] == 2
    assert found


def test_a_dead_branch_becomes_one_constant_per_channel() -> None:
    net, x = start((1, 5, 5, 2))
    dead = layer(net, Conv2D, x, np.zeros((2, 3, 3, 2)), [320, -64], padding=Padding.SAME)
    dead = layer(net, DepthwiseConv2D, dead, np.ones((1, 1, 1, 2)), [0, 640])
    y = net.add(Add, x, dead, like=x)
    after = assert_exact(net.graph(y))
    assert [op.kind for op in after.ops] == ["ADD"]
    assert [tensor.shape for tensor in after.constants()] == [(2,)]


def test_a_channel_of_a_sum_goes_only_where_both_operands_agree() -> None:
    """Channel 1 of the sum is not read, but channel 1 of one operand is: by another layer."""
    for read_elsewhere, left in ((True, 2), (False, 1)):
        net, x = start((1, 5, 5, 2))
        a = layer(net, Conv2D, x, np.arange(1, 5).reshape(2, 1, 1, 2) * 20, [0, 0])
        b = net.add(Relu, a, like=a)
        y = net.add(Add, a, b, like=a)
        y = layer(net, Conv2D, y, np.array([64, 0]).reshape(1, 1, 1, 2), [0])
        other = layer(net, Conv2D, a, np.array([8, 8 * read_elsewhere]).reshape(1, 1, 1, 2), [0])
        after = assert_exact(net.graph(y, other))
        assert {after[name].shape[3] for name in (a.name, b.name)} == {left}


def test_a_network_that_is_constant_keeps_one_channel() -> None:
    net, x = start()
    y = layer(net, Conv2D, x, np.zeros((5, 1, 1, 1)), [64, 128, -64, 9, 640])
    y = layer(net, FullyConnected, y, np.arange(2 * 125).reshape(2, 125) % 7, [1, 2])
    after = assert_exact(net.graph(y))
    assert after["v0"].shape == (1, 5, 5, 1)
    passes.legalize(after)


def test_a_flattened_map_loses_columns_at_every_position() -> None:
    net, x = start((1, 3, 2, 1))
    y = two_channels(net, x, -9)
    y = layer(net, FullyConnected, y, np.arange(-10, 26).reshape(3, 12), [1, 2, 3])
    after = assert_exact(net.graph(y))
    assert after.operands(after.ops[-1])[1].shape == (3, 6)


def test_a_layer_in_groups_is_left_alone() -> None:
    net, x = start((1, 3, 3, 1))
    y = layer(net, Conv2D, x, np.array([64, 0, 5, 0]).reshape(4, 1, 1, 1), [0, 64, 0, 64])
    y = layer(net, Conv2D, y, np.arange(1, 9).reshape(4, 1, 1, 2), [0, 1, 2, 3])
    graph = net.graph(y)
    assert assert_exact(graph) == graph


def test_weights_shared_by_two_layers_stay_for_the_other() -> None:
    net, x = start((1, 3, 3, 2))
    filters = net.constant(
        np.array([[64, 0], [3, 0]], np.int8).reshape(2, 1, 1, 2), Quantization((1 / 64,), (0,))
    )
    a = net.add(Conv2D, x, filters, like=x)
    y = net.add(Conv2D, a, filters, like=x)
    after = assert_exact(net.graph(y))
    assert after["v0"].shape[3] == 1
    assert sorted(t.shape for t in after.constants()) == [(1, 1, 1, 2), (2, 1, 1, 1)]
