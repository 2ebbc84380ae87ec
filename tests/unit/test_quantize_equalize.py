"""What is done to the float graph: means for pools, cross-layer equalization, bias correction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from support.float_networks import FloatNetwork, normal_samples, small_convolutional
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Activation,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    LeakyRelu,
    MaxPool2D,
    Mean,
    Padding,
    Relu,
)
from tinyc.ir.tensor import Array
from tinyc.quantize.calibrate import Sample, collect
from tinyc.quantize.choose import choose_by_tensor, group_histograms
from tinyc.quantize.correct_bias import correct_bias
from tinyc.quantize.equalize import Ranges, equalize, find_pairs
from tinyc.quantize.global_pools import pools_to_means
from tinyc.quantize.options import Criterion, QuantizeOptions
from tinyc.quantize.post_training import quantize_graph
from tinyc.quantize.scheme import make_groups
from tinyc.quantize.simulate import Simulation, sqnr

pytestmark = pytest.mark.unit

RELU, NONE, SAME = Activation.RELU, Activation.NONE, Padding.SAME


def uneven(rng: np.random.Generator, channels: int) -> Array:
    """Channel scales over four orders of magnitude."""
    return 10.0 ** rng.uniform(-2, 2, channels)


def badly_scaled(rng: np.random.Generator, first: str, between: str, second: str) -> Graph:
    """Two layers whose channels in between have very different ranges, with the scale undone after."""
    channels = 8
    scale = uneven(rng, channels)
    net = FloatNetwork((1, 6, 6, 8))
    bias = rng.normal(0, 0.3, channels) * scale
    if first == "conv":
        weights = rng.normal(0, 0.3, (channels, 3, 3, 8)) * scale[:, None, None, None]
        y = net.add(Conv2D, "x0", weights, bias, padding=SAME, activation=RELU)
    else:
        weights = rng.normal(0, 0.5, (1, 3, 3, channels)) * scale
        y = net.add(DepthwiseConv2D, "x0", weights, bias, padding=SAME)
    if between == "relu":
        y = net.add(Relu, y)
    elif between == "leaky":
        y = net.add(LeakyRelu, y, alpha=0.1)
    elif between == "pools":
        y = net.add(MaxPool2D, y, filter_height=2, filter_width=2)
        y = net.add(AveragePool2D, y, filter_height=2, filter_width=2)
    elif between == "mean":
        y = net.add(Mean, y, axes=(1,))
        assert second == "fully_connected"
    if second == "conv":
        y = net.add(Conv2D, y, rng.normal(0, 0.3, (5, 3, 3, channels)) / scale, rng.normal(0, 1, 5))
    elif second == "grouped":
        weights = rng.normal(0, 0.3, (6, 1, 1, channels // 2))
        weights[:3] /= scale[: channels // 2]
        weights[3:] /= scale[channels // 2 :]
        y = net.add(Conv2D, y, weights)
    elif second == "depthwise":
        y = net.add(DepthwiseConv2D, y, rng.normal(0, 0.5, (1, 3, 3, 16)) / np.repeat(scale, 2))
    else:
        elements = net.tensors[y].elements
        weights = rng.normal(0, 0.3, (4, elements)) / np.tile(scale, elements // channels)
        y = net.add(FullyConnected, y, weights, rng.normal(0, 1, 4))
    return net.graph(y)


def largest_outputs(graph: Graph, samples: list[Sample]) -> dict[str, Array]:
    traces = [interpreter.trace(graph, sample) for sample in samples]
    names = [op.outputs[0] for op in graph.ops]
    return {
        name: np.max([np.abs(t[name]).reshape(-1, t[name].shape[-1]).max(0) for t in traces], axis=0)
        for name in names
    }


@pytest.mark.parametrize("ranges", list(Ranges))
@pytest.mark.parametrize("second", ["conv", "grouped", "depthwise", "fully_connected"])
@pytest.mark.parametrize("first", ["conv", "depthwise"])
@pytest.mark.parametrize("between", ["nothing", "relu", "leaky", "pools"])
def test_float_function_is_kept(first: str, between: str, second: str, ranges: Ranges) -> None:
    rng = np.random.default_rng(1)
    graph = badly_scaled(rng, first, between, second)
    assert len(find_pairs(graph)) == 1
    samples = normal_samples(rng, graph, 8)
    changed = equalize(graph, ranges, largest_outputs(graph, samples))
    assert changed.digest() != graph.digest()
    for sample in samples:
        wanted, actual = interpreter.run(graph, sample)[0], interpreter.run(changed, sample)[0]
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_means_pass_scales_on_unless_they_mix_channels() -> None:
    rng = np.random.default_rng(9)
    assert len(find_pairs(badly_scaled(rng, "conv", "mean", "fully_connected"))) == 1
    net = FloatNetwork((1, 6, 4, 4))
    y = net.add(Conv2D, "x0", rng.normal(0, 1, (4, 1, 1, 4)))
    y = net.add(Mean, y, axes=(3,))
    assert find_pairs(net.graph(net.add(FullyConnected, y, rng.normal(0, 1, (2, 4))))) == ()


@pytest.mark.parametrize("ranges", list(Ranges))
def test_ranges_become_equal(ranges: Ranges) -> None:
    rng = np.random.default_rng(2)
    graph = badly_scaled(rng, "conv", "nothing", "conv")
    samples = normal_samples(rng, graph, 20)
    changed = equalize(graph, ranges, largest_outputs(graph, samples))
    after = np.abs(changed[changed.ops[1].inputs[1]].constant).max(axis=(0, 1, 2))
    if ranges is Ranges.WEIGHTS:
        before = np.abs(changed[changed.ops[0].inputs[1]].constant).max(axis=(1, 2, 3))
    else:
        before = largest_outputs(changed, samples)["layer0_y"]
    ratio = before / after
    assert ratio.max() / ratio.min() < 1.05


def test_equalization_raises_the_sqnr_of_a_badly_scaled_network() -> None:
    rng = np.random.default_rng(3)
    graph = badly_scaled(rng, "conv", "nothing", "conv")
    samples = normal_samples(rng, graph, 16)
    plain = quantize_graph(graph, samples, QuantizeOptions(equalize=False, correct_bias=False))
    treated = quantize_graph(graph, samples, QuantizeOptions(correct_bias=False))
    assert treated.bill.network_sqnr_db > plain.bill.network_sqnr_db + 6
    tried = {t.name: t for t in treated.bill.treatments}
    assert tried.keys() == {"equalization of weights", "equalization of activations"}
    assert sum(t.kept for t in tried.values()) == 1
    assert all(t.after_db > t.before_db for t in tried.values() if t.kept)


def test_what_is_not_homogeneous_is_left_alone() -> None:
    """RELU6, a second reader, a graph output and shared weights each end the search."""
    rng = np.random.default_rng(4)
    assert find_pairs(small_convolutional(rng)) == ()
    shape = (4, 4)

    def pairs(build: Callable[[FloatNetwork], tuple[str, ...]]) -> int:
        net = FloatNetwork((1, 4))
        return len(find_pairs(net.graph(*build(net))))

    def chain(activation: Activation, *, tap: bool = False) -> Callable[[FloatNetwork], tuple[str, ...]]:
        def build(net: FloatNetwork) -> tuple[str, ...]:
            y = net.add(FullyConnected, "x0", rng.normal(0, 1, shape), activation=activation)
            z = net.add(FullyConnected, y, rng.normal(0, 1, shape))
            return (z, y) if tap else (z,)

        return build

    def tied(net: FloatNetwork) -> tuple[str, ...]:
        weights = net.constant("w", rng.normal(0, 1, shape))
        return (net.add(FullyConnected, net.add(FullyConnected, "x0", weights), weights),)

    assert pairs(chain(NONE)) == pairs(chain(RELU)) == 1
    assert pairs(chain(Activation.RELU6)) == pairs(chain(Activation.RELU_N1_TO_1)) == 0
    assert pairs(chain(NONE, tap=True)) == pairs(tied) == 0


def test_channels_without_weights_do_not_break_equalization() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(0, 1, (4, 6)), rng.normal(0, 1, (3, 4))
    first[1], second[:, 2] = 0, 0
    net = FloatNetwork((1, 6))
    graph = net.graph(net.add(FullyConnected, net.add(FullyConnected, "x0", first), second))
    changed = equalize(graph, Ranges.WEIGHTS, {})
    (sample,) = normal_samples(rng, graph, 1)
    np.testing.assert_allclose(
        interpreter.run(changed, sample)[0], interpreter.run(graph, sample)[0], rtol=1e-4
    )


def simulation_of(graph: Graph, samples: list[Sample]) -> Simulation:
    groups = make_groups(graph)
    histograms = group_histograms(groups, collect(graph, samples, groups.of()))
    chosen, _ = choose_by_tensor(graph, groups, histograms, QuantizeOptions(criterion=Criterion.TENSOR))
    return Simulation(graph, samples, chosen.by_tensor())


@pytest.mark.parametrize("seed", range(3))
def test_bias_correction_lowers_the_mean_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = small_convolutional(rng)
    # Inputs far from zero mean make the rounding of weights shift every output.
    samples = [(x + np.float32(3),) for (x,) in normal_samples(rng, graph, 24)]
    before = simulation_of(graph, samples)
    corrected = correct_bias(before)
    after = Simulation(corrected, samples, before.quantizations, reference=graph)

    def shift(simulation: Simulation, name: str) -> float:
        pairs = zip(simulation.values, simulation.real, strict=True)
        errors = np.concatenate([(v[name] - r[name]).reshape(-1, v[name].shape[-1]) for v, r in pairs])
        return float(np.abs(errors.mean(axis=0)).mean())

    name = "layer6_y"
    assert shift(after, name) < 0.5 * shift(before, name)
    assert after.error() < before.error()


def test_bias_correction_is_kept_only_where_it_helps() -> None:
    rng = np.random.default_rng(7)
    graph = small_convolutional(rng)
    for offset in (0.0, 3.0):
        samples = [(x + np.float32(offset),) for (x,) in normal_samples(rng, graph, 16)]
        with_it = quantize_graph(graph, samples, QuantizeOptions(equalize=False, int16_gain=False))
        (treatment,) = with_it.bill.treatments
        assert treatment.kept == (treatment.after_db > treatment.before_db)
        without = QuantizeOptions(equalize=False, int16_gain=False, correct_bias=False)
        same = quantize_graph(graph, samples, without).graph.digest() == with_it.graph.digest()
        assert same != treatment.kept


def test_simulation_predicts_the_integer_graph() -> None:
    rng = np.random.default_rng(8)
    graph = small_convolutional(rng)
    samples = normal_samples(rng, graph, 24)
    simulation = simulation_of(graph, samples)
    options = QuantizeOptions(criterion=Criterion.TENSOR, equalize=False, correct_bias=False)
    measured = quantize_graph(graph, samples, options).bill.network_sqnr_db
    assert sqnr(simulation.error()) == pytest.approx(measured, abs=1.5)


def test_means_take_the_place_of_global_pools_where_they_help() -> None:
    rng = np.random.default_rng(10)
    net = FloatNetwork((1, 8, 8, 3))
    y = net.add(Conv2D, "x0", rng.normal(0, 0.4, (6, 3, 3, 3)), activation=RELU)
    y = net.add(AveragePool2D, y, filter_height=6, filter_width=6)
    graph = net.graph(net.add(FullyConnected, y, rng.normal(0, 1, (3, 6))))
    samples = normal_samples(rng, graph, 16)
    changed = pools_to_means(graph)
    assert [op.kind for op in changed.ops] == ["CONV_2D", "MEAN", "FULLY_CONNECTED"]
    for sample in samples:
        np.testing.assert_allclose(
            interpreter.run(changed, sample)[0], interpreter.run(graph, sample)[0], rtol=1e-5, atol=1e-5
        )
    options = QuantizeOptions(equalize=False, correct_bias=False, int16_gain=False)
    quantized = quantize_graph(graph, samples, options)
    plain = quantize_graph(graph, samples, replace(options, global_pools=False))
    (treatment,) = quantized.bill.treatments
    assert treatment.kept and treatment.after_db > treatment.before_db + 2
    assert quantized.graph.ops[1].kind == "MEAN" and plain.graph.ops[1].kind == "AVERAGE_POOL_2D"
    assert quantized.bill.network_sqnr_db > plain.bill.network_sqnr_db + 2


def test_pools_over_part_of_the_map_stay() -> None:
    graph = small_convolutional(np.random.default_rng(11))
    assert pools_to_means(graph).ops == graph.ops
