"""Functions of single values in float32, between a DEQUANTIZE and a QUANTIZE, become one table.

Converters leave an operator without a quantized form in float32 and put those two around it. With one byte
in and one byte out all that happens between them is 256 results, which the references give.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Dequantize, Lookup, Op, Quantize
from tinyc.ir.ops.elementwise import Pairwise, Unary, on_row
from tinyc.ir.tensor import Array, DType
from tinyc.passes.remove_dead import remove_dead
from tinyc.passes.rewrite import uses
from tinyc.quantize.lookup_table import byte_order

_BYTES = (DType.INT8, DType.UINT8)


def tabulate_float(graph: Graph) -> Graph:
    """The graph with a LOOKUP for every such row."""
    ops = []
    for op in graph.ops:
        row = _row(op, graph)
        ops.append(op if row is None else _lookup(row, graph))
    return remove_dead(graph.rebuilt(ops=ops))


def _row(last: Op, graph: Graph) -> list[Op] | None:
    """DEQUANTIZE, at least one function, and this QUANTIZE; None where it does not end such a row."""
    if not isinstance(last, Quantize) or graph.results(last)[0].dtype not in _BYTES:
        return None
    row: list[Op] = [last]
    while True:
        (name,) = (tensor.name for tensor in graph.activations(row[0]))
        before = graph.producer(name)
        if isinstance(before, Dequantize) and graph.operands(before)[0].dtype in _BYTES:
            return [before, *row] if len(row) > 1 else None
        if before is None or not _is_function(before, graph):
            return None
        row.insert(0, before)


def _is_function(op: Op, graph: Graph) -> bool:
    """It computes each element from one other, and from constants that are the same for all."""
    if not isinstance(op, Unary | Pairwise):
        return False
    activations = graph.activations(op)
    constants = [tensor for tensor in graph.operands(op) if tensor.is_constant]
    return (
        len(activations) == 1
        and activations[0].shape == graph.results(op)[0].shape
        and all(tensor.elements == 1 for tensor in constants)
    )


def _lookup(row: list[Op], graph: Graph) -> Lookup:
    (source,) = graph.operands(row[0])
    x: Array = byte_order(source.dtype is DType.INT8).astype(source.dtype.numpy)
    with np.errstate(all="ignore"):
        for op in row:
            x = on_row(op, graph.operands(op), graph.results(op), x)
    function, last = row[1], row[-1]
    # The name of the function, where it is not needed for what else reads it.
    reads = uses(graph)
    alone = all(reads[op.outputs[0]] == 1 for op in row[1:-1])
    return Lookup(
        name=function.name if alone else last.name,
        inputs=(source.name,),
        outputs=last.outputs,
        source=function.source,
        table=tuple(int(y) for y in x),
    )
