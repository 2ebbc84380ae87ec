"""How far the integer layers of transformers are from real arithmetic, in steps of their output.

docs/concepts/quantization.md publishes these bounds.
"""

from __future__ import annotations

import numpy as np
import pytest

from support.token_layers import Builder, vectors
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Gelu, LayerNorm, Op, Pooling, RmsNorm, Silu, SquaredRelu, TokenPool
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize.fixed_point import Rounding

pytestmark = pytest.mark.unit

SEEDS = range(6)
# float32 arithmetic of the reference.
SLACK = 0.01


def _real(tensor: Tensor, values: Array) -> Array:
    if tensor.quantization is None:
        return values
    scale, zero_point = np.array(tensor.quantization.scale), np.array(tensor.quantization.zero_point)
    if tensor.quantization.axis is not None:
        shape = [-1 if axis == tensor.quantization.axis else 1 for axis in range(values.ndim)]
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    return np.asarray((values.astype(np.float64) - zero_point) * scale)


def errors(graph: Graph, seed: int, lengths: tuple[int, ...] = ()) -> Array:
    """Of the last layer, in steps; results at the ends of the output's range do not count."""
    found = []
    for vector in vectors(graph, seed, lengths):
        # LAYER_NORM clips what is further than 2^15 from the mean: the quantizer keeps int16 to a half.
        vector = [
            value // 2 if graph[n].quantization is not None and value.dtype == np.int16 else value
            for n, value in zip(graph.inputs, vector, strict=True)
        ]
        values = interpreter.trace(graph, vector)
        tensors = interpreter.at_length(graph, dict(zip(graph.inputs, vector, strict=True)))
        op: Op = graph.ops[-1]
        name = op.outputs[0]
        rows = {n: t.shape[1] for n, t in tensors.items() if t.shape != graph[n].shape}
        given = [values[n][:, : rows[n]] if n in rows else values[n] for n in op.inputs]
        operands = [tensors[n] for n in op.inputs]
        real = [
            _real(tensor, value).astype(value.dtype if tensor.quantization is None else np.float32)
            for tensor, value in zip(operands, given, strict=True)
        ]
        result = tensors[name].with_(dtype=DType.FLOAT32, quantization=None)
        floats = [
            tensor if tensor.quantization is None else tensor.with_(dtype=DType.FLOAT32, data=None)
            for tensor in operands
        ]
        (wanted,) = op.reference(real, floats, [result], Rounding.DOUBLE)
        limits = np.iinfo(graph[name].dtype.numpy)
        got = values[name].astype(np.int64)
        inside = (got > limits.min) & (got < limits.max)
        steps = wanted.astype(np.float64) / graph[name].scale + graph[name].zero_point
        found.append(np.abs(got - steps)[inside])
    flat = np.concatenate(found)
    assert flat.size > 10
    return flat


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("seed", SEEDS)
def test_linear(seed: int, bits: int) -> None:
    build = Builder(seed, 6)
    x, y = build.input(24), build.input(40)
    graph = build.graph(build.linear(x, y, units=20, bits=bits))
    assert errors(graph, seed).max() <= 0.75 + SLACK


@pytest.mark.parametrize("seed", SEEDS)
def test_linear_with_a_residual(seed: int) -> None:
    build = Builder(seed, 6)
    x, y = build.input(24, 16, scale=1e-4), build.input(20, 16, scale=2e-4)
    graph = build.graph(build.linear(x, units=20, bits=16, residual=y))
    assert errors(graph, seed).max() <= 1.5 + SLACK


@pytest.mark.parametrize("kind", [RmsNorm, LayerNorm])
@pytest.mark.parametrize("gain", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_norm_in_int8_is_at_most_one_step_off_the_rounded_one(seed: int, gain: bool, kind: type[Op]) -> None:
    build = Builder(seed, 8)
    graph = build.graph(build.norm(build.input(48, 16, scale=1e-3), kind, gain=gain))
    found = errors(graph, seed)
    # Half a step is that of rounding.
    assert found.max() <= 0.5 + 0.1


@pytest.mark.parametrize("kind", [RmsNorm, LayerNorm])
@pytest.mark.parametrize("gain", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_norm_in_int16(seed: int, gain: bool, kind: type[Op]) -> None:
    build = Builder(seed, 8)
    graph = build.graph(build.norm(build.input(48, 16, scale=1e-3), kind, bits=16, gain=gain))
    assert errors(graph, seed).max() <= (6.0 if gain else 3.0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("keys", [3, 40, 200])
def test_attention(keys: int, causal: bool) -> None:
    build = Builder(keys, keys)
    q, k, v = (build.input(32, scale=0.02) for _ in range(3))
    graph = build.graph(build.attention(q, k, v, 2, causal=causal, bits=16))
    op, result = graph.ops[-1], graph.results(graph.ops[-1])[0]
    ratio = graph[op.inputs[2]].scale / result.scale
    # In steps of the values: exponents are rounded to 1/256 of a power of two, numerators to 2^-15.
    bound = 255 * (0.0014 + 1.5 * keys / 32767) + 0.05
    assert errors(graph, 1).max() / ratio <= bound


@pytest.mark.parametrize("seed", SEEDS)
def test_depthwise_convolution(seed: int) -> None:
    build = Builder(seed, 9)
    graph = build.graph(build.convolution(build.input(24), 5, zero_point=-7))
    assert errors(graph, seed).max() <= 0.75 + SLACK


@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize("rank", [None, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_embedding(seed: int, rank: int | None, bits: int) -> None:
    build = Builder(seed, 12, sentence=True)
    graph = build.graph(build.embedding(16, rank, segments=False, bits=bits))
    # A table without an expander is rounded by itself; its multiplier has 16 bits behind the point.
    bound = 0.75 if rank else (1.01 if bits == 8 else 1.01 + 31 * 255 / 2**17)
    assert errors(graph, seed, (3, 12, 7)).max() <= bound + SLACK


@pytest.mark.parametrize("kind", [Gelu, Silu, SquaredRelu])
@pytest.mark.parametrize("bits", [8, 16])
def test_curves_are_rounded_correctly(kind: type[Op], bits: int) -> None:
    build = Builder(0, 16)
    graph = build.graph(build.curve(build.input(32, scale=0.04), kind, bits))
    assert errors(graph, 0).max() <= 0.5 + SLACK


@pytest.mark.parametrize("length", [1, 7, 40])
def test_pools(length: int) -> None:
    for pooling, bound in ((Pooling.MEAN, 0.51), (Pooling.RMS, 0.6)):
        build = Builder(length, length)
        x = build.input(24, 16, scale=1e-3)
        output = build.activation((1, 1, 24), 1e-3, 16)
        graph = build.graph(build.add(TokenPool, (x,), output, pooling=pooling))
        assert errors(graph, length).max() <= bound + SLACK
