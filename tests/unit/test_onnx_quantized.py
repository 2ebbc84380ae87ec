"""Quantized ONNX files: which scales and zero points the graph has, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from strategies.int4 import weight_names  # noqa: E402
from support.onnx_models import Writer  # noqa: E402
from tinyc import interpreter, passes  # noqa: E402
from tinyc.errors import TinycError  # noqa: E402
from tinyc.frontends.onnx import load_bytes  # noqa: E402
from tinyc.ir.graph import Graph  # noqa: E402
from tinyc.ir.tensor import DType, Quantization  # noqa: E402

pytestmark = pytest.mark.unit


def compiled(model: onnx.ModelProto) -> Graph:
    return passes.legalize(passes.run(load_bytes(model.SerializeToString(), "net")))


def refused(model: onnx.ModelProto) -> list[tuple[str, str]]:
    with pytest.raises(TinycError) as caught:
        compiled(model)
    return [(problem.where, problem.what) for problem in caught.value.problems]


class Quantizer(Writer):
    """Adds scales of uint8, and QuantizeLinear with DequantizeLinear."""

    def scale(self, name: str, scale: float, zero_point: int) -> list[str]:
        return [
            self.constant(f"{name}.scale", np.float32(scale)),
            self.constant(f"{name}.zero", np.uint8(zero_point)),
        ]

    def both(self, x: str, scale: float, zero_point: int) -> str:
        numbers = self.scale(x, scale, zero_point)
        self.node("QuantizeLinear", [x, *numbers], f"{x}.steps")
        return self.node("DequantizeLinear", [f"{x}.steps", *numbers], f"{x}.real")

    def weights_of(self, name: str, steps: np.ndarray, scales: list[float], axis: int = 0) -> str:
        self.constant(f"{name}.steps", steps)
        self.constant(f"{name}.scale", np.array(scales, np.float32))
        zeros = self.constant(f"{name}.zero", np.zeros(len(scales), steps.dtype))
        return self.node("DequantizeLinear", [f"{name}.steps", f"{name}.scale", zeros], name, axis=axis)


def test_uint8_becomes_int8_with_the_same_real_values() -> None:
    net = Quantizer()
    x, y = net.scale("x", 0.5, 130), net.scale("y", 0.25, 3)
    net.node("QLinearSigmoid", ["x", *x, *y], "y", domain="com.microsoft")
    graph = compiled(net.model({"x": [1, 4]}, {"y": [1, 4]}, dtype="uint8"))
    assert [op.kind for op in graph.ops] == ["LOGISTIC", "QUANTIZE"]
    assert graph["x"].quantization == Quantization((0.5,), (2,))
    assert graph["y"].quantization == Quantization((0.25,), (-125,))
    (actual,) = interpreter.run(graph, [np.array([[130 - 128, 134 - 128, 0, 127]], np.int8)])
    # Real 0, 2, -1 and 62.5: 0.5, 0.88, 0.27 and 1.0 in quarters.
    assert (actual + 125).tolist() == [[2, 4, 1, 4]]


def test_scales_go_through_what_keeps_elements() -> None:
    """Conv, Relu, MaxPool and Flatten before one QuantizeLinear: all results have its scale."""
    net = Quantizer()
    weights = net.weights_of("w", np.arange(8).reshape(2, 1, 2, 2).astype(np.int8), [0.5, 0.25])
    net.node(
        "Conv", [net.both("x", 0.5, 128), weights, net.constant("b", np.array([1.0, -2.0], np.float32))], "c"
    )
    net.node("Relu", ["c"], "r")
    net.node("MaxPool", ["r"], "p", kernel_shape=[2, 2])
    net.node("Flatten", ["p"], "f")
    net.both("f", 2.0, 0)
    graph = compiled(net.model({"x": [1, 1, 4, 4]}, {"f.real": [1, 8]}))
    assert [op.kind for op in graph.ops] == ["CONV_2D", "MAX_POOL_2D", "TRANSPOSE", "RESHAPE"]
    for op in graph.ops:
        assert graph[op.outputs[0]].quantization == Quantization((2.0,), (-128,))
    _, filters, bias = graph.operands(graph.ops[0])
    assert filters.quantization == Quantization((0.5, 0.25), (0, 0), 0)
    assert (bias.dtype, bias.constant.tolist()) == (DType.INT32, [4, -16])


@pytest.mark.parametrize("layer", ["Conv", "MatMul"])
def test_weights_of_four_bits_are_the_same_numbers_with_eight(layer: str) -> None:
    """Two in a byte in the file, and one graph with one digest."""
    import ml_dtypes

    steps = np.random.default_rng(1).integers(-8, 8, (3, 2, 3, 1) if layer == "Conv" else (6, 3))
    shape = [1, 2, 5, 4] if layer == "Conv" else [2, 6]
    digests = []
    for dtype in (np.int8, ml_dtypes.int4):
        net = Quantizer()
        scales = [0.5, 0.25, 0.125]
        weights = net.weights_of("w", steps.astype(dtype), scales, axis=0 if layer == "Conv" else 1)
        net.node(layer, [net.both("x", 0.5, 128), weights], "y")
        net.both("y", 2.0, 128)
        file = net.model({"x": shape}, ["y.real"], opset=21)
        graph = compiled(file)
        assert sum(graph[name].constant.size for name in weight_names(graph)) == steps.size
        digests.append((graph.digest(), {tensor.data_type for tensor in file.graph.initializer}))
    (eight, wide), (four, narrow) = digests
    assert eight == four and onnx.TensorProto.INT4 in narrow - wide


def test_bounds_are_in_the_scale_of_what_they_bound() -> None:
    net = Quantizer()
    bounds = [net.constant("low", np.float32(-0.6)), net.constant("high", np.float32(2.0))]
    net.node("Clip", [net.both("x", 0.5, 128), *bounds], "c")
    net.node("PRelu", ["c", net.weights_of("slope", np.array([64], np.int8), [1 / 256])], "p")
    net.both("p", 0.25, 128)
    graph = compiled(net.model({"x": [1, 4]}, {"p.real": [1, 4]}))
    assert [op.kind for op in graph.ops] == ["MAXIMUM", "MINIMUM", "PRELU"]
    (actual,) = interpreter.run(graph, [np.array([[-100, -1, 3, 50]], np.int8)])
    assert actual.tolist() == [[-1, -1, 6, 8]]


def test_a_sum_of_branches_in_other_scales() -> None:
    net = Quantizer()
    net.node("Concat", [net.both("x", 0.5, 128), net.both("u", 0.25, 128)], "c", axis=1)
    net.both("c", 0.5, 128)
    graph = compiled(net.model({"x": [1, 2], "u": [1, 3]}, {"c.real": [1, 5]}))
    assert [op.kind for op in graph.ops] == ["QUANTIZE", "CONCATENATION"]


def test_weights_with_a_zero_point_of_their_own() -> None:
    """A matrix may have one; as the weights of a convolution it is refused."""
    steps = np.arange(12, dtype=np.uint8).reshape(4, 3)
    net = Quantizer()
    operands = ["x", *net.scale("x", 0.5, 128), net.constant("w", steps), *net.scale("w", 0.1, 3)]
    net.node("QLinearMatMul", [*operands, *net.scale("y", 1.0, 128)], "y")
    graph = compiled(net.model({"x": [2, 4]}, {"y": [2, 3]}, dtype="uint8"))
    assert [op.kind for op in graph.ops] == ["BATCH_MATMUL"]
    x = np.array([[1, 2, 3, 4], [-8, 0, 8, 100]], np.int8)
    real = (0.5 * x) @ (0.1 * (steps.astype(int) - 3))
    # TensorFlow Lite rounds the tie 2.5 up, ONNX Runtime to the even 2.
    assert interpreter.run(graph, [x])[0].tolist() == np.floor(real + 0.5).tolist()
    assert real[0, 2] == 2.5

    net = Quantizer()
    operands = ["x", *net.scale("x", 0.5, 128), net.constant("w", np.ones((1, 1, 1, 1), np.uint8))]
    net.node(
        "QLinearConv",
        [*operands, *net.scale("w", 0.1, 3), *net.scale("y", 1.0, 128)],
        "y",
        "/conv/QLinearConv",
    )
    model = net.model({"x": [1, 1, 2, 2]}, {"y": [1, 1, 2, 2]}, dtype="uint8")
    assert refused(model) == [("#0 CONV_2D conv", "weights have a zero point other than 0")]


def test_every_layer_without_scales_is_named() -> None:
    net = Quantizer()
    net.node("Conv", [net.both("x", 0.5, 128), net.weights("w", 2, 1, 1, 1)], "c", "/first/Conv")
    net.node("LeakyRelu", ["c"], "l", "/second/LeakyRelu")
    net.node("Add", ["l", net.weights("v", 2, 1, 1)], "a", "/third/Add")
    net.both("a", 0.5, 128)
    assert refused(net.model({"x": [1, 1, 2, 2]}, {"a.real": [1, 2, 2, 2]})) == [
        ("#2 Conv first", "a result of it has no scale"),
        ("#3 LeakyRelu second", "a result of it has no scale"),
        ("#4 Add third", "a constant of a quantized layer is float32"),
    ]


def test_integers_without_scales_are_refused() -> None:
    net = Writer()
    net.node("Identity", ["x"], "y")
    with pytest.raises(TinycError, match="int8, uint8 or int16 with one scale"):
        compiled(net.model({"x": [1, 2]}, ["y"], dtype="uint8"))


def test_constants_of_int8_in_a_float_model_are_real_numbers() -> None:
    net = Quantizer()
    weights = net.weights_of("w", np.array([[1, 2], [3, 4], [5, 6]], np.int8), [0.5, 1.0, 2.0])
    net.node("Gemm", ["x", weights], "y", transB=1)
    graph = passes.run(load_bytes(net.model({"x": [1, 2]}, ["y"]).SerializeToString(), "net"))
    (actual,) = interpreter.run(graph, [np.array([[1.0, 10.0]], np.float32)])
    assert actual.tolist() == [[10.5, 43.0, 130.0]]
