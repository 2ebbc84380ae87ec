"""Random LOG_SOFTMAX and L2_NORMALIZATION layers: rank 1 to 4, sharp and flat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from strategies.common import activation, single_op_graph
from tinyc.ir.graph import Graph
from tinyc.ir.ops import L2Normalization, LogSoftmax, Op
from tinyc.ir.tensor import DType, Quantization, Tensor


def _rows(op: type[Op], scale: float, zero_point: int) -> Callable[[np.random.Generator], Graph]:
    def random_graph(rng: np.random.Generator) -> Graph:
        rows = tuple(int(extent) for extent in rng.integers(1, 4, int(rng.integers(0, 4))))
        depth = int(rng.choice([1, 2, 10, 12, int(rng.integers(1, 300))]))
        x = activation(rng, "x", (*rows, depth), low=1e-4, high=30.0)
        y = Tensor("y", x.shape, DType.INT8, Quantization((scale,), (zero_point,)))
        return single_op_graph(op(name="layer", inputs=("x",), outputs=("y",)), [x, y])

    return random_graph


random_log_softmax = _rows(LogSoftmax, 1 / 16, 127)
random_l2_normalization = _rows(L2Normalization, 1 / 128, 0)
