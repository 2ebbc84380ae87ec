"""Random SOFTMAX layers: rank 1 to 4, sharp and flat, beta other than 1."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.int16 import widened
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Softmax
from tinyc.ir.tensor import DType, Quantization, Tensor


def random_graph(rng: np.random.Generator) -> Graph:
    rows = tuple(int(extent) for extent in rng.integers(1, 4, int(rng.integers(0, 4))))
    depth = int(rng.choice([1, 2, 10, 12, int(rng.integers(1, 300))]))
    x = activation(rng, "x", (*rows, depth), low=1e-4)
    y = Tensor("y", x.shape, DType.INT8, Quantization((1 / 256,), (-128,)))
    beta = float(np.float32(rng.choice([1.0, 1.0, 0.1, 0.5, 2.0, 10.0])))
    if rng.random() < 0.3:
        x = widened(x)
        y = y.with_(dtype=DType.INT16, quantization=Quantization((2.0**-15,), (0,)))
    return single_op_graph(Softmax(name="layer", inputs=("x",), outputs=("y",), beta=beta), [x, y])
