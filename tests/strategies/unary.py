"""Random layers with one int8 input and one int8 output."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from strategies.common import activation, random_scale, single_op_graph
from strategies.int16 import at_times_int16, sometimes_int16, widened
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Abs,
    Elu,
    Exp,
    Gelu,
    HardSwish,
    LeakyRelu,
    Log,
    Logistic,
    Lookup,
    Neg,
    Op,
    Relu,
    Relu0To1,
    Relu6,
    ReluN1To1,
    Rsqrt,
    Sqrt,
    Tanh,
)
from tinyc.ir.tensor import DType, Quantization, Tensor


def _shape(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(extent) for extent in rng.integers(1, 8, int(rng.integers(1, 5))))


def _strategy(op: type[Op]) -> Callable[[np.random.Generator], Graph]:
    def random_graph(rng: np.random.Generator) -> Graph:
        x = activation(rng, "x", _shape(rng))
        layer = op(name="layer", inputs=("x",), outputs=("y",))
        return single_op_graph(layer, [x, activation(rng, "y", x.shape)])

    return random_graph


random_relu = at_times_int16(_strategy(Relu))
random_relu6 = at_times_int16(_strategy(Relu6))
random_relu_0_to_1 = _strategy(Relu0To1)
random_relu_n1_to_1 = _strategy(ReluN1To1)
random_abs = at_times_int16(_strategy(Abs))
random_elu = _strategy(Elu)
random_log = at_times_int16(_strategy(Log))


def random_exp(rng: np.random.Generator) -> Graph:
    """Powers of int16 stay within float32, as TensorFlow Lite's table needs them."""
    graph = sometimes_int16(rng, _strategy(Exp)(rng))
    x = graph["x"]
    if x.dtype is DType.INT8 or x.scale < 88 / 32768:
        return graph
    x = x.with_(quantization=Quantization((random_scale(rng, 1e-5, 88 / 32768),), (0,)))
    return single_op_graph(graph.ops[0], [x, graph["y"]])


def _from_zero_on(op: type[Op]) -> Callable[[np.random.Generator], Graph]:
    """LiteRT refuses to compute roots of negative numbers."""

    def random_graph(rng: np.random.Generator) -> Graph:
        graph = _strategy(op)(rng)
        x = graph["x"].with_(quantization=Quantization((graph["x"].scale,), (-128,)))
        return single_op_graph(graph.ops[0], [x, graph["y"]])

    return random_graph


random_sqrt = _from_zero_on(Sqrt)


def random_rsqrt(rng: np.random.Generator) -> Graph:
    """With int16, also so fine an output that no root fits."""
    graph = _from_zero_on(Rsqrt)(rng)
    if rng.random() < 0.8:
        return graph
    x, y = widened(graph["x"]), widened(graph["y"])
    scale = float(np.float32(10.0 ** rng.uniform(-9, -2) / np.sqrt(x.scale)))
    return single_op_graph(graph.ops[0], [x, y.with_(quantization=Quantization((scale,), (0,)))])


def random_neg(rng: np.random.Generator) -> Graph:
    x = activation(rng, "x", _shape(rng))
    x = x.with_(quantization=Quantization((x.scale,), (0,)))
    x = widened(x) if rng.random() < 0.3 else x
    return single_op_graph(Neg(name="layer", inputs=("x",), outputs=("y",)), [x, x.with_(name="y")])


def random_gelu(rng: np.random.Generator) -> Graph:
    x = activation(rng, "x", _shape(rng))
    layer = Gelu(name="layer", inputs=("x",), outputs=("y",), approximate=bool(rng.integers(2)))
    return sometimes_int16(rng, single_op_graph(layer, [x, activation(rng, "y", x.shape)]))


def _fixed_output(op: type[Op], scale: float, zero_point: int) -> Callable[[np.random.Generator], Graph]:
    def random_graph(rng: np.random.Generator) -> Graph:
        x = activation(rng, "x", _shape(rng))
        layer = op(name="layer", inputs=("x",), outputs=("y",))
        output = Quantization((scale,), (zero_point,))
        if rng.random() < 0.3:
            x, output = widened(x), Quantization((2.0**-15,), (0,))
            if rng.random() < 0.5:
                x = x.with_(quantization=Quantization((2.0 ** -float(rng.integers(10, 14)),), (0,)))
        y = x.with_(name="y", quantization=output)
        return single_op_graph(layer, [x, y])

    return random_graph


random_logistic = _fixed_output(Logistic, 1 / 256, -128)
random_tanh = _fixed_output(Tanh, 1 / 128, 0)


def random_leaky_relu(rng: np.random.Generator) -> Graph:
    x = activation(rng, "x", _shape(rng))
    alpha = float(np.float32(rng.choice([0.01, 0.1, 0.3, 0.5, 1.5, -0.5])))
    layer = LeakyRelu(name="layer", inputs=("x",), outputs=("y",), alpha=alpha)
    return sometimes_int16(rng, single_op_graph(layer, [x, activation(rng, "y", x.shape)]))


def random_hard_swish(rng: np.random.Generator) -> Graph:
    x = activation(rng, "x", _shape(rng))
    layer = HardSwish(name="layer", inputs=("x",), outputs=("y",))
    y: Tensor = activation(rng, "y", x.shape)
    scale = max(y.scale, x.scale / 100, random_scale(rng, 1e-3, 1e-2))
    y = y.with_(quantization=Quantization((float(np.float32(scale)),), (y.zero_point,)))
    return single_op_graph(layer, [x, y])


def random_lookup(rng: np.random.Generator) -> Graph:
    x = activation(rng, "x", _shape(rng))
    table = tuple(int(y) for y in rng.integers(-128, 128, 256))
    layer = Lookup(name="layer", inputs=("x",), outputs=("y",), table=table)
    return single_op_graph(layer, [x, activation(rng, "y", x.shape)])
