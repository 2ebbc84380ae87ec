"""Weights of four bits from the quantizer: their range, what they cost by layer, who chooses them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import transformers
from support.classifiers import small_classifier
from support.command_line import tinyc
from support.float_networks import normal_samples, small_convolutional
from support.tflite_writer import write
from tinyc.boards import load_board
from tinyc.config import load_config
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.objective import Objective
from tinyc.passes import run
from tinyc.passes.legalize import legalize
from tinyc.pipeline import compile_graph
from tinyc.preparation import prepare
from tinyc.quantize.bill import Bill
from tinyc.quantize.clip_weights import clip_weights
from tinyc.quantize.options import QuantizeOptions, Weights
from tinyc.quantize.post_training import Quantized, quantize_graph
from tinyc.quantize.scheme import (
    INT4_KINDS,
    INT4_LIMIT,
    RULES,
    along,
    quantize_weights,
    weight_limit,
    weight_scales,
)
from tinyc.quantize.transformer.post_training import quantize_transformer
from tinyc.report import layer_entries
from tinyc.source import resolve

pytestmark = pytest.mark.unit

INT4 = QuantizeOptions(weights=Weights.INT4, int16_gain=False, measure_samples=8)


@pytest.fixture(scope="module")
def network() -> Graph:
    return small_convolutional(np.random.default_rng(0))


@pytest.fixture(scope="module")
def quantized(network: Graph) -> Quantized:
    return quantize_graph(network, normal_samples(np.random.default_rng(1), network, 16), INT4)


def test_layers_that_may_have_int4_weights_have_them(quantized: Quantized) -> None:
    kinds = set()
    for op in quantized.graph.ops:
        if op.kind in INT4_KINDS:
            weights = quantized.graph[op.inputs[1]]
            kinds.add(op.kind)
            assert np.abs(weights.constant).max() <= INT4_LIMIT
            assert weights.quantization is not None and set(weights.quantization.zero_point) == {0}
            assert len(weights.quantization.scale) == quantized.graph.results(op)[0].shape[-1]
    assert kinds == INT4_KINDS
    assert weight_limit(quantized.graph.ops[0], Weights.INT8) == 127


def test_the_bill_says_what_they_cost_by_layer(network: Graph, quantized: Quantized) -> None:
    bill = quantized.bill
    gains = {layer.name: layer.int8_weights_gain_db for layer in bill.layers}
    assert {name for name, gain in gains.items() if gain is not None} == {
        op.name for op in network.ops if op.kind in INT4_KINDS
    }
    assert max(gain for gain in gains.values() if gain is not None) > 0.5
    assert any(item.name == "clipping of weights" for item in bill.treatments)
    assert Bill.from_json(bill.to_json()) == bill
    samples = normal_samples(np.random.default_rng(1), network, 16)
    wide = quantize_graph(network, samples, replace(INT4, weights=Weights.INT8)).bill
    assert 10 < bill.network_sqnr_db < wide.network_sqnr_db
    assert all(layer.int8_weights_gain_db is None for layer in wide.layers)


def test_the_firmware_saves_flash_by_them(quantized: Quantized) -> None:
    graph = legalize(run(quantized.graph))
    program = compile_graph(graph, load_board("nrf52840"), name="small", optimize=Objective.FLASH)
    found = [entry for entry in layer_entries(program) if entry["saved_by_int4"]]
    assert found and all("_s4" in entry["kernel"] for entry in found)
    saved = {entry["name"]: entry["saved_by_int4"] for entry in found}
    for op in graph.ops:
        assert op.name not in saved or saved[op.name] == graph[op.inputs[1]].elements // 2


def rounding_error(graph: Graph, reference: Graph) -> float:
    """Of the weights that are to have four bits, against those of `reference`."""
    total = 0.0
    for op in graph.ops:
        axis = RULES[op.kind].weights_axis
        if op.kind in INT4_KINDS and axis is not None:
            weights = graph[op.inputs[1]].constant
            scales = weight_scales(weights, axis, None, 1.0, INT4_LIMIT)
            steps = quantize_weights(weights, scales, axis, INT4_LIMIT)
            wanted = reference[op.inputs[1]].constant
            total += float(np.square(steps * along(axis, scales, weights.ndim) - wanted).sum())
    return total


def test_clipping_lowers_the_rounding_error_of_the_weights(network: Graph) -> None:
    clipped = clip_weights(network)
    assert rounding_error(clipped, network) < 0.95 * rounding_error(network, network)
    for op in network.ops:
        if op.kind in INT4_KINDS:
            before, after = network[op.inputs[1]].constant, clipped[op.inputs[1]].constant
            assert (np.abs(after) <= np.abs(before)).all() and (np.sign(after) == np.sign(before)).all()


def test_a_configuration_and_the_command_line_choose_them(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"")
    path = tmp_path / "tinyc.toml"
    path.write_text('[model]\npath = "m.keras"\n[quantize]\nweights = "int4"\n')
    assert resolve(path).weights is Weights.INT4
    assert resolve(path, weights=Weights.INT8).weights is Weights.INT8
    path.write_text('[model]\npath = "m.keras"\n[quantize]\nweights = "int2"\n')
    with pytest.raises(TinycError) as caught:
        load_config(path)
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == ("quantize.weights", "is 'int2'")
    assert problem.allowed is not None and "int8" in problem.allowed
    path.write_text('[model]\npath = "m.keras"\n')
    for verb in ("quantize", "build"):
        found = tinyc(verb, str(tmp_path), "--weights", "int2")
        assert found.code == 2 and "--weights" in found.stderr


def test_models_that_cannot_have_them_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TinycError, match="transformer"):
        quantize_transformer(transformers.keyword(), [], INT4)
    path = tmp_path / "small.tflite"
    path.write_bytes(write(small_classifier(np.random.default_rng(2))))
    with pytest.raises(TinycError, match="this one is not"):
        prepare(resolve(path, weights=Weights.INT4))
