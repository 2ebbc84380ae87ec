"""ONNX models: the float graph equals ONNX Runtime, and the C of the quantized one equals the interpreter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from strategies.common import random_inputs  # noqa: E402
from support.onnx_models import classifier, runtime, sequence_classifier  # noqa: E402
from tinyc import interpreter, passes  # noqa: E402
from tinyc.boards import load_board  # noqa: E402
from tinyc.frontends.onnx import load_bytes  # noqa: E402
from tinyc.pipeline import compile_graph  # noqa: E402
from tinyc.quantize.options import Criterion, QuantizeOptions  # noqa: E402
from tinyc.quantize.post_training import quantize_graph  # noqa: E402
from tinyc.toolchain.host import HostModel  # noqa: E402

pytestmark = pytest.mark.host


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
    quantized = quantize_graph(graph, [(sample,) for sample in moved], options)
    assert quantized.bill.network_sqnr_db > 20.0
    integer = passes.legalize(passes.run(quantized.graph))
    program = compile_graph(integer, load_board("host"), name="net")
    with HostModel(program, sanitize=True) as host:
        for _ in range(4):
            inputs = random_inputs(rng, integer)
            for left, right in zip(host.run(inputs), interpreter.run(integer, inputs), strict=True):
                np.testing.assert_array_equal(left, right)
