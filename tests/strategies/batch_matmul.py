"""Random BATCH_MATMUL layers: batch axes that broadcast, constant operands, one tensor twice."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, random_zero_point, single_op_graph
from strategies.int16 import sometimes_int16
from tinyc.ir.graph import Graph
from tinyc.ir.ops import BatchMatMul
from tinyc.ir.tensor import DType, Quantization, Shape, Tensor


def _batches(rng: np.random.Generator) -> tuple[Shape, Shape]:
    """Up to three batch axes of both operands; some extents are 1, some leading axes gone."""
    shape = tuple(int(extent) for extent in rng.integers(1, 4, int(rng.integers(0, 4))))
    form = rng.integers(4)
    if form < 2:
        return shape, shape
    left, right = (tuple(1 if rng.random() < 0.4 else extent for extent in shape) for _ in range(2))
    if form == 2:
        left = left[int(rng.integers(len(left) + 1)) :]
    else:
        right = right[int(rng.integers(len(right) + 1)) :]
    return left, right


def _output(rng: np.random.Generator, shape: Shape, products: float) -> Tensor:
    """Any scale, or one that fits the spread of the sums."""
    y = activation(rng, "z", shape, low=0.01)
    if rng.random() < 0.4:
        return y
    scale = float(np.float32(products * rng.uniform(30, 200)))
    return Tensor("z", y.shape, DType.INT8, Quantization((scale,), (random_zero_point(rng),)))


def random_graph(rng: np.random.Generator) -> Graph:
    rows, columns = (int(rng.choice([1, 2, 3, 4, 5, 8, 9, 16])) for _ in range(2))
    depth = int(rng.integers(1, 20 if rng.random() < 0.7 else 100))
    before_x, before_y = _batches(rng)
    adj_x, adj_y = bool(rng.integers(2)), bool(rng.integers(2))
    x = activation(rng, "x", (*before_x, *((depth, rows) if adj_x else (rows, depth))), low=1e-3)
    y = activation(rng, "y", (*before_y, *((columns, depth) if adj_y else (depth, columns))), low=1e-3)
    inputs, form = ("x", "y"), rng.integers(4)
    if form == 0:
        x = x.with_(data=rng.integers(-128, 128, x.shape).astype(np.int8))
    elif form == 1:
        y = y.with_(data=rng.integers(-128, 128, y.shape).astype(np.int8))
    elif form == 2 and rng.random() < 0.3:
        # A matrix times its own transpose.
        y, inputs, adj_y = x, ("x", "x"), not adj_x
    op = BatchMatMul(name="layer", inputs=inputs, outputs=("z",), adj_x=adj_x, adj_y=adj_y)
    (shape,) = op.output_shapes([x, y])
    z = _output(rng, shape, x.scale * y.scale * np.sqrt(depth))
    graph = single_op_graph(op, [*{tensor.name: tensor for tensor in (x, y)}.values(), z])
    # Widened, a finer output needs a shift that TensorFlow Lite does not have.
    return sometimes_int16(rng, graph) if x.scale * y.scale < 2**14 * z.scale else graph
