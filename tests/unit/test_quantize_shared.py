"""The quantizer on published models, and against TensorFlow's own quantizer on the same samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.float_networks import natural_images
from support.keyword_features import recordings
from tinyc import frontends, interpreter
from tinyc.frontends import tflite
from tinyc.ir.graph import Graph
from tinyc.quantize.calibrate import Sample
from tinyc.quantize.measure import run_quantized
from tinyc.quantize.options import QuantizeOptions
from tinyc.quantize.post_training import Quantized, quantize_graph

pytestmark = pytest.mark.unit

FAST = QuantizeOptions(measure_samples=16, int16_gain=False)


def logits_sqnr(real: Graph, quantized: Graph, samples: list[Sample]) -> tuple[float, float]:
    """(SQNR in dB before the softmax without the mean of the classes, part of equal answers)."""
    noise = signal = 0.0
    same = 0
    for sample in samples:
        wanted, actual = interpreter.trace(real, sample), run_quantized(quantized, sample)
        same += int(wanted[real.outputs[0]].argmax() == actual[quantized.outputs[0]].argmax())
        a = wanted[real.ops[-1].inputs[0]].astype(np.float64)
        b = actual[quantized.ops[-1].inputs[0]].astype(np.float64)
        a, b = a - a.mean(), b - b.mean()
        noise, signal = noise + float(np.square(a - b).sum()), signal + float(np.square(a).sum())
    return float(10 * np.log10(signal / noise)), same / len(samples)


def by_tensorflow(graph: Graph, samples: list[Sample]) -> Graph:
    pytest.importorskip("tensorflow")
    from support.tensorflow_converter import converted

    return tflite.load_bytes(converted(graph, samples), "converted")


@pytest.fixture(scope="module")
def keywords(shared: Path) -> tuple[Graph, list[tuple[Sample, int]]]:
    graph = frontends.load(shared / "models/mlperf_tiny/kws_ref_model_float32.tflite")
    archive = shared / "data/speech_commands_subset/speech_commands_subset.zip"
    data = [((features,), label) for features, label in recordings(archive, 9)]
    # The words come in order; every set needs all of them.
    return graph, data[::3] + data[1::3] + data[2::3]


@pytest.fixture(scope="module")
def quantized_keywords(keywords: tuple[Graph, list[tuple[Sample, int]]]) -> Quantized:
    graph, data = keywords
    samples, labels = zip(*data[:60], strict=True)
    return quantize_graph(graph, samples, FAST, labels)


def test_keyword_model(
    keywords: tuple[Graph, list[tuple[Sample, int]]], quantized_keywords: Quantized
) -> None:
    graph, data = keywords
    held_out = [sample for sample, _ in data[60:]]
    accuracy = quantized_keywords.bill.accuracy
    assert accuracy is not None
    assert accuracy.float_top1 > 0.9
    assert accuracy.int8_top1 >= accuracy.float_top1 - 0.04
    sqnr, same = logits_sqnr(graph, quantized_keywords.graph, held_out)
    assert sqnr > 25
    assert same >= 0.95


def test_keyword_model_is_at_least_as_good_as_from_tensorflow(
    keywords: tuple[Graph, list[tuple[Sample, int]]], quantized_keywords: Quantized
) -> None:
    graph, data = keywords
    samples = [sample for sample, _ in data]
    theirs = by_tensorflow(graph, samples[:60])
    for part in (samples[:60], samples[60:]):
        assert logits_sqnr(graph, quantized_keywords.graph, part)[0] >= logits_sqnr(graph, theirs, part)[0]


def test_resnet_is_at_least_as_good_as_from_tensorflow(shared: Path) -> None:
    pytest.importorskip("tensorflow")
    graph = frontends.load(shared / "models/mlperf_tiny/pretrainedResnet.h5")
    images = natural_images(np.random.default_rng(0), graph[graph.inputs[0]].shape, 36)
    calibration, held_out = images[:20], images[20:]
    ours = quantize_graph(graph, calibration, FAST)
    theirs = by_tensorflow(graph, calibration)
    sqnr, same = logits_sqnr(graph, ours.graph, held_out)
    assert sqnr >= logits_sqnr(graph, theirs, held_out)[0]
    assert sqnr > 25
    assert same >= 0.85
