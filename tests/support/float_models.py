"""Small models in float32."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Activation,
    AveragePool2D,
    Conv2D,
    Cos,
    DepthwiseConv2D,
    Dequantize,
    Elu,
    Exp,
    FloorDiv,
    FloorMod,
    FullyConnected,
    Gelu,
    HardSwish,
    L2Normalization,
    L2Pool2D,
    Log,
    Logistic,
    LogSoftmax,
    Maximum,
    MaxPool2D,
    Op,
    Padding,
    Quantize,
    Reshape,
    Rsqrt,
    Sin,
    Softmax,
    Sqrt,
    Svdf,
    Tanh,
    UnidirectionalSequenceLstm,
)
from tinyc.ir.state import State
from tinyc.ir.tensor import DType, Quantization, Shape, Tensor


def float_constant(rng: np.random.Generator, name: str, shape: Shape) -> Tensor:
    return Tensor(name, shape, DType.FLOAT32, None, rng.normal(0, 0.5, shape).astype(np.float32))


def float_dense(rng: np.random.Generator) -> Graph:
    """Two dense layers, and a bound that each score has."""
    tensors = [
        Tensor("x", (1, 10), DType.FLOAT32),
        float_constant(rng, "w1", (16, 10)),
        float_constant(rng, "b1", (16,)),
        Tensor("hidden", (1, 16), DType.FLOAT32),
        float_constant(rng, "w2", (4, 16)),
        Tensor("scores", (1, 4), DType.FLOAT32),
        float_constant(rng, "bound", (4,)),
        Tensor("y", (1, 4), DType.FLOAT32),
    ]
    first = FullyConnected(
        name="first", inputs=("x", "w1", "b1"), outputs=("hidden",), activation=Activation.RELU
    )
    second = FullyConnected(name="second", inputs=("hidden", "w2"), outputs=("scores",))
    last = Maximum(name="last", inputs=("scores", "bound"), outputs=("y",))
    return verify(Graph("dense", {t.name: t for t in tensors}, (first, second, last), ("x",), ("y",)))


def float_keywords(rng: np.random.Generator) -> Graph:
    """A small network over features of sound [1, 12, 10, 1]: convolutions, pools, a dense layer."""
    shapes = {"x": (12, 10, 1), "a": (6, 5, 8), "b": (6, 5, 8), "c": (3, 2, 8), "d": (1, 1, 8)}
    tensors = [Tensor(name, (1, *shape), DType.FLOAT32) for name, shape in shapes.items()]
    tensors += [
        Tensor("y", (1, 4), DType.FLOAT32),
        float_constant(rng, "w1", (8, 3, 3, 1)),
        float_constant(rng, "b1", (8,)),
        float_constant(rng, "w2", (1, 3, 3, 8)),
        float_constant(rng, "w3", (4, 8)),
    ]
    ops = (
        Conv2D(
            name="spread",
            inputs=("x", "w1", "b1"),
            outputs=("a",),
            stride=(2, 2),
            padding=Padding.SAME,
            activation=Activation.RELU6,
        ),
        DepthwiseConv2D(name="look", inputs=("a", "w2"), outputs=("b",), padding=Padding.SAME),
        MaxPool2D(
            name="pick",
            inputs=("b",),
            outputs=("c",),
            filter_height=2,
            filter_width=2,
            stride_height=2,
            stride_width=2,
        ),
        AveragePool2D(name="gather", inputs=("c",), outputs=("d",), filter_height=3, filter_width=2),
        FullyConnected(name="decide", inputs=("d", "w3"), outputs=("y",)),
    )
    return verify(Graph("keywords", {t.name: t for t in tensors}, ops, ("x",), ("y",)))


def float_functions() -> Graph:
    """Every function of the float32 library, of the same 24 numbers."""
    ops: list[Op] = [
        op(name=op.kind.lower(), inputs=("x",), outputs=(op.kind.lower(),))
        for op in (
            *(
                Cos,
                Elu,
                Exp,
                Gelu,
                HardSwish,
                L2Normalization,
                Log,
                Logistic,
                LogSoftmax,
                Rsqrt,
                Sin,
                Softmax,
            ),
            *(Sqrt, Tanh),
        )
    ]
    ops.append(Gelu(name="gelu_tanh", inputs=("x",), outputs=("gelu_tanh",), approximate=True))
    tensors = {name: Tensor(name, (1, 24), DType.FLOAT32) for name in ("x", *(op.name for op in ops))}
    return verify(Graph("functions", tensors, tuple(ops), ("x",), tuple(op.name for op in ops)))


def float_between_int8() -> Graph:
    """A pool in int8, a softmax in float32, its result in int8; x [1, 4, 6, 5], y [1, 2, 3, 5]."""
    pixels = Quantization((0.05,), (-3,))
    tensors = [
        Tensor("x", (1, 4, 6, 5), DType.INT8, pixels),
        Tensor("pooled", (1, 2, 3, 5), DType.INT8, pixels),
        Tensor("real", (1, 2, 3, 5), DType.FLOAT32),
        Tensor("likely", (1, 2, 3, 5), DType.FLOAT32),
        Tensor("y", (1, 2, 3, 5), DType.INT8, Quantization((1 / 256,), (-128,))),
    ]
    pool = MaxPool2D(
        name="pool",
        inputs=("x",),
        outputs=("pooled",),
        filter_height=2,
        filter_width=2,
        stride_height=2,
        stride_width=2,
    )
    ops = (
        pool,
        Dequantize(name="in", inputs=("pooled",), outputs=("real",)),
        Softmax(name="classes", inputs=("real",), outputs=("likely",)),
        Quantize(name="out", inputs=("likely",), outputs=("y",)),
    )
    return verify(Graph("mixed", {t.name: t for t in tensors}, ops, ("x",), ("y",)))


def float_recurrent(rng: np.random.Generator) -> Graph:
    """x [1, 4, 6]: an LSTM, an SVDF of its outputs, which is divided; the squares of x are pooled."""
    shapes = {
        "x": (1, 4, 6),
        "hidden": (1, 5),
        "cell": (1, 5),
        "steps": (1, 4, 5),
        "row": (1, 20),
        "memory": (1, 18),
        "features": (1, 3),
        "whole": (1, 3),
        "rest": (1, 3),
        "image": (1, 4, 6, 1),
        "power": (1, 2, 2, 1),
    }
    states = {name: f"{name}:after" for name in ("hidden", "cell", "memory")}
    shapes |= {update: shapes[name] for name, update in states.items()}
    weights = [float_constant(rng, f"input{gate}", (5, 6)) for gate in range(4)]
    weights += [float_constant(rng, f"recurrent{gate}", (5, 5)) for gate in range(4)]
    weights += [float_constant(rng, f"bias{gate}", (5,)) for gate in range(4)]
    filters = [
        float_constant(rng, name, shape) for name, shape in (("f", (6, 20)), ("t", (6, 3)), ("b", (3,)))
    ]
    divisors = float_constant(rng, "divisors", (3,))
    tensors = [Tensor(name, shape, DType.FLOAT32) for name, shape in shapes.items()]
    ops = (
        UnidirectionalSequenceLstm(
            name="lstm",
            inputs=("x", *(tensor.name for tensor in weights), "hidden", "cell"),
            outputs=("steps", "hidden:after", "cell:after"),
        ),
        Reshape(name="flat", inputs=("steps",), outputs=("row",), shape=(1, 20)),
        Svdf(
            name="svdf",
            inputs=("row", *(tensor.name for tensor in filters), "memory"),
            outputs=("features", "memory:after"),
            rank=2,
            activation=Activation.NONE,
        ),
        FloorDiv(name="whole", inputs=("features", "divisors"), outputs=("whole",)),
        FloorMod(name="rest", inputs=("features", "divisors"), outputs=("rest",)),
        Reshape(name="image", inputs=("x",), outputs=("image",), shape=(1, 4, 6, 1)),
        L2Pool2D(
            name="power",
            inputs=("image",),
            outputs=("power",),
            filter_height=2,
            filter_width=3,
            stride_height=2,
            stride_width=3,
        ),
    )
    table = {tensor.name: tensor for tensor in (*tensors, *weights, *filters, divisors)}
    kept = tuple(State(name, after, np.zeros(shapes[name], np.float32)) for name, after in states.items())
    return verify(
        Graph("recurrent", table, ops, ("x",), ("steps", "features", "whole", "rest", "power"), kept)
    )
