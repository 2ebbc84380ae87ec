"""BATCH_MATMUL: shapes, MACs, float values and the quantizer's rule."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.common import single_op_graph
from tinyc.interpreter import run
from tinyc.ir.ops import BatchMatMul
from tinyc.ir.tensor import DType, Tensor
from tinyc.quantize.scheme import check_quantizable, scaled_inputs

pytestmark = pytest.mark.unit


def matmul(x: tuple[int, ...], y: tuple[int, ...], *, adj_x: bool = False, adj_y: bool = False):  # type: ignore[no-untyped-def]
    op = BatchMatMul(name="layer", inputs=("x", "y"), outputs=("z",), adj_x=adj_x, adj_y=adj_y)
    operands = [Tensor("x", x, DType.FLOAT32), Tensor("y", y, DType.FLOAT32)]
    (shape,) = op.output_shapes(operands)
    return single_op_graph(op, [*operands, Tensor("z", shape, DType.FLOAT32)])


def test_batch_axes_broadcast_and_matrices_may_be_transposed() -> None:
    graph = matmul((2, 1, 4, 3), (5, 6, 4), adj_x=True, adj_y=True)
    (op,) = graph.ops
    assert graph["z"].shape == (2, 5, 3, 6)
    assert op.macs(graph.operands(op), graph.results(op)) == 2 * 5 * 3 * 6 * 4
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=graph[name].shape).astype(np.float32) for name in ("x", "y"))
    (z,) = run(graph, [x, y])
    assert np.allclose(z, np.einsum("abkm,cnk->acmn", x, y), atol=1e-5)


def test_depths_have_to_agree() -> None:
    with pytest.raises(ValueError, match="rows of 3 elements and columns of 4"):
        matmul((2, 3), (4, 5))
    with pytest.raises(ValueError, match="needs matrices"):
        matmul((3,), (3, 5))


def test_the_quantizer_scales_both_operands() -> None:
    graph = matmul((2, 3), (3, 4))
    check_quantizable(graph)
    assert scaled_inputs(graph.ops[0]) == ("x", "y")
