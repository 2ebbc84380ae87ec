"""Quantization from end to end, the bill, and mistakes in the calibration data."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from support.float_networks import FloatNetwork, normal_samples, small_convolutional
from tinyc import interpreter
from tinyc.errors import TinycError
from tinyc.ir import serialize
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, Add, FullyConnected, HardSwish, Logistic, Softmax
from tinyc.ir.tensor import Array, DType
from tinyc.quantize.bill import Bill
from tinyc.quantize.calibrate import collect, float_trace
from tinyc.quantize.measure import run_quantized
from tinyc.quantize.options import Criterion, Method, QuantizeOptions
from tinyc.quantize.post_training import quantize_graph

pytestmark = pytest.mark.unit

FAST = QuantizeOptions(int16_gain=False, measure_samples=16)


@pytest.mark.parametrize("seed", range(3))
def test_int8_graph_is_close_to_the_float_one_on_new_inputs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = small_convolutional(rng)
    quantized = quantize_graph(graph, normal_samples(rng, graph, 30), FAST)
    verify(quantized.graph)
    for op in quantized.graph.ops:
        for tensor in (*quantized.graph.operands(op), *quantized.graph.results(op)):
            assert tensor.dtype in (DType.INT8, DType.INT32)
    assert quantized.graph.inputs == graph.inputs
    assert quantized.graph.outputs == graph.outputs
    assert [op.name for op in quantized.graph.ops] == [op.name for op in graph.ops]
    noise = signal = 0.0
    for sample in normal_samples(rng, graph, 30):
        wanted = interpreter.run(graph, sample)[0]
        actual = run_quantized(quantized.graph, sample)[graph.outputs[0]]
        noise += float(np.square(actual - wanted).sum())
        signal += float(np.square(wanted).sum())
    assert 10 * np.log10(signal / noise) > 28
    assert quantized.bill.network_sqnr_db > 30
    assert all(layer.sqnr_db > 25 for layer in quantized.bill.layers)


def test_the_same_input_gives_the_same_bytes() -> None:
    results = []
    for _ in range(2):
        rng = np.random.default_rng(1)
        graph = small_convolutional(rng)
        quantized = quantize_graph(graph, normal_samples(rng, graph, 10))
        results.append((serialize.dump(quantized.graph), quantized.bill.to_json()))
    assert results[0] == results[1]


def test_bill_survives_json() -> None:
    rng = np.random.default_rng(2)
    graph = small_convolutional(rng)
    samples = normal_samples(rng, graph, 12)
    labels = np.array([int(np.argmax(interpreter.run(graph, sample)[0])) for sample in samples])
    bill = quantize_graph(graph, samples, labels=labels).bill
    assert Bill.from_json(bill.to_json()) == bill
    assert bill.accuracy is not None and bill.accuracy.float_top1 == 1.0
    assert [layer.name for layer in bill.layers] == [op.name for op in graph.ops]
    assert {name for entry in bill.tensors for name in entry.tensors} == {
        tensor.name for tensor in graph.tensors.values() if not tensor.is_constant
    }
    for text in ("{}", "[]", "null", json.dumps({**json.loads(bill.to_json()), "format": 99})):
        with pytest.raises(ValueError):
            Bill.from_json(text)


def outlier_network(rng: np.random.Generator) -> tuple[Graph, list[tuple[Array, ...]]]:
    """A hidden layer with one rare, huge value that the next layer hardly listens to."""
    first, second, bias = rng.normal(0, 1, (16, 8)), rng.normal(0, 1, (4, 16)), np.zeros(16)
    first[:, 7] = 0
    first[0], bias[0] = np.eye(8)[7] * 1000, -2200
    second[:, 0] *= 1e-5
    net = FloatNetwork((1, 8))
    hidden = net.add(FullyConnected, "x0", first, bias, activation=Activation.RELU)
    graph = net.graph(net.add(FullyConnected, hidden, second))
    return graph, normal_samples(rng, graph, 200)


@pytest.mark.parametrize("criterion", list(Criterion))
def test_the_chosen_method_has_the_lowest_measured_error(criterion: Criterion) -> None:
    rng = np.random.default_rng(3)
    net = FloatNetwork((1, 12))
    graph = net.graph(net.add(FullyConnected, "x0", rng.normal(0, 1, (4, 12))))
    samples = [(rng.standard_t(2, (1, 12)).astype(np.float32),) for _ in range(400)]
    options = QuantizeOptions(criterion=criterion, measure_samples=400, equalize=False, int16_gain=False)
    for entry in quantize_graph(graph, samples, options).bill.tensors:
        by_method = {trial.method: trial for trial in entry.tried}
        best_by_tensor = max(trial.tensor_sqnr_db for trial in entry.tried)
        if criterion is Criterion.TENSOR:
            assert by_method[entry.method].tensor_sqnr_db == best_by_tensor
            continue
        start = max(entry.tried, key=lambda trial: trial.tensor_sqnr_db)
        chosen = by_method[entry.method]
        assert chosen.network_sqnr_db is not None and start.network_sqnr_db is not None
        assert chosen.network_sqnr_db >= start.network_sqnr_db


def test_measured_choice_beats_min_max_where_there_are_outliers() -> None:
    graph, samples = outlier_network(np.random.default_rng(4))
    plain = QuantizeOptions(equalize=False, correct_bias=False, int16_gain=False, measure_samples=200)
    min_max = dataclasses.replace(plain, methods=(Method.MIN_MAX,))
    only, free = (quantize_graph(graph, samples, options).bill for options in (min_max, plain))
    (hidden,) = [entry for entry in free.tensors if entry.tensors == ("layer0_y",)]
    assert hidden.method != "min-max"
    assert free.network_sqnr_db > only.network_sqnr_db + 3


def test_int16_activations_pay_where_int8_hurts() -> None:
    """One layer adds a small signal to a huge constant offset: its output needs more than 8 bits."""
    rng = np.random.default_rng(5)
    net = FloatNetwork((1, 8))
    small = net.add(FullyConnected, "x0", rng.normal(0, 1, (8, 8)))
    offset = net.add(Add, small, net.constant("c", np.full((1, 8), 500.0)))
    back = net.add(Add, offset, net.constant("d", np.full((1, 8), -500.0)))
    graph = net.graph(net.add(FullyConnected, back, rng.normal(0, 1, (3, 8))))
    options = QuantizeOptions(equalize=False, correct_bias=False)
    bill = quantize_graph(graph, normal_samples(rng, graph, 40), options).bill
    gains = {layer.name: layer.int16_gain_db for layer in bill.layers}
    assert gains["layer1"] is not None and gains["layer1"] > 10
    assert gains["layer0"] is not None and abs(gains["layer0"]) < 3


def test_accuracy_of_a_least_squares_classifier() -> None:
    rng = np.random.default_rng(6)
    centres = rng.normal(0, 2, (4, 10))
    labels = rng.integers(0, 4, 600)
    data = (centres[labels] + rng.normal(0, 1.2, (600, 10))).astype(np.float32)
    hidden = np.maximum(data @ (projection := rng.normal(0, 1, (10, 24))), 0)
    head, *_ = np.linalg.lstsq(hidden[:400], np.eye(4)[labels[:400]], rcond=None)
    net = FloatNetwork((1, 10))
    y = net.add(FullyConnected, "x0", projection.T, activation=Activation.RELU)
    graph = net.graph(net.add(Softmax, net.add(FullyConnected, y, head.T * 8)))
    # Samples without their batch axis are accepted.
    quantized = quantize_graph(graph, [(row,) for row in data], FAST, labels)
    accuracy = quantized.bill.accuracy
    assert accuracy is not None and accuracy.samples == 600
    predictions = [int(np.argmax(interpreter.run(graph, (row[None],))[0])) for row in data]
    assert accuracy.float_top1 == np.mean(np.array(predictions) == labels) > 0.9
    assert abs(accuracy.int8_top1 - accuracy.float_top1) < 0.01
    assert accuracy.agreement > 0.98


def test_binary_classifier_counts_both_answers() -> None:
    rng = np.random.default_rng(7)
    net = FloatNetwork((1, 3))
    graph = net.graph(net.add(Logistic, net.add(FullyConnected, "x0", np.array([[3.0, -2.0, 1.0]]))))
    samples = normal_samples(rng, graph, 80)
    labels = [int(3 * x[0, 0] - 2 * x[0, 1] + x[0, 2] > 0) for (x,) in samples]
    accuracy = quantize_graph(graph, samples, labels=labels).bill.accuracy
    assert accuracy is not None
    assert accuracy.float_top1 == 1.0 and accuracy.int8_top1 > 0.95


def test_network_with_two_inputs_and_two_outputs() -> None:
    rng = np.random.default_rng(8)
    net = FloatNetwork((1, 6), (1, 6))
    a, b = (net.add(FullyConnected, x, rng.normal(0, 1, (5, 6))) for x in net.inputs)
    graph = net.graph(net.add(Add, a, b), a)
    bill = quantize_graph(graph, normal_samples(rng, graph, 30)).bill
    assert [output.tensor for output in bill.outputs] == list(graph.outputs)
    assert all(output.sqnr_db > 30 for output in bill.outputs)


def test_progress_is_reported() -> None:
    rng = np.random.default_rng(9)
    graph = small_convolutional(rng)
    seen: list[tuple[str, float]] = []
    quantize_graph(
        graph, normal_samples(rng, graph, 4), progress=lambda stage, done: seen.append((stage, done))
    )
    assert {stage for stage, _ in seen} >= {"calibrating", "choosing ranges", "measuring layers"}
    assert all(0.0 <= done <= 1.0 for _, done in seen)


def sample(*shape: int, dtype: str = "float32") -> tuple[Array, ...]:
    return (np.ones(shape, dtype),)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([], "holds no samples"),
        ([sample(1, 9)], "has shape [1, 9]"),
        ([sample(2, 8)], "has shape [2, 8]"),
        ([sample(1, 8, dtype="int8")], "is int8"),
        ([sample(1, 8), ()], "sample 1: has 0 arrays"),
        ([(np.full((1, 8), np.nan, np.float32),)], "NaN"),
        ([(np.full((1, 8), 1e300),)], "infinite"),
    ],
)
def test_calibration_data_that_does_not_fit(samples: list[tuple[Array, ...]], expected: str) -> None:
    net = FloatNetwork((1, 8))
    graph = net.graph(net.add(FullyConnected, "x0", np.ones((2, 8))))
    with pytest.raises(TinycError) as caught:
        quantize_graph(graph, samples)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 1], "2 for 3 samples"),
        ([0, 1, 2], "run from 0 to 2"),
        ([0, -1, 1], "run from -1"),
        ([0.5, 1.0, 1.0], "class index"),
        (np.zeros((3, 2), int), "class index"),
    ],
)
def test_labels_that_do_not_fit(labels: list[int], expected: str) -> None:
    net = FloatNetwork((1, 8))
    graph = net.graph(net.add(FullyConnected, "x0", np.ones((2, 8))))
    with pytest.raises(TinycError) as caught:
        quantize_graph(graph, [sample(1, 8)] * 3, labels=labels)
    assert expected in str(caught.value)


def test_activation_that_overflows_is_named() -> None:
    net = FloatNetwork((1, 2))
    y = net.add(FullyConnected, "x0", np.full((2, 2), 1e30))
    graph = net.graph(net.add(FullyConnected, y, np.full((1, 2), 1e30)))
    with pytest.raises(TinycError) as caught:
        quantize_graph(graph, [sample(1, 2)])
    assert "layer1" in str(caught.value)


def test_scales_beyond_fixed_point_are_named() -> None:
    net = FloatNetwork((1, 4))
    graph = net.graph(net.add(HardSwish, "x0"))
    with pytest.raises(TinycError, match="cannot be computed in fixed point") as caught:
        quantize_graph(graph, [(np.full((1, 4), 1e30, np.float32),)])
    assert "HARD_SWISH layer0" in caught.value.problems[0].where


def test_statistics_are_those_of_the_float_interpreter() -> None:
    rng = np.random.default_rng(10)
    graph = small_convolutional(rng)
    samples = normal_samples(rng, graph, 7)
    statistics = collect(graph, samples, ["layer3_y"])["layer3_y"]
    values = np.stack([float_trace(graph, s)["layer3_y"] for s in samples])
    assert (statistics.minimum, statistics.maximum) == (values.min(), values.max())
    assert statistics.count == values.size


def test_options_are_hashable_and_frozen() -> None:
    options = QuantizeOptions()
    assert hash(options) == hash(QuantizeOptions())
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.equalize = False  # type: ignore[misc]
