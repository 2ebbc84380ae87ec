"""Pairs of layers that one kernel may compute, without the tensor between them.

`tinyc.selection` says which pairs it pays for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D


def fusible(graph: Graph) -> Mapping[int, ConvDepthwise2D]:
    """The fused op by the index of its first part; its second part is the op that follows. No two overlap."""
    found = {}
    for index, (first, second) in enumerate(zip(graph.ops, graph.ops[1:], strict=False)):
        if not isinstance(first, Conv2D) or not isinstance(second, DepthwiseConv2D):
            continue
        (between,) = first.outputs
        constants = all(graph[name].is_constant for name in second.inputs[1:])
        alone = graph.consumers(between) == (second,) and between not in graph.outputs
        if second.inputs[0] == between and constants and alone:
            found[index] = ConvDepthwise2D.of(first, second, graph[between])
    return found


def fuse(graph: Graph, firsts: Collection[int]) -> Graph:
    """The graph with the pairs that begin at these indices fused. Raises KeyError where there is none."""
    if not firsts:
        return graph
    pairs = fusible(graph)
    ops: list[Op] = []
    for index, op in enumerate(graph.ops):
        if index in firsts:
            ops.append(pairs[index])
        elif index - 1 not in firsts:
            ops.append(op)
    return graph.rebuilt(ops=ops)
