"""Whole models of the field: NumPy reference == TensorFlow Lite, before and after the passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.litert import reference_interpreter, run_interpreter
from tinyc import frontends, interpreter, passes
from tinyc.quantize.fixed_point import Rounding

pytestmark = pytest.mark.host

INT8 = (
    "mlperf_tiny/ad01_int8.tflite",
    "mlperf_tiny/kws_ref_model.tflite",
    "mlperf_tiny/pretrainedResnet_quant.tflite",
    "mlperf_tiny/str_ww_ref_model.tflite",
    "mlperf_tiny/vww_96_int8.tflite",
    "tflm/hello_world_int8.tflite",
    "tflm/micro_speech_quantized.tflite",
)
# Short names in the file of outputs that TensorFlow Lite Micro gave on a Cortex-M4.
BASELINES = {"ad": INT8[0], "kws": INT8[1], "ic": INT8[2], "sww": INT8[3], "vww": INT8[4]}


@pytest.mark.parametrize("model", INT8)
def test_equals_tensorflow_lite(model: str, shared: Path) -> None:
    path = shared / "models" / model
    graph = passes.legalize(passes.run(frontends.load(path)))
    golden = reference_interpreter(path.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(20):
        inputs = random_inputs(rng, graph)
        (expected,) = run_interpreter(golden, inputs)
        (actual,) = interpreter.run(graph, inputs, Rounding.SINGLE)
        assert np.array_equal(expected, actual)


@pytest.mark.parametrize("name", BASELINES)
def test_equals_tensorflow_lite_micro(name: str, shared: Path) -> None:
    graph = passes.run(frontends.load(shared / "models" / BASELINES[name]))
    (tensor,) = (graph[output] for output in graph.outputs)
    with np.load(shared / "baselines" / "tflm_cmsis_nn_outputs.npz") as stored:
        inputs, outputs = stored[f"{name}_inputs"], stored[f"{name}_outputs"]
    assert len(inputs) >= 5
    for values, expected in zip(inputs, outputs, strict=True):
        x = values.astype(np.int8).reshape(graph[graph.inputs[0]].shape)
        (actual,) = interpreter.run(graph, [x], Rounding.DOUBLE)
        assert np.array_equal(actual, expected.astype(np.int8).reshape(tensor.shape))


@pytest.mark.parametrize("model", INT8)
def test_passes_change_no_output(model: str, shared: Path) -> None:
    graph = frontends.load(shared / "models" / model)
    rewritten = graph
    inputs = random_inputs(np.random.default_rng(1), graph)
    expected = interpreter.run(graph, inputs)
    for rewrite in passes.PIPELINE:
        rewritten = rewrite(rewritten)
        for left, right in zip(expected, interpreter.run(rewritten, inputs), strict=True):
            assert np.array_equal(left, right), rewrite.__name__


def test_float_model_with_int8_weights(shared: Path) -> None:
    """The dynamic-range keyword net: close to LiteRT, which rounds activations in its hybrid kernels."""
    path = shared / "models/mlperf_tiny/kws_ref_model_float32.tflite"
    graph = passes.run(frontends.load(path))
    passes.legalize(graph, allow_float=True)
    golden = reference_interpreter(path.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(5):
        inputs = random_inputs(rng, graph)
        (expected,) = run_interpreter(golden, inputs)
        (actual,) = interpreter.run(graph, inputs)
        assert np.abs(expected - actual).max() < 0.1
        assert expected.argmax() == actual.argmax()
