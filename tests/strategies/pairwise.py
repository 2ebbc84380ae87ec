"""Random layers of two tensors that broadcast: comparisons, extremes, quotients, slopes; choices and sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from strategies.common import activation, random_scale, random_zero_point, single_op_graph
from strategies.elementwise import integers, operand_shapes, plain, random_activation, with_constant
from strategies.int16 import sometimes_int16, widened
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Activation,
    AddN,
    Div,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    Prelu,
    Rsqrt,
    SelectV2,
    SquaredDifference,
)
from tinyc.ir.ops.comparison import Comparison, Equal, NotEqual
from tinyc.ir.ops.elementwise import broadcast_shape
from tinyc.ir.ops.extremes import Extreme
from tinyc.ir.ops.floored import Floored
from tinyc.ir.tensor import Array, DType, Quantization, Tensor
from tinyc.quantize.fixed_point import INT32_MAX

Strategy = Callable[[np.random.Generator], Graph]


def comparison(op: type[Comparison]) -> Strategy:
    def random_graph(rng: np.random.Generator) -> Graph:
        left_shape, right_shape = operand_shapes(rng)
        types = (DType.INT8, DType.INT16, DType.INT32, DType.BOOL)[: 4 if op in (Equal, NotEqual) else 3]
        dtype = types[int(rng.integers(len(types)))]
        if dtype in (DType.INT8, DType.INT16):
            left, right = activation(rng, "left", left_shape), activation(rng, "right", right_shape)
            if dtype is DType.INT16:
                left, right = widened(left), widened(right)
            if dtype not in op.real_types or rng.random() < 0.5:
                right = right.with_(quantization=left.quantization)
        else:
            left, right = plain("left", left_shape, dtype), plain("right", right_shape, dtype)
        y = plain("y", broadcast_shape(left_shape, right_shape), DType.BOOL)
        layer = op(name="layer", inputs=("left", "right"), outputs=("y",))
        return single_op_graph(layer, [*with_constant(rng, left, right), y])

    return random_graph


def extreme(op: type[Extreme]) -> Strategy:
    def random_graph(rng: np.random.Generator) -> Graph:
        left_shape, right_shape = operand_shapes(rng)
        types = (DType.INT8, DType.INT16, DType.INT32)
        dtype = DType.BOOL if op in (LogicalAnd, LogicalOr) else types[int(rng.integers(3))]
        quantization = None
        if dtype in (DType.INT8, DType.INT16):
            zero_point = random_zero_point(rng) if dtype is DType.INT8 else 0
            quantization = Quantization((random_scale(rng),), (zero_point,))
        shapes = {"left": left_shape, "right": right_shape, "y": broadcast_shape(left_shape, right_shape)}
        left, right, y = (Tensor(name, shape, dtype, quantization) for name, shape in shapes.items())
        layer = op(name="layer", inputs=("left", "right"), outputs=("y",))
        return single_op_graph(layer, [*with_constant(rng, left, right), y])

    return random_graph


def floored(op: type[Floored]) -> Strategy:
    def random_graph(rng: np.random.Generator) -> Graph:
        left_shape, right_shape = operand_shapes(rng)
        shapes = {"left": left_shape, "right": right_shape, "y": broadcast_shape(left_shape, right_shape)}
        left, right, y = (plain(name, shape, DType.INT32) for name, shape in shapes.items())
        layer = op(name="layer", inputs=("left", "right"), outputs=("y",))
        return single_op_graph(layer, [*with_constant(rng, left, right), y])

    return random_graph


def random_squared_difference(rng: np.random.Generator) -> Graph:
    if rng.random() < 0.2:
        return integers(rng, SquaredDifference, Activation.NONE)
    left_shape, right_shape = operand_shapes(rng)
    left, right = activation(rng, "left", left_shape), activation(rng, "right", right_shape)
    y = activation(rng, "y", broadcast_shape(left_shape, right_shape))
    layer = SquaredDifference(name="layer", inputs=("left", "right"), outputs=("y",))
    return sometimes_int16(rng, single_op_graph(layer, [*with_constant(rng, left, right), y]))


def random_prelu(rng: np.random.Generator) -> Graph:
    shape, alpha_shape = operand_shapes(rng)
    shape = broadcast_shape(shape, alpha_shape)
    x, alpha = activation(rng, "left", shape), activation(rng, "right", alpha_shape)
    y = activation(rng, "y", shape)
    if rng.random() < 0.2:
        x, y = widened(x), widened(y)
    layer = Prelu(name="layer", inputs=("left", "right"), outputs=("y",))
    return single_op_graph(layer, [*with_constant(rng, x, alpha), y])


def random_div(rng: np.random.Generator) -> Graph:
    if rng.random() < 0.2:
        return integers(rng, Div, random_activation(rng))
    left_shape, right_shape = operand_shapes(rng)
    left, right = activation(rng, "left", left_shape), activation(rng, "right", right_shape)
    # A coarser output makes TensorFlow Lite shift by more than 31 bits, with any answer.
    coarsest = left.scale / right.scale / 64
    y = activation(rng, "y", broadcast_shape(left_shape, right_shape), low=coarsest / 1e4, high=coarsest)
    layer = Div(name="layer", inputs=("left", "right"), outputs=("y",), activation=random_activation(rng))
    return single_op_graph(layer, [*with_constant(rng, left, right), y])


def with_defined_answers(graph: Graph, inputs: Sequence[Array]) -> tuple[Graph, list[Array]]:
    """The same without what TensorFlow Lite leaves open: divisions by zero, roots of negative numbers."""
    if isinstance(graph.ops[0], Rsqrt):
        zero = graph[graph.inputs[0]].zero_point
        return graph, [np.maximum(data, zero).astype(data.dtype) for data in inputs]
    dividends = {op.inputs[0] for op in graph.ops if isinstance(op, Floored)}
    divisors = {op.inputs[1]: graph[op.inputs[1]] for op in graph.ops if isinstance(op, Div | Floored)}

    def defined(name: str, data: Array) -> Array:
        if name in dividends and data.dtype == np.int32:
            # -2^31 / -1 is no int32.
            data = np.maximum(data, -INT32_MAX).astype(np.int32)
        if name not in divisors:
            return data
        zero = 0 if divisors[name].quantization is None else divisors[name].zero_point
        return np.where(data == zero, zero - 1 if zero > 0 else zero + 1, data).astype(data.dtype)

    tensors = {
        name: tensor.with_(data=defined(name, tensor.constant)) if tensor.is_constant else tensor
        for name, tensor in graph.tensors.items()
    }
    changed = Graph(graph.name, tensors, graph.ops, graph.inputs, graph.outputs)
    return changed, [defined(name, data) for name, data in zip(graph.inputs, inputs, strict=True)]


def random_logical_not(rng: np.random.Generator) -> Graph:
    shape, _ = operand_shapes(rng)
    layer = LogicalNot(name="layer", inputs=("x",), outputs=("y",))
    return single_op_graph(layer, [plain(name, shape, DType.BOOL) for name in ("x", "y")])


def random_select(rng: np.random.Generator) -> Graph:
    left_shape, right_shape = operand_shapes(rng)
    y_shape = broadcast_shape(left_shape, right_shape)
    shapes = [y_shape, (1,), left_shape, right_shape]
    condition = plain("condition", shapes[int(rng.integers(4))], DType.BOOL)
    dtype = (DType.INT8, DType.INT16, DType.INT32)[int(rng.integers(3))]
    quantization = None
    if dtype is not DType.INT32:
        quantization = Quantization((random_scale(rng),), (0,))
    left, right = (
        Tensor(name, shape, dtype, quantization)
        for name, shape in (("left", left_shape), ("right", right_shape))
    )
    y = Tensor("y", y_shape, dtype, quantization)
    layer = SelectV2(name="layer", inputs=("condition", "left", "right"), outputs=("y",))
    return single_op_graph(layer, [*with_constant(rng, condition, left, right), y])


def random_add_n(rng: np.random.Generator) -> Graph:
    shape, _ = operand_shapes(rng)
    first = activation(rng, "x0", shape)
    first = first.with_(quantization=Quantization((first.scale,), (0,)))
    operands = [replace(first, name=f"x{i}") for i in range(int(rng.integers(2, 6)))]
    layer = AddN(name="layer", inputs=tuple(x.name for x in operands), outputs=("y",))
    return single_op_graph(layer, [*operands, activation(rng, "y", shape)])
