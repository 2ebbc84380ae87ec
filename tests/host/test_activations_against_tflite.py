"""Operators with one int8 input: all 256 codes over many scales equal TensorFlow Lite's reference kernels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from strategies.common import random_zero_point, single_op_graph
from support.litert import reference_outputs
from tinyc.interpreter import run
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Abs,
    Exp,
    Gelu,
    HardSwish,
    LeakyRelu,
    Log,
    Logistic,
    Neg,
    Op,
    Quantize,
    Relu,
    Relu0To1,
    Relu6,
    ReluN1To1,
    Softmax,
    Tanh,
)
from tinyc.ir.tensor import DType, Quantization, Tensor

pytestmark = pytest.mark.host

CODES = np.arange(-128, 128, dtype=np.int8)
MODELS = 200


def int8(name: str, scale: float, zero_point: int) -> Tensor:
    return Tensor(name, CODES.shape, DType.INT8, Quantization((float(np.float32(scale)),), (zero_point,)))


def draw(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def free_scales(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    x = int8("x", draw(rng, 1e-5, 3), random_zero_point(rng))
    return x, int8("y", draw(rng, 1e-4, 3), random_zero_point(rng))


def fixed_output(scale: float, zero_point: int) -> Callable[[np.random.Generator], tuple[Tensor, Tensor]]:
    return lambda rng: (
        int8("x", draw(rng, 1e-5, 3), random_zero_point(rng)),
        int8("y", scale, zero_point),
    )


def one_scale(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    scale = draw(rng, 1e-5, 3)
    return int8("x", scale, 0), int8("y", scale, 0)


def hard_swish_scales(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Its output may not be much finer than its input."""
    x, y = free_scales(rng)
    return x, int8("y", max(y.scale, x.scale / 120), y.zero_point)


SCALES: dict[type[Op], Callable[[np.random.Generator], tuple[Tensor, Tensor]]] = {
    Relu: free_scales,
    Relu6: free_scales,
    LeakyRelu: free_scales,
    HardSwish: hard_swish_scales,
    Logistic: fixed_output(1 / 256, -128),
    Tanh: fixed_output(1 / 128, 0),
    Quantize: free_scales,
    Relu0To1: free_scales,
    ReluN1To1: free_scales,
    Abs: free_scales,
    Neg: one_scale,
    Exp: free_scales,
    Log: free_scales,
    Gelu: free_scales,
}


def random_graph(op: type[Op], rng: np.random.Generator) -> Graph:
    x, y = SCALES[op](rng)
    fields: dict[str, object] = {}
    if op is LeakyRelu:
        fields["alpha"] = float(np.float32(rng.uniform(-2, 2)))
    if op is Gelu:
        fields["approximate"] = bool(rng.integers(2))
    return single_op_graph(op(name="layer", inputs=("x",), outputs=("y",), **fields), [x, y])


@pytest.mark.parametrize("op", SCALES, ids=lambda op: op.kind)
def test_every_code_equals_tflite(op: type[Op]) -> None:
    rng = np.random.default_rng(20)
    for _ in range(MODELS):
        graph = random_graph(op, rng)
        (expected,) = reference_outputs(graph, [CODES])
        (actual,) = run(graph, [CODES])
        assert np.array_equal(actual, expected), graph


@pytest.mark.parametrize("scale", [1e-5, 0.3, 7.0, 15.99, 16.0, 20.0, 31.9, 32.0, 1e9])
def test_softmax_of_coarse_scales_equals_tflite(scale: float) -> None:
    """From a scale of 16 only the largest input counts: its step times 2^26 needs a left shift by 31."""
    x = Tensor("x", (4, 9), DType.INT8, Quantization((float(np.float32(scale)),), (5,)))
    y = Tensor("y", x.shape, DType.INT8, Quantization((1 / 256,), (-128,)))
    graph = single_op_graph(Softmax(name="layer", inputs=("x",), outputs=("y",)), [x, y])
    values = np.random.default_rng(0).integers(-128, 128, x.shape).astype(np.int8)
    values[1] = 7
    values[2, :2] = 127
    (expected,) = reference_outputs(graph, [values])
    (actual,) = run(graph, [values])
    assert np.array_equal(actual, expected)
