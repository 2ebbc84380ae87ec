"""ONNX models: the float graph equals ONNX Runtime, and the C of the quantized one equals the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from strategies.common import random_inputs  # noqa: E402
from support.onnx_models import classifier, quantized, runtime, sequence_classifier  # noqa: E402
from support.onnx_rounding import LAYERS, difference  # noqa: E402
from tinyc import interpreter, passes  # noqa: E402
from tinyc.boards import load_board  # noqa: E402
from tinyc.frontends.onnx import load_bytes  # noqa: E402
from tinyc.ir.graph import Graph  # noqa: E402
from tinyc.ir.tensor import DType  # noqa: E402
from tinyc.pipeline import compile_graph  # noqa: E402
from tinyc.quantize.options import Criterion, QuantizeOptions  # noqa: E402
from tinyc.quantize.post_training import quantize_graph  # noqa: E402
from tinyc.toolchain.host import HostModel  # noqa: E402

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("make", [classifier, sequence_classifier])
def test_float_quantized_and_compiled(make: Callable[[], onnx.ModelProto]) -> None:
    model = make()
    graph = passes.run(load_bytes(model.SerializeToString(), "net"))
    rng = np.random.default_rng(0)
    extents = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    samples = rng.normal(0, 1, (16, *extents[1:])).astype(np.float32)
    moved = np.moveaxis(samples, 1, -1)
    for channels_first, channels_last in zip(samples[:4], moved, strict=False):
        (expected,) = runtime(model, {"x": channels_first[None]})
        (actual,) = interpreter.run(graph, [channels_last[None]])
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    options = QuantizeOptions(criterion=Criterion.TENSOR, equalize=False, int16_gain=False)
    result = quantize_graph(graph, [(sample,) for sample in moved], options)
    assert result.bill.network_sqnr_db > 20.0
    integer = passes.legalize(passes.run(result.graph))
    assert_the_c_equals_the_interpreter(integer)


def assert_the_c_equals_the_interpreter(graph: Graph) -> None:
    rng = np.random.default_rng(1)
    program = compile_graph(graph, load_board("host"), name="net")
    with HostModel(program, sanitize=True) as host:
        for _ in range(4):
            inputs = random_inputs(rng, graph)
            for left, right in zip(host.run(inputs), interpreter.run(graph, inputs), strict=True):
                np.testing.assert_array_equal(left, right)


def plain_classifier() -> onnx.ModelProto:
    return classifier(batch_norm=False)


@pytest.mark.parametrize("operators", [False, True], ids=["qdq", "operators"])
@pytest.mark.parametrize("unsigned", [False, True], ids=["int8", "uint8"])
@pytest.mark.parametrize("make", [plain_classifier, sequence_classifier])
def test_quantized_by_onnx_runtime(
    make: Callable[[], onnx.ModelProto], unsigned: bool, operators: bool, tmp_path: Path
) -> None:
    """The file's own scales and zero points; requantization may round a tie to the other side."""
    model = quantized(make(), tmp_path, operators=operators, unsigned=unsigned, per_channel=not unsigned)
    graph = passes.legalize(passes.run(load_bytes(model.SerializeToString(), "net")))
    assert all(
        tensor.dtype is DType.INT8 for name in (*graph.inputs, *graph.outputs) if (tensor := graph[name])
    )
    x, y = graph[graph.inputs[0]], graph[graph.outputs[0]]
    rng = np.random.default_rng(0)
    for _ in range(8):
        steps = rng.integers(-128, 128, x.shape).astype(np.int8)
        real = ((steps.astype(np.float64) - x.zero_point) * x.scale).astype(np.float32)
        (expected,) = runtime(model, {"x": np.moveaxis(real, -1, 1)})
        (actual,) = interpreter.run(graph, [steps])
        off = np.abs((actual.astype(np.float64) - y.zero_point) - expected / y.scale)
        assert off.max() < 1.01
    if operators and not unsigned:
        assert_the_c_equals_the_interpreter(graph)


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_a_quantized_layer_is_one_step_from_onnx_runtime_at_most(layer: str) -> None:
    found = difference(layer, models=8)
    assert found.largest <= 1
    assert found.differing < 0.25 * found.elements
