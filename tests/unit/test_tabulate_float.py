"""Float functions between DEQUANTIZE and QUANTIZE become tables, and no output changes."""

from __future__ import annotations

import numpy as np
import pytest

from tinyc import interpreter, passes
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Ceil,
    Cos,
    Cumsum,
    Dequantize,
    Elu,
    Floor,
    FloorMod,
    Lookup,
    Mul,
    Neg,
    Op,
    Quantize,
    Round,
    Sin,
    Square,
)
from tinyc.ir.tensor import DType, Quantization, Tensor

pytestmark = pytest.mark.unit

X = Tensor("x", (1, 256), DType.INT8, Quantization((0.05,), (7,)))
EVERY = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)


def network(*functions: Op, result: DType = DType.INT8, outputs: tuple[str, ...] = ("y",)) -> Graph:
    """DEQUANTIZE, the functions, QUANTIZE; what they compute is called f0, f1, ..."""
    reals = [Tensor(f"f{index}", X.shape, DType.FLOAT32, None) for index in range(len(functions) + 1)]
    y = Tensor("y", X.shape, result, Quantization((0.03,), (-11 if result is DType.INT8 else 0,)))
    two = Tensor("two", (1, 1), DType.FLOAT32, None, np.full((1, 1), 2, np.float32))
    ops = (
        Dequantize(name="dequantize", inputs=("x",), outputs=("f0",)),
        *functions,
        Quantize(name="quantize", inputs=(reals[-1].name,), outputs=("y",)),
    )
    return verify(Graph("net", {t.name: t for t in (X, *reals, y, two)}, ops, ("x",), outputs))


def layer(op: type[Op], index: int = 0, *others: str) -> Op:
    return op(name=f"layer{index}", inputs=(f"f{index}", *others), outputs=(f"f{index + 1}",))


@pytest.mark.parametrize("op", [Square, Sin, Cos, Floor, Ceil, Round, Elu, Neg])
def test_a_function_is_a_table(op: type[Op]) -> None:
    graph = network(layer(op))
    (lookup,) = passes.run(graph).ops
    assert isinstance(lookup, Lookup) and (lookup.name, lookup.inputs) == ("layer0", ("x",))
    (expected,), (actual,) = interpreter.run(graph, [EVERY]), interpreter.run(passes.run(graph), [EVERY])
    assert np.array_equal(expected, actual)
    assert len(np.unique(actual)) > 8


def test_a_row_of_functions_and_a_constant_are_one_table() -> None:
    graph = network(layer(Sin), layer(Mul, 1, "two"), layer(Square, 2), layer(FloorMod, 3, "two"))
    rewritten = passes.run(graph)
    assert [op.kind for op in rewritten.ops] == ["LOOKUP"]
    (expected,), (actual,) = interpreter.run(graph, [EVERY]), interpreter.run(rewritten, [EVERY])
    assert np.array_equal(expected, actual)


def test_what_else_reads_the_reals_keeps_them() -> None:
    graph = network(layer(Square), layer(Sin, 1), outputs=("y", "f1"))
    rewritten = passes.run(graph)
    assert sorted(op.kind for op in rewritten.ops) == ["DEQUANTIZE", "LOOKUP", "SQUARE"]
    for expected, actual in zip(
        interpreter.run(graph, [EVERY]), interpreter.run(rewritten, [EVERY]), strict=True
    ):
        assert np.array_equal(expected, actual)


@pytest.mark.parametrize(
    "graph",
    [
        network(Cumsum(name="layer0", inputs=("f0",), outputs=("f1",), axis=1)),
        network(layer(Mul, 0, "f0")),
        network(layer(Square), result=DType.INT16),
        network(),
    ],
    ids=["of several values", "of two operands", "of two bytes", "none"],
)
def test_what_is_no_table_stays(graph: Graph) -> None:
    assert passes.tabulate_float(graph).ops == graph.ops
