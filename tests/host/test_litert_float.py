"""float32: every operator's NumPy reference against TensorFlow Lite's reference kernels.

Bit for bit, but where TensorFlow Lite calls libm, whose results depend on the machine.
Layers with state: test_float_recurrent.py."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from strategies import FLOAT_STRATEGIES
from strategies.pairwise import with_defined_answers
from strategies.real import peculiar, usual
from support.litert import reference_outputs
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    ArgMax,
    ArgMin,
    Cast,
    Ceil,
    Conv2D,
    Cos,
    DepthwiseConv2D,
    Elu,
    Exp,
    FloorDiv,
    Gelu,
    Log,
    Logistic,
    LogSoftmax,
    Padding,
    ReduceMax,
    ReduceMin,
    Round,
    Sin,
    Softmax,
    Tanh,
)
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Shape, bits

pytestmark = pytest.mark.host

GRAPHS = 60
# LiteRT has these among its kernels for speed only.
_FAST_ONLY = (Ceil, Elu, Round)


# What TensorFlow Lite makes of these in an extreme depends on which axes there are.
_NOT_COMPARED = {
    **dict.fromkeys((ArgMax, ArgMin), np.isnan),
    Cast: lambda x: ~(np.abs(x) < 100) if x.dtype == np.float32 else np.zeros_like(x, bool),
    **dict.fromkeys((ReduceMax, ReduceMin), lambda x: ~np.isfinite(x)),
}


# Units in the last place that results may lie apart where TensorFlow Lite calls libm: of the result, or of
# the number beside it where that is larger.
_APART = {Exp: 2, Log: 2, Sin: 2, Cos: 2, Tanh: 3, Elu: 2, Logistic: 2, Gelu: 3, Softmax: 4, LogSoftmax: 4}
# Below -9 LiteRT takes e^x for 1 / (1 + e^-x).
_BESIDE: dict[type[Op], Callable[[Array], Array]] = {Logistic: np.ones_like, Gelu: np.abs, LogSoftmax: np.abs}


def _differing(op: type[Op], inputs: Sequence[Array], expected: Array, actual: Array) -> Array:
    """Which elements differ, or lie further apart than they may; bool, of the shape of the output."""
    different = (bits(expected) != bits(actual)).any(axis=-1)
    if op not in _APART:
        return different
    size = np.abs(expected)
    if op in _BESIDE:
        size = np.maximum(size, _BESIDE[op](inputs[0]))
    with np.errstate(all="ignore"):
        near = np.abs(expected - actual) <= _APART[op] * np.spacing(size)
    return np.asarray(different & ~near)


def _is_compared(graph: Graph) -> bool:
    """Explicit padding is a layer of zeros in a file, which infinite weights make NaNs of."""
    (op,) = graph.ops
    explicit = isinstance(op, Conv2D | DepthwiseConv2D) and op.padding is Padding.EXPLICIT
    return not explicit or all(np.isfinite(t.constant).all() for t in graph.operands(op) if t.is_constant)


@pytest.mark.parametrize("draw", [usual, peculiar])
@pytest.mark.parametrize(
    "op", [op for op in FLOAT_STRATEGIES if not op.state_outputs], ids=lambda op: op.kind
)
def test_the_reference_equals_tensorflow_lite(
    op: type[Op], draw: Callable[[np.random.Generator, Shape], Array]
) -> None:
    rng = np.random.default_rng(zlib.crc32(op.kind.encode()))
    for case in range(GRAPHS):
        graph = FLOAT_STRATEGIES[op](rng)
        if not _is_compared(graph):
            continue
        inputs = [
            draw(rng, graph[name].shape)
            if graph[name].dtype is DType.FLOAT32
            else rng.integers(*graph[name].dtype.limits, graph[name].shape, endpoint=True).astype(
                graph[name].dtype.numpy
            )
            for name in graph.inputs
        ]
        if op in _NOT_COMPARED:
            inputs = [np.where(_NOT_COMPARED[op](x), x.dtype.type(0), x) for x in inputs]
        if op is FloorDiv:
            graph, inputs = with_defined_answers(graph, inputs)
        expected = reference_outputs(graph, inputs, plain=op not in _FAST_ONLY)
        actual = interpreter.run(graph, inputs)
        for left, right in zip(expected, actual, strict=True):
            assert (left.dtype, left.shape) == (right.dtype, right.shape)
            wrong = np.argwhere(_differing(op, inputs, left, right))
            where = tuple(wrong[0]) if len(wrong) else ()
            assert not len(wrong), (
                f"case {case}: {len(wrong)} of {left.size} differ, first at {wrong[0].tolist()}: "
                f"TensorFlow Lite {left[where]}, tinyc {right[where]}\n{graph.ops[0]}"
            )
