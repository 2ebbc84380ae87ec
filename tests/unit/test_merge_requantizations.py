"""Requantizations that one op does as well as two, and clamps that never act."""

from __future__ import annotations

import numpy as np
import pytest

from support.planted import Planted
from tinyc import interpreter
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Add, Conv2D, Dequantize, LeakyRelu, Op, Quantize, Relu, Relu6, Tanh
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.passes.merge_requantizations import merge_requantizations

pytestmark = pytest.mark.unit

ALL = np.arange(-128, 128).astype(np.int8).reshape(1, 4, 4, 16)


def chain(*steps: tuple[type[Op], float, int], scale: float = 0.1, zero_point: int = 0) -> Graph:
    """Element-wise ops one after the other, each with the scale and zero point of its result."""
    net = Planted(np.random.default_rng(0), ALL.shape)
    x = net.tensors["x"] = net.tensors["x"].with_(quantization=Quantization((scale,), (zero_point,)))
    for op, new_scale, new_zero_point in steps:
        like = x.with_(quantization=Quantization((new_scale,), (new_zero_point,)))
        x = net.add(op, x, like=like)
        if op is Dequantize:
            x = net.tensors[x.name] = Tensor(x.name, x.shape, DType.FLOAT32)
    return net.graph(x)


def merged(graph: Graph) -> list[str]:
    """The kinds of ops that are left. The output is the same for each of the 256 values."""
    after = verify(merge_requantizations(graph))
    assert np.array_equal(interpreter.run(graph, [ALL])[0], interpreter.run(after, [ALL])[0])
    assert merge_requantizations(after) == after
    return [op.kind for op in after.ops]


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        # Nothing is lost on the way to the same scale, moved by 9.
        ([(Quantize, 0.1, 0), (Quantize, 0.1, 9)], ["QUANTIZE"]),
        # A coarser one does: 0.1 to 0.3 and back is not the identity.
        ([(Quantize, 0.3, 0), (Quantize, 0.1, 0)], ["QUANTIZE", "QUANTIZE"]),
        # Two roundings, 0.1 to 0.16 to 0.4, are not one.
        ([(Quantize, 0.16, 0), (Quantize, 0.4, 0)], ["QUANTIZE", "QUANTIZE"]),
        ([(Quantize, 0.2, 0), (Relu, 0.2, 0)], ["RELU"]),
        ([(Relu, 0.1, 0), (Quantize, 0.2, 0)], ["RELU"]),
        ([(Relu, 0.1, 0), (Relu6, 0.1, 0)], ["RELU6"]),
        # Real numbers round once, integers twice.
        ([(Dequantize, 1, 0), (Quantize, 0.25, 0)], ["DEQUANTIZE", "QUANTIZE"]),
        ([(Dequantize, 1, 0), (Quantize, 0.05, 0)], ["QUANTIZE"]),
        ([(Tanh, 1 / 128, 0), (Quantize, 1 / 128, 5)], ["TANH"]),
        # Saturation at 127 on the way is seen.
        ([(Quantize, 0.1, 100), (Quantize, 0.1, 0)], ["QUANTIZE", "QUANTIZE"]),
    ],
)
def test_two_that_one_does_as_well(steps: list[tuple[type[Op], float, int]], left: list[str]) -> None:
    assert merged(chain(*steps)) == left


def test_a_round_trip_is_nothing() -> None:
    """The result stays an output of the graph, so that its values are still moved there."""
    assert merged(chain((Dequantize, 1, 0), (Quantize, 0.1, 0))) == ["RESHAPE"]
    assert merged(chain((Tanh, 1 / 128, 0), (Dequantize, 1, 0), (Quantize, 1 / 128, 0))) == ["TANH"]


@pytest.mark.parametrize("zero_point", [-128, -3])
def test_a_clamp_that_never_acts_goes(zero_point: int) -> None:
    """After RELU6 with the same scale neither RELU nor LEAKY_RELU nor RELU6 changes a value."""
    net = Planted(np.random.default_rng(0), ALL.shape)
    x = net.tensors["x"]
    like = x.with_(quantization=Quantization((0.05,), (zero_point,)))
    filters = net.constant(np.full((16, 1, 1, 16), 40, np.int8), Quantization((0.01,), (0,)))
    y = net.add(Conv2D, x, filters, like=like)
    a = net.add(Relu6, y, like=like)
    b = net.add(Relu, a, like=like)
    c = net.add(Relu6, b, like=like)
    d = net.add(LeakyRelu, c, like=like, alpha=0.1)
    # Read twice, so that nothing fuses; Add reads what is left of the chain.
    graph = net.graph(y, net.add(Add, a, d, like=like))
    assert merged(graph) == ["CONV_2D", "RELU6", "ADD"]


def test_an_intermediate_that_others_read_stays() -> None:
    graph = chain((Quantize, 0.2, 0), (Relu, 0.2, 0))
    graph = graph.rebuilt(outputs=("v0", "v1"))
    assert merged(graph) == ["QUANTIZE", "RELU"]


def test_random_chains() -> None:
    rng = np.random.default_rng(4)
    shorter = 0
    for _ in range(150):
        scales, kinds = [0.05, 0.1, 0.1, 0.2, 0.13], (Quantize, Quantize, Relu, Relu6, Tanh, LeakyRelu)
        net = Planted(rng, ALL.shape)
        x = net.tensors["x"]
        for _ in range(int(rng.integers(2, 6))):
            quantization = Quantization((float(rng.choice(scales)),), (int(rng.choice([-128, 0, 0, 7])),))
            op = kinds[int(rng.integers(len(kinds)))]
            fields = {"alpha": 0.25} if op is LeakyRelu else {}
            x = net.add(op, x, like=x.with_(quantization=quantization), **fields)
        graph = net.graph(x)
        shorter += len(merged(graph)) < len(graph.ops)
    assert 20 < shorter < 150
