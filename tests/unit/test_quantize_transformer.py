"""Transformers from float to integers: types, scales, the error of the outputs, the bill."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from support.transformers import Builder, bert, embbert, keyword, sentences
from tinyc import interpreter, passes
from tinyc.ir import sequence, serialize
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Linear
from tinyc.ir.tensor import Array, DType
from tinyc.quantize.bill import Bill
from tinyc.quantize.measure import dequantize
from tinyc.quantize.options import Criterion, Method, QuantizeOptions
from tinyc.quantize.post_training import Quantized
from tinyc.quantize.transformer.packing import make_pack, parts, run
from tinyc.quantize.transformer.post_training import quantize_transformer

pytestmark = pytest.mark.unit

FAST = QuantizeOptions(int16_gain=False, measure_samples=8)
VOCABULARY = 300
GRAPHS: dict[str, Callable[[int], Graph]] = {
    "embbert": lambda seed: embbert(seed=seed),
    "embbert with heads": lambda seed: embbert(heads=4, seed=seed),
    "bert": lambda seed: bert(seed=seed),
    "pre-norm bert": lambda seed: bert(prenorm=True, seed=seed),
}


def quantized(graph: Graph, options: QuantizeOptions = FAST, count: int = 48) -> Quantized:
    return quantize_transformer(graph, sentences(count, sequence.longest(graph), VOCABULARY, 1), options)


def sqnr_db(graph: Graph, integer: Graph, samples: list[tuple[Array]]) -> float:
    noise = signal = 0.0
    for sample in samples:
        wanted = interpreter.run(graph, sample)[0].astype(np.float64)
        actual = dequantize(integer[integer.outputs[0]], interpreter.run(integer, sample)[0])
        noise += float(np.square(actual - wanted).sum())
        signal += float(np.square(wanted).sum())
    return float(10 * np.log10(signal / noise))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", GRAPHS)
def test_integers_are_close_to_floats_on_other_sentences(name: str, seed: int) -> None:
    graph = GRAPHS[name](seed)
    result = quantized(graph)
    others = sentences(24, sequence.longest(graph), VOCABULARY, 99)
    assert sqnr_db(graph, result.graph, others) > 26
    assert result.bill.network_sqnr_db > 26
    assert all(layer.sqnr_db > 22 for layer in result.bill.layers)
    assert [op.name for op in result.graph.ops] == [op.name for op in graph.ops]
    assert set(result.graph.tensors) == set(graph.tensors)
    assert (result.graph.inputs, result.graph.outputs) == (graph.inputs, graph.outputs)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_passes_take_the_integer_graph(name: str) -> None:
    graph = quantized(GRAPHS[name](0)).graph
    assert passes.legalize(passes.run(graph)).outputs == graph.outputs


def test_features_become_an_int8_input() -> None:
    graph = keyword()
    rng = np.random.default_rng(0)
    samples = [(rng.normal(0, 1, graph["features"].shape).astype(np.float32),) for _ in range(40)]
    result = quantize_transformer(graph, samples, FAST)
    assert result.graph["features"].dtype is DType.INT8
    assert result.bill.network_sqnr_db > 26


def test_types_of_an_embbert() -> None:
    graph = quantized(embbert(blocks=2)).graph
    wanted = {
        "embedding": DType.INT16,
        "block_0/norm": DType.INT8,
        "block_0/q": DType.INT8,
        "block_0/attention": DType.INT8,
        "block_0/conv": DType.INT8,
        "block_0/silu": DType.INT8,
        "block_0/out": DType.INT16,
        # One row before the classifier.
        "block_1/out": DType.INT16,
        "logits": DType.INT16,
    }
    assert {name: graph[name].dtype for name in wanted} == wanted
    assert graph["ids"].quantization is None
    symmetric = set(wanted) - {"block_0/conv", "block_0/silu"}
    assert all(graph[name].zero_point == 0 for name in symmetric)
    assert graph["block_0/silu"].zero_point < 0
    assert np.abs(graph["block_0/q/w0"].constant.astype(int)).max() == 127


def test_types_of_a_bert() -> None:
    post, pre = (quantized(bert(prenorm=prenorm)).graph for prenorm in (False, True))
    # The residual reads what the norm gives.
    assert post["block_0/norm_1"].dtype is DType.INT16
    assert pre["block_0/norm_1"].dtype is DType.INT8
    for graph in (post, pre):
        assert {graph[f"block_0/{name}"].dtype for name in "qkv"} == {DType.INT8}
        assert graph["block_0/out"].dtype is DType.INT16
        assert graph["block_0/down"].dtype is DType.INT16
        assert graph["pool"].dtype is DType.INT16


def test_sums_of_several_sources_have_one_scale() -> None:
    graph = quantized(embbert()).graph
    for op in graph.ops:
        if isinstance(op, Linear) and op.sources > 1:
            scales = [
                np.array(weights.quantization.scale) * x.scale
                for x, weights in op.pairs(graph.operands(op))
                if weights.quantization is not None
            ]
            np.testing.assert_allclose(scales[0], scales[1], rtol=1e-6)


def test_int16_has_headroom() -> None:
    graph = bert()
    result = quantized(graph)
    largest = 0.0
    for sample in sentences(48, 24, VOCABULARY, 1):
        largest = max(largest, float(np.abs(interpreter.trace(graph, sample)["block_0/norm_1"]).max()))
    assert 1.99 < result.graph["block_0/norm_1"].scale * 32767 / largest < 2.01


@pytest.mark.parametrize("name", GRAPHS)
def test_packed_sentences_give_what_each_gives_alone(name: str) -> None:
    graph = GRAPHS[name](0)
    samples = sentences(7, sequence.longest(graph), VOCABULARY, 5)
    integer = quantized(graph).graph
    pack = make_pack(integer, samples)
    packed = run(integer, pack)
    again = run(integer, pack, packed)
    for index, sample in enumerate(samples):
        alone = interpreter.trace(integer, sample)
        for op in integer.ops:
            for tensor in op.outputs:
                np.testing.assert_array_equal(parts(packed, tensor)[index], alone[tensor])
                assert again.values[tensor] is packed.values[tensor]


def test_only_what_depends_on_a_change_is_computed_again() -> None:
    graph = quantized(bert()).graph
    pack = make_pack(graph, sentences(4, 24, VOCABULARY))
    first = run(graph, pack)
    changed = graph.rebuilt(ops=[op.with_(scale=0.2) if op.kind == "ATTENTION" else op for op in graph.ops])
    second = run(changed, pack, first)
    assert second.values["block_0/v"] is first.values["block_0/v"]
    assert not np.array_equal(second.values["logits"], first.values["logits"])
    np.testing.assert_array_equal(second.values["logits"], run(changed, pack).values["logits"])


def test_the_same_input_gives_the_same_bytes() -> None:
    results = [quantized(embbert(), dataclasses.replace(FAST, int16_gain=True)) for _ in range(2)]
    assert serialize.dump(results[0].graph) == serialize.dump(results[1].graph)
    assert results[0].bill.to_json() == results[1].bill.to_json()


def test_the_bill() -> None:
    graph = bert()
    options = QuantizeOptions(measure_samples=8)
    samples = sentences(32, 24, VOCABULARY)
    labels = np.arange(32) % 6
    bill = quantize_transformer(graph, samples, options, labels).bill
    layers = {layer.name: layer for layer in bill.layers}
    assert "block_0/attention[head 0]" in layers and "block_1/attention[head 1]" in layers
    assert layers["block_0/gelu"].int16_gain_db is not None
    assert layers["block_0/q"].int16_gain_db is None
    groups = {name: group for group in bill.tensors for name in group.tensors}
    assert {trial.method for trial in groups["block_0/q"].tried} == {"min-max", "mse"}
    assert bill.accuracy is not None and bill.accuracy.samples == 32
    assert (bill.promotions, bill.enough) == ((), None)
    assert Bill.from_json(bill.to_json()) == bill


@pytest.mark.parametrize("method", list(Method))
def test_every_method_of_calibration(method: Method) -> None:
    options = QuantizeOptions(
        methods=(method,), criterion=Criterion.TENSOR, int16_gain=False, measure_samples=4
    )
    assert quantized(embbert(blocks=1), options, count=8).bill.network_sqnr_db > 15


def test_weights_that_layers_share_are_rounded_for_each() -> None:
    graph = bert(blocks=1)
    ops = [
        op.with_(inputs=(op.inputs[0], "block_0/q/w0", op.inputs[2])) if op.name == "block_0/k" else op
        for op in graph.ops
    ]
    shared = graph.rebuilt(ops=ops)
    assert quantized(shared).bill.network_sqnr_db > 26


def test_large_sums_of_int16_get_coarser_weights() -> None:
    b = Builder(0)
    b.input("features", (1, 2, 600), DType.FLOAT32)
    x = b.linear("wide", "features", units=600, residual="features")
    x = b.linear("read", x, units=600, residual=x)
    graph = b.graph("wide", b.linear("logits", x, units=3), "features")
    # All weights of one sign and size: the sums are as large as they get.
    heavy = graph["read/w0"].with_(data=np.full((600, 600), 0.1, np.float32))
    graph = graph.rebuilt(tensors=[heavy])
    samples = [(b.rng.normal(0, 1, (1, 2, 600)).astype(np.float32),) for _ in range(8)]
    result = quantize_transformer(graph, samples, FAST)
    assert np.abs(result.graph["read/w0"].constant.astype(int)).max() < 127
    assert result.bill.network_sqnr_db > 26


def test_an_output_scale_is_raised_to_what_fixed_point_holds() -> None:
    b = Builder(0)
    b.input("features", (1, 2, 8), DType.FLOAT32)
    weights = b.constant("w", np.eye(8) * 4.0 - 4.0)
    zero = b.constant("b", np.zeros(8))
    b.add(Linear(name="logits", inputs=("features", weights, zero), outputs=("logits",)))
    graph = b.graph("cancelling", "logits", "features")
    # The products are large, their sums small: int16 steps would be far finer than those of the sums.
    row = b.rng.normal(0, 1, 8)
    samples = [(np.tile(row - row.mean(), (1, 2, 1)).astype(np.float32) * k,) for k in (1, 2, 3)]
    integer = quantize_transformer(graph, samples, FAST).graph
    sums = max(op.accumulator_scales(integer.operands(op))[0] for op in integer.ops if isinstance(op, Linear))
    assert integer["logits"].scale >= 2.0 * sums
