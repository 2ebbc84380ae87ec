"""Small models in ONNX's format, and ONNX Runtime's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tinyc.ir.tensor import Array

TYPES = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8}


class Writer:
    """Collects nodes and constants; random constants come from `seed`."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, data: Array) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(data), name))
        return name

    def weights(self, name: str, *shape: int) -> str:
        spread = 1.0 / np.sqrt(max(np.prod(shape[1:]), 1))
        return self.constant(name, self.rng.normal(0, spread, shape).astype(np.float32))

    def node(self, op: str, inputs: Sequence[str], output: str, name: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def batch_norm(self, x: str, channels: int, name: str) -> str:
        inputs = [x, self.weights(f"{name}.scale", channels), self.weights(f"{name}.bias", channels)]
        inputs.append(self.weights(f"{name}.mean", channels))
        variance = self.rng.uniform(0.5, 2.0, channels).astype(np.float32)
        inputs.append(self.constant(f"{name}.variance", variance))
        return self.node("BatchNormalization", inputs, name, f"/{name}/BatchNormalization")

    def _output(self, name: str, outputs: Any, dtype: str) -> onnx.ValueInfoProto:
        """Inferred from the nodes, where `outputs` are no shapes."""
        known = isinstance(outputs, Mapping)
        return (
            helper.make_tensor_value_info(name, TYPES[dtype], outputs[name])
            if known
            else onnx.ValueInfoProto(name=name)
        )

    def model(
        self,
        inputs: Mapping[str, Sequence[int | str]],
        outputs: Sequence[str] | Mapping[str, Sequence[int]],
        opset: int = 17,
        dtype: str = "float32",
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(name, TYPES[dtype], shape) for name, shape in inputs.items()],
            [self._output(name, outputs, dtype) for name in outputs],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        return onnx.shape_inference.infer_shapes(model)


def classifier(batch_norm: bool = True) -> onnx.ModelProto:
    """A small CNN as PyTorch exports it: a residual sum, a padded pool, Flatten and Gemm."""
    net = Writer()
    net.node("Conv", ["x", net.weights("w0", 8, 3, 3, 3)], "a", "/conv/Conv", pads=[1] * 4, strides=[2, 2])
    net.node("Relu", [net.batch_norm("a", 8, "norm") if batch_norm else "a"], "b", "/relu/Relu")
    net.node("MaxPool", ["b"], "c", "/pool/MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    depthwise = ["c", net.weights("w1", 8, 1, 3, 3), net.weights("b1", 8)]
    net.node("Conv", depthwise, "d", "/depthwise/Conv", pads=[1] * 4, group=8)
    bounds = [net.constant("low", np.float32(0)), net.constant("high", np.float32(6))]
    net.node("Clip", ["d", *bounds], "e", "/relu6/Clip")
    net.node("Add", ["e", "c"], "f", "/Add")
    net.node("Flatten", ["f"], "g", "/Flatten")
    net.node("Gemm", ["g", net.weights("w2", 5, 96), net.weights("b2", 5)], "logits", "/fc/Gemm", transB=1)
    return net.model({"x": ["batch", 3, 16, 12]}, ["logits"])


def sequence_classifier() -> onnx.ModelProto:
    """Convolutions over a sequence, with an average over time."""
    net = Writer(1)
    net.node("Conv", ["x", net.weights("w0", 6, 2, 5), net.weights("b0", 6)], "a", "/one/Conv", pads=[2, 2])
    net.node("Relu", ["a"], "b", "/relu/Relu")
    net.node("MaxPool", ["b"], "c", "/pool/MaxPool", kernel_shape=[2], strides=[2])
    net.node("Conv", ["c", net.weights("w1", 4, 6, 3)], "d", "/two/Conv", dilations=[2])
    net.node("GlobalAveragePool", ["d"], "e", "/mean/GlobalAveragePool")
    net.node("Squeeze", ["e", net.constant("axes", np.array([2]))], "f", "/Squeeze")
    net.node("Softmax", ["f"], "y", "/Softmax", axis=1)
    return net.model({"x": [1, 2, 24]}, ["y"])


class _Samples:
    """Random inputs `x` for ONNX Runtime's quantizer."""

    def __init__(self, shape: Sequence[int]) -> None:
        rng = np.random.default_rng(0)
        self._left = [{"x": rng.normal(0, 1, shape).astype(np.float32)} for _ in range(8)]

    def get_next(self) -> dict[str, Array] | None:
        return self._left.pop() if self._left else None


def quantized(
    model: onnx.ModelProto, folder: Path, *, operators: bool, unsigned: bool, per_channel: bool
) -> onnx.ModelProto:
    """The model as ONNX Runtime quantizes it, as QDQ or with quantized `operators`.

    Skips where ONNX Runtime is absent.
    """
    quantization = pytest.importorskip("onnxruntime.quantization", reason="onnxruntime is not installed")
    shape = [extent.dim_value or 1 for extent in model.graph.input[0].type.tensor_type.shape.dim]
    onnx.save(model, folder / "float.onnx")
    formats, types = quantization.QuantFormat, quantization.QuantType
    quantization.quantize_static(
        folder / "float.onnx",
        folder / "quantized.onnx",
        _Samples(shape),
        quant_format=formats.QOperator if operators else formats.QDQ,
        activation_type=types.QUInt8 if unsigned else types.QInt8,
        weight_type=types.QInt8,
        per_channel=per_channel,
    )
    return onnx.load(folder / "quantized.onnx")


def runtime(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
    """The outputs as ONNX Runtime computes them. Skips where it is absent."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return tuple(np.asarray(output) for output in session.run(None, dict(inputs)))
