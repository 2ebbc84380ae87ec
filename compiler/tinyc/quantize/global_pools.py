"""Global average pools as means: an int8 pool keeps its input's scale, an int8 mean has its own.

The mean of a whole feature map uses a small part of the map's range, so with a scale of its own it
keeps bits that the pool rounds away.
"""

from __future__ import annotations

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, AveragePool2D, Mean
from tinyc.ir.ops.base import Op


def pools_to_means(graph: Graph) -> Graph:
    """The graph with MEAN for every AVERAGE_POOL_2D over a whole map; the float function is the same.

    Layer and tensor names are kept. Pools with a fused activation stay.
    """
    return verify(graph.rebuilt(ops=[_replaced(graph, op) for op in graph.ops]))


def _replaced(graph: Graph, op: Op) -> Op:
    if not isinstance(op, AveragePool2D) or op.activation is not Activation.NONE:
        return op
    height, width = graph.operands(op)[0].shape[1:3]
    whole = (op.filter_height, op.filter_width) == (height, width)
    if not whole or graph.results(op)[0].shape[1:3] != (1, 1):
        return op
    return Mean(
        name=op.name, inputs=op.inputs, outputs=op.outputs, source=op.source, axes=(1, 2), keep_dims=True
    )
