"""Removes element-wise 8-bit ops that change no value, and merges two that one does as well.

Such an op is a table of 256 entries: two are compared on every value that can reach them.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Dequantize, Op, Quantize, Reshape
from tinyc.ir.ops.elementwise import Unary, limits
from tinyc.ir.tensor import Array, TensorName
from tinyc.passes.drop_identities import drop_identities
from tinyc.passes.fuse_activations import fuse_activations
from tinyc.passes.intervals import BYTES, Known, find_bounds, table
from tinyc.passes.remove_dead import remove_dead
from tinyc.passes.rewrite import uses
from tinyc.quantize.fixed_point import Rounding


def merge_requantizations(graph: Graph) -> Graph:
    """The graph without needless requantizations, and without clamps that never act.

    A merged op is one that is there already, between other tensors: QUANTIZE after QUANTIZE, RELU
    after QUANTIZE, DEQUANTIZE before QUANTIZE.
    """
    while (smaller := _merged_once(graph)) is not graph:
        graph = smaller
    return graph


def _merged_once(graph: Graph) -> Graph:
    """The graph itself when there is nothing to merge."""
    known, reads = find_bounds(graph), uses(graph)
    makers: dict[TensorName, Op] = {}
    ops = []
    for op in graph.ops:
        if isinstance(op, Unary | Quantize | Dequantize):
            maker = makers.get(op.inputs[0])
            if maker is not None and reads[op.inputs[0]] == 1:
                op = _merged(maker, op, graph, known) or op
            makers[op.outputs[0]] = op
            if _changes_nothing(op, graph, known):
                shape = graph.results(op)[0].shape
                op = Reshape(
                    name=op.name, inputs=op.inputs, outputs=op.outputs, source=op.source, shape=shape
                )
        ops.append(op)
    if tuple(ops) == graph.ops:
        return graph
    # An activation may stand right after its layer now.
    return fuse_activations(drop_identities(remove_dead(graph.rebuilt(ops=ops))))


def _changes_nothing(op: Op, graph: Graph, known: Known) -> bool:
    (x,), (y,) = graph.operands(op), graph.results(op)
    if (x.dtype, x.quantization) != (y.dtype, y.quantization):
        return False
    values, reached = _values((op,), graph), _reached(op, graph, known)
    if values is None or reached is None:
        return False
    low, high = limits(x.dtype)
    return np.array_equal(values[reached], np.arange(low, high + 1)[reached])


def _merged(first: Op, second: Op, graph: Graph, known: Known) -> Op | None:
    """One op from the operand of `first` to the result of `second`, or None when none is equal."""
    (x,), (z,) = graph.operands(first), graph.results(second)
    reached, both = _reached(first, graph, known), _values((first, second), graph)
    if reached is None or both is None or z.dtype not in BYTES:
        return None
    for op in (
        second.with_(inputs=first.inputs),
        first.with_(name=second.name, outputs=second.outputs, source=second.source),
    ):
        if isinstance(op, Quantize) or (isinstance(op, Unary) and x.dtype is z.dtype):
            alone = _values((op,), graph)
            if alone is not None and np.array_equal(alone[reached], both[reached]):
                return op
    return None


def _reached(op: Op, graph: Graph, known: Known) -> slice | None:
    """The entries of the table that the operand can reach."""
    (x,) = graph.operands(op)
    if x.name not in known:
        return None
    first = limits(x.dtype)[0]
    return slice(int(known[x.name].low.min()) - first, int(known[x.name].high.max()) - first + 1)


def _values(ops: tuple[Op, ...], graph: Graph) -> Array | None:
    """The table of ops one after the other; None without one, or when a scale cannot be computed with."""
    (x,), (y,) = graph.operands(ops[0]), graph.results(ops[0])
    if x.is_constant or x.dtype not in BYTES:
        return None
    try:
        with np.errstate(all="ignore"):
            values = table(ops[0], x, y)
            for op in ops[1:]:
                (x,), (y,) = graph.operands(op), graph.results(op)
                operands, results = (x.with_(shape=(256,)),), (y.with_(shape=(256,)),)
                (values,) = op.reference([values], operands, results, Rounding.DOUBLE)
    except (ValueError, KeyError, ArithmeticError):
        return None
    return values
