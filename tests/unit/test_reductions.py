"""Reductions and their like: what shape rules and decoders refuse, edges of the fixed point, quantizing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from support.float_networks import FloatNetwork, normal_samples
from support.tflite_writer import Layer, write_layers
from tinyc import interpreter
from tinyc.frontends.tflite import load_bytes
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Cumsum,
    L2Normalization,
    LogSoftmax,
    Mean,
    Op,
    Padding,
    ReduceAny,
    ReduceMax,
    ReduceMin,
    Relu,
    Rsqrt,
    Sum,
    TransposeConv,
    Unsupported,
)
from tinyc.ir.tensor import Array, DType, Quantization, Tensor
from tinyc.quantize.fixed_point import Rounding
from tinyc.quantize.fixed_point_functions import inverse_square_root, logarithm
from tinyc.quantize.measure import run_quantized
from tinyc.quantize.post_training import quantize_graph

pytestmark = pytest.mark.unit


def test_the_logarithm_is_close() -> None:
    x = np.unique(np.geomspace(2**19, 2**31 - 1, 5000).astype(np.int64))
    found = logarithm(x, 12, 5) * 2.0**-26
    assert np.abs(found - np.log(x * 2.0**-19)).max() < 1e-3


def test_the_inverse_square_root_is_close() -> None:
    x = np.unique(np.geomspace(1, 2**31 - 1, 5000).astype(np.int64))
    multiplier, shift = inverse_square_root(x)
    assert (shift <= 0).all()
    assert np.abs(multiplier * 2.0 ** (shift - 31.0) * np.sqrt(x) - 1).max() < 1e-5
    assert [int(part) for part in inverse_square_root(np.array(0))] == [2**31 - 1, 0]


def _int8(scale: float, zero_point: int, count: int) -> Tensor:
    return Tensor("t", (count,), DType.INT8, Quantization((scale,), (zero_point,)))


def test_rsqrt_of_nothing_and_less_is_the_largest_code() -> None:
    op = Rsqrt(name="layer", inputs=("x",), outputs=("y",))
    y = op.quantized(np.array([-3, 0, 1, 4, 100]), _int8(1.0, 0, 5), _int8(1 / 64, -10, 5))
    assert y.tolist() == [127, 127, 54, 22, -4]


def test_cumsum_stays_at_the_end_of_its_accumulator() -> None:
    op = Cumsum(name="layer", inputs=("x",), outputs=("y",), axis=0)
    x, coarse = _int8(1.0, 0, 64), _int8(64.0, 0, 64)
    y = op.quantized(np.full(64, 127), x, coarse)
    assert y.tolist() == [min(round(min(127 * n, 4095) / 64 + 1e-9), 127) for n in range(1, 65)]
    with pytest.raises(ValueError, match="too fine"):
        op.quantized(np.zeros(64, np.int64), _int8(1.0, 0, 64), _int8(2.0**-20, 0, 64))


@pytest.mark.parametrize(
    ("op", "dtype", "message"),
    [
        (Mean(name="m", inputs=("x",), outputs=("y",), axes=(2,)), DType.INT8, "axis 2 does not exist"),
        (ReduceMax(name="m", inputs=("x",), outputs=("y",), axes=()), DType.INT8, "reduces no axis"),
        (ReduceAny(name="m", inputs=("x",), outputs=("y",), axes=(0,)), DType.INT8, "not bool"),
        (Cumsum(name="m", inputs=("x",), outputs=("y",), axis=2), DType.INT8, "axis 2 does not exist"),
    ],
)
def test_what_does_not_fit_is_refused(op: Op, dtype: DType, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        op.output_shapes([Tensor("x", (4, 5), dtype)])


def test_files_with_what_is_not_compiled_say_so() -> None:
    scale = Quantization((0.5,), (0,))
    tensors = [
        Tensor("x", (1, 4), DType.INT8, scale),
        Tensor("axis", (1,), DType.INT32, None, np.array([1], np.int32)),
        Tensor("both", (2,), DType.INT32, None, np.array([0, 1], np.int32)),
        Tensor("at", (1,), DType.INT64),
        Tensor("sums", (1, 4), DType.INT8, scale),
    ]
    layers = [Layer("ARG_MAX", ("x", "axis"), ("at",)), Layer("CUMSUM", ("x", "both"), ("sums",))]
    graph = load_bytes(write_layers(layers, tensors, ("x",), ("at", "sums")), "odd")
    reasons = [op.reason for op in graph.ops if isinstance(op, Unsupported)]
    assert reasons == ["gives positions as int64", "2 axes"]


def _network(rng: np.random.Generator) -> Graph:
    """Input [1, 4, 4, 3]: everything that has a rule for its quantization."""
    net = FloatNetwork((1, 4, 4, 3))
    filters, bias = rng.normal(0, 0.3, (5, 3, 3, 3)), rng.normal(0, 0.1, 5)
    size = {"output_size": (8, 8), "stride": (2, 2), "padding": Padding.SAME}
    up = net.add(TransposeConv, "x0", filters, bias, **size)
    top = net.add(ReduceMax, up, axes=(1,))
    bottom = net.add(ReduceMin, up, axes=(1,))
    root = net.add(Rsqrt, net.add(Relu, net.add(Sum, net.add(Relu, up), axes=(1, 2))))
    norm = net.add(L2Normalization, net.add(Sum, top, axes=(1,)))
    log = net.add(LogSoftmax, net.add(Sum, bottom, axes=(1,)))
    return net.graph(root, norm, log)


def test_float_networks_are_quantized_with_small_errors() -> None:
    rng = np.random.default_rng(3)
    graph = _network(rng)
    samples = normal_samples(rng, graph, 30)
    quantized = quantize_graph(graph, samples).graph
    for sample in samples[:10]:
        found = run_quantized(quantized, sample)
        for name, expected in zip(graph.outputs, interpreter.run(graph, sample), strict=True):
            spread = max(float(np.abs(expected).max()), 1e-3)
            assert float(np.abs(found[name] - expected).max()) < 0.08 * spread, name


def test_a_real_transpose_conv_is_a_scatter() -> None:
    rng = np.random.default_rng(4)
    x, filters = rng.normal(0, 1, (1, 3, 2, 2)), rng.normal(0, 1, (3, 2, 4, 2))
    op = TransposeConv(name="up", inputs=("x", "f"), outputs=("y",), output_size=(7, 6), stride=(3, 2))
    tensors = [Tensor("x", x.shape, DType.FLOAT32), Tensor("f", filters.shape, DType.FLOAT32)]
    y = Tensor("y", op.output_shapes(tensors)[0], DType.FLOAT32)
    values: list[Array] = [x.astype(np.float32), filters.astype(np.float32)]
    (found,) = op.reference(values, tensors, [y], Rounding.DOUBLE)
    expected = np.zeros((1, 8, 6, 3))
    for row in range(3):
        for column in range(2):
            taps = np.einsum("oyxi,i->yxo", filters, x[0, row, column])
            expected[0, 3 * row : 3 * row + 2, 2 * column : 2 * column + 4] += taps
    assert np.allclose(found, expected[:, :7], atol=1e-5)
    assert op.macs(tensors, [y]) == math.prod((3, 2, 2)) * 3 * 2 * 4
