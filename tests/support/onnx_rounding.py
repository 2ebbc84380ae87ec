"""Single quantized layers at random, in tinyc's arithmetic and in ONNX Runtime's: how often they differ.

`python -m support.onnx_rounding` prints the table of docs/guides/pytorch.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from support.onnx_models import Writer, runtime
from tinyc import interpreter, passes
from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.conversion import convert
from tinyc.frontends.onnx.reader import read
from tinyc.ir.tensor import Array

CONTRIB = "com.microsoft"
MODELS = 40


@dataclass(frozen=True, slots=True)
class Difference:
    """Elements of the results, how many of them differ, and by how many steps at most."""

    elements: int
    differing: int
    largest: int


class _Layer(Writer):
    """One layer from int8 `x` to int8 `y`."""

    def scale(self, name: str, low: float, high: float) -> list[str]:
        """A random scale and zero point."""
        scale = np.float32(np.exp(self.rng.uniform(np.log(low), np.log(high))))
        zero = np.int8(self.rng.integers(-20, 21))
        return [self.constant(f"{name}.scale", scale), self.constant(f"{name}.zero", zero)]

    def matrix(self, name: str, *shape: int, scales: int = 1) -> list[str]:
        """Random weights with scales."""
        data = self.rng.integers(-127, 128, shape).astype(np.int8)
        values = self.rng.uniform(0.002, 0.02, scales).astype(np.float32)
        values, zeros = (values[0], np.int8(0)) if scales == 1 else (values, np.zeros(scales, np.int8))
        numbers = [self.constant(f"{name}.scale", values), self.constant(f"{name}.zero", zeros)]
        return [self.constant(name, data), *numbers]

    def bias(self, units: int) -> str:
        return self.constant("bias", self.rng.integers(-4000, 4000, units).astype(np.int32))

    def whole(
        self, op: str, inputs: Sequence[str], x: Sequence[int], y: Sequence[int], **fields: Any
    ) -> onnx.ModelProto:
        self.node(op, inputs, "y", **fields)
        return self.model({"x": x}, {"y": y}, dtype="int8")


def _conv(net: _Layer) -> onnx.ModelProto:
    inputs = [
        "x",
        *net.scale("x", 0.01, 0.1),
        *net.matrix("w", 8, 3, 3, 3, scales=8),
        *net.scale("y", 0.02, 0.2),
    ]
    return net.whole("QLinearConv", [*inputs, net.bias(8)], [1, 3, 9, 9], [1, 8, 7, 7])


def _matmul(net: _Layer) -> onnx.ModelProto:
    inputs = ["x", *net.scale("x", 0.01, 0.1), *net.matrix("w", 32, 16), *net.scale("y", 0.02, 0.2)]
    return net.whole("QLinearMatMul", inputs, [8, 32], [8, 16])


def _gemm(net: _Layer) -> onnx.ModelProto:
    inputs = [
        "x",
        *net.scale("x", 0.01, 0.1),
        *net.matrix("w", 16, 32),
        net.bias(16),
        *net.scale("y", 0.02, 0.2),
    ]
    return net.whole("QGemm", inputs, [8, 32], [8, 16], domain=CONTRIB, transB=1)


def _binary(op: str) -> Callable[[_Layer], onnx.ModelProto]:
    def make(net: _Layer) -> onnx.ModelProto:
        inputs = ["x", *net.scale("x", 0.01, 0.1), *net.matrix("w", 4, 8, 8), *net.scale("y", 0.01, 0.1)]
        return net.whole(op, inputs, [1, 4, 8, 8], [1, 4, 8, 8], domain=CONTRIB)

    return make


def _unary(
    op: str, low: float, high: float, y: Sequence[int], **fields: Any
) -> Callable[[_Layer], onnx.ModelProto]:
    def make(net: _Layer) -> onnx.ModelProto:
        inputs = ["x", *net.scale("x", 0.01, 0.1), *net.scale("y", low, high)]
        return net.whole(op, inputs, [1, 4, 8, 8], y, domain=CONTRIB, **fields)

    return make


def _softmax(net: _Layer) -> onnx.ModelProto:
    y = [net.constant("y.scale", np.float32(1 / 256)), net.constant("y.zero", np.int8(-128))]
    inputs = ["x", *net.scale("x", 0.01, 0.1), *y]
    return net.whole("QLinearSoftmax", inputs, [16, 10], [16, 10], domain=CONTRIB, axis=1, opset=13)


def _concat(net: _Layer) -> onnx.ModelProto:
    inputs = [*net.scale("y", 0.01, 0.1), "x", *net.scale("x", 0.01, 0.1), *net.matrix("w", 1, 4, 8, 8)]
    return net.whole("QLinearConcat", inputs, [1, 4, 8, 8], [1, 8, 8, 8], domain=CONTRIB, axis=1)


_IMAGE, _POOLED, _ONE = (1, 4, 8, 8), (1, 4, 4, 4), (1, 4, 1, 1)
LAYERS: dict[str, Callable[[_Layer], onnx.ModelProto]] = {
    "QGemm": _gemm,
    "QLinearAdd": _binary("QLinearAdd"),
    "QLinearAveragePool": _unary(
        "QLinearAveragePool", 0.01, 0.1, _POOLED, kernel_shape=[2, 2], strides=[2, 2]
    ),
    "QLinearConcat": _concat,
    "QLinearConv": _conv,
    "QLinearGlobalAveragePool": _unary("QLinearGlobalAveragePool", 0.002, 0.02, _ONE),
    "QLinearLeakyRelu": _unary("QLinearLeakyRelu", 0.01, 0.1, _IMAGE, alpha=0.1),
    "QLinearMatMul": _matmul,
    "QLinearMul": _binary("QLinearMul"),
    "QLinearSigmoid": _unary("QLinearSigmoid", 0.004, 0.01, _IMAGE),
    "QLinearSoftmax": _softmax,
}


def difference(name: str, models: int = MODELS) -> Difference:
    """What `models` random layers of a kind make of random inputs, as their graphs are compiled."""
    elements = differing = largest = 0
    for seed in range(models):
        model = LAYERS[name](_Layer(seed))
        extents = [extent.dim_value for extent in model.graph.input[0].type.tensor_type.shape.dim]
        x: Array = np.random.default_rng(seed).integers(-128, 128, extents).astype(np.int8)
        (expected,) = runtime(model, {"x": x})
        found = convert(read(model.SerializeToString(), name), name)
        graph = passes.legalize(passes.run(found.graph))
        (order,), (result,) = found.inputs, found.outputs
        (actual,) = interpreter.run(graph, [layout.arranged(x, layout.plain(x.ndim), order)])
        actual = layout.arranged(actual, result, layout.plain(expected.ndim))
        steps = np.abs(actual.astype(int) - expected.astype(int))
        elements += steps.size
        differing += int(np.count_nonzero(steps))
        largest = max(largest, int(steps.max()))
    return Difference(elements, differing, largest)


def table() -> str:
    lines = ["| layer | elements | differ | by at most |", "|---|--:|--:|--:|"]
    for name in LAYERS:
        found = difference(name)
        share = f"{found.differing / found.elements:.2%}"
        lines.append(f"| {name} | {found.elements:,} | {share} | {found.largest} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
