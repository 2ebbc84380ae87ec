"""Small models in float32."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, FullyConnected, Maximum
from tinyc.ir.tensor import DType, Shape, Tensor


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
