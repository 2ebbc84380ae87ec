"""A FULLY_CONNECTED behind a TRANSPOSE reads what is before it, its weights with their columns in that order.

Models from PyTorch flatten channels-first; here feature maps lie channels-last.
"""

from __future__ import annotations

import math

from tinyc.ir.graph import Graph
from tinyc.ir.ops import FullyConnected, Op, Transpose
from tinyc.ir.tensor import Shape, Tensor
from tinyc.passes.rewrite import fresh_name


def absorb_transposes(graph: Graph) -> Graph:
    """The same products, added up in another order. Other readers keep the TRANSPOSE."""
    tensors = dict(graph.tensors)
    transposes = {op.outputs[0]: op for op in graph.ops if isinstance(op, Transpose)}
    ops: list[Op] = []
    for op in graph.ops:
        transpose = transposes.get(op.inputs[0]) if isinstance(op, FullyConnected) else None
        if transpose is not None:
            assert isinstance(op, FullyConnected)
            op = _absorbed(op, transpose, graph, tensors)
        ops.append(op)
    return graph.rebuilt(ops=ops, tensors=tensors)


def _absorbed(
    op: FullyConnected, transpose: Transpose, graph: Graph, tensors: dict[str, Tensor]
) -> FullyConnected:
    x, weights = graph[transpose.inputs[0]], graph[op.inputs[1]]
    first = _row_axis(transpose.permutation, graph[op.inputs[0]].shape, weights.shape[1])
    if first is None or op.keep_num_dims or not weights.is_constant or x.is_constant:
        return op
    units, depth = weights.shape
    order = [1 + transpose.permutation.index(axis) - first for axis in range(first, len(x.shape))]
    columns = weights.constant.reshape(units, *graph[op.inputs[0]].shape[first:])
    name = fresh_name(tensors, f"{weights.name}_reordered")
    tensors[name] = weights.with_(name=name, data=columns.transpose(0, *order).reshape(units, depth))
    return op.with_(inputs=(x.name, name, *op.inputs[2:]))


def _row_axis(permutation: tuple[int, ...], shape: Shape, depth: int) -> int | None:
    """The axis at which a row of `depth` elements begins, when the axes before it stay where they are."""
    for first in range(len(shape)):
        if math.prod(shape[first:]) == depth and permutation[:first] == tuple(range(first)):
            return first
    return None
