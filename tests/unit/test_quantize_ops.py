"""Every op kind with a rule: random float layers quantize, run in integers and come out close."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from strategies import STRATEGIES
from support.float_networks import normal_samples
from tinyc import interpreter
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.quantize.measure import run_quantized
from tinyc.quantize.options import QuantizeOptions
from tinyc.quantize.post_training import quantize_graph
from tinyc.quantize.scheme import RULES, along

pytestmark = pytest.mark.unit

OPTIONS = QuantizeOptions(equalize=False, correct_bias=False, int16_gain=False, measure_samples=4)
RULED = [op for op in STRATEGIES if op.kind in RULES]

# What a function needs of its operands: a domain, or no values so near zero that they round to it.
SAMPLES: dict[str, Callable[[Array], Array]] = {
    "EXP": lambda x: np.float32(0.5) * x,
    "L2_NORMALIZATION": lambda x: 3 * x + np.copysign(np.float32(1), x),
    "LOG": lambda x: np.abs(3 * x) + np.float32(1),
    "RSQRT": lambda x: np.abs(3 * x) + np.float32(1),
    "SQRT": lambda x: np.abs(3 * x),
}


def as_float(graph: Graph) -> Graph:
    """The float graph of the same structure; constants get values of usual size."""
    rng = np.random.default_rng(0)
    tensors = {}
    for tensor in graph.tensors.values():
        data = None
        if tensor.is_constant:
            fan_in = max(1.0, np.sqrt(np.prod(tensor.shape[1:])))
            data = rng.normal(0, 1 / fan_in, tensor.shape).astype(np.float32)
            if tensor.quantization is not None and tensor.quantization.per_channel:
                # Channels of very different size, as in a network after folding batch norms.
                axis = tensor.quantization.axis or 0
                factor = 10.0 ** rng.uniform(-2, 0, tensor.shape[axis])
                data = (data * along(axis, factor, data.ndim)).astype(np.float32)
        tensors[tensor.name] = Tensor(tensor.name, tensor.shape, DType.FLOAT32, None, data)
    return verify(Graph(graph.name, tensors, graph.ops, graph.inputs, graph.outputs))


def test_every_rule_is_tried() -> None:
    assert {op.kind for op in RULED} == set(RULES)


@pytest.mark.parametrize("op", RULED, ids=lambda op: op.kind)
@pytest.mark.parametrize("seed", range(6))
def test_random_layer(op: type[Op], seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = as_float(STRATEGIES[op](rng))
    usual = SAMPLES.get(op.kind, lambda x: 3 * x)
    samples = [tuple(map(usual, sample)) for sample in normal_samples(rng, graph, 12)]
    quantized = quantize_graph(graph, samples, OPTIONS)
    for name in graph.outputs:
        noise = signal = 0.0
        for sample in samples:
            wanted = interpreter.trace(graph, sample)[name]
            actual = run_quantized(quantized.graph, sample)[name]
            noise += float(np.square(actual - wanted).sum())
            signal += float(np.square(wanted).sum())
        # A single step over the range is an error of -48 dB; clipped tails cost some more.
        assert noise <= signal * 10**-2.2, f"{name}: {noise} of {signal}"
