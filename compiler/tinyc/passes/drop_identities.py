"""Removes ops that give their input back, and reshapes that the reader does not care about."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Cast,
    Concatenation,
    FullyConnected,
    Op,
    Pad,
    Quantize,
    Reshape,
    Split,
    StridedSlice,
    Take,
    Transpose,
)
from tinyc.ir.tensor import TensorName
from tinyc.passes.rewrite import with_inputs_renamed


def is_identity(op: Op, graph: Graph) -> bool:
    """True when the op's only output equals its only input: bytes, shape, type and quantization."""
    if len(op.inputs) != 1 or len(op.outputs) != 1:
        return False
    (x,), (y,) = graph.operands(op), graph.results(op)
    if (x.shape, x.dtype, x.quantization) != (y.shape, y.dtype, y.quantization) or x.is_constant:
        return False
    if isinstance(op, Transpose):
        return _keeps_order(op, graph)
    if isinstance(op, StridedSlice):
        return all(step == 1 for step, count in zip(op.strides, op.size, strict=True) if count > 1)
    if isinstance(op, Quantize):
        # A change of type is no identity, and floats are not quantized to floats.
        return x.quantization is not None
    if isinstance(op, Take):
        return all(positions == tuple(range(len(positions))) for positions in op.indices)
    return isinstance(op, Cast | Concatenation | Pad | Reshape | Split)


def _keeps_order(op: Transpose, graph: Graph) -> bool:
    """True when only axes of extent 1 move, so that the elements keep their order."""
    shape = graph[op.inputs[0]].shape
    moved = [axis for axis in op.permutation if shape[axis] != 1]
    return moved == sorted(moved)


def _as_reshape(op: Op, graph: Graph) -> Op:
    """A TRANSPOSE that keeps the order of the elements is a RESHAPE."""
    if not isinstance(op, Transpose) or not _keeps_order(op, graph):
        return op
    (result,) = graph.results(op)
    return Reshape(name=op.name, inputs=op.inputs, outputs=op.outputs, source=op.source, shape=result.shape)


def _ignores_shape(op: Op) -> bool:
    """True for a reader that sees its first input as a plain row of elements."""
    return isinstance(op, Reshape) or (isinstance(op, FullyConnected) and not op.keep_num_dims)


def drop_identities(graph: Graph) -> Graph:
    """The graph without identities; readers that ignore the shape read past reshapes."""
    ops = [_as_reshape(op, graph) for op in graph.ops]
    past: dict[TensorName, TensorName] = {}
    for op in ops:
        if isinstance(op, Reshape) and graph[op.inputs[0]].quantization == graph[op.outputs[0]].quantization:
            past[op.outputs[0]] = past.get(op.inputs[0], op.inputs[0])
    computed = {name for op in ops for name in op.outputs}
    # A copy of a state may be read after the update.
    states = {state.name for state in graph.states}
    renamed: dict[TensorName, TensorName] = {}
    results: dict[TensorName, TensorName] = {}
    kept = []
    for op in ops:
        if _ignores_shape(op):
            first = past.get(op.inputs[0], op.inputs[0])
            if not graph[first].is_constant:
                op = op.with_(inputs=(first, *op.inputs[1:]))
        op = with_inputs_renamed(op, renamed)
        if is_identity(op, graph) and op.inputs[0] not in states:
            (source,), (target,) = op.inputs, op.outputs
            if target not in graph.outputs:
                renamed[target] = source
                continue
            if source in computed and source not in graph.outputs and source not in results:
                # The output keeps its name: the producer writes it.
                results[source] = target
                continue
        kept.append(op)
    ops = []
    for op in kept:
        op = with_inputs_renamed(op, results)
        outputs = tuple(results.get(name, name) for name in op.outputs)
        ops.append(op if outputs == op.outputs else op.with_(outputs=outputs))
    unused = _without_unread_reshapes(ops, graph)
    return graph.rebuilt(ops=unused)


def _without_unread_reshapes(ops: list[Op], graph: Graph) -> list[Op]:
    """Drops reshapes that everybody now reads past, from the last to the first."""
    needed = set(graph.outputs)
    kept: list[Op] = []
    for op in reversed(ops):
        if isinstance(op, Reshape) and not needed.intersection(op.outputs):
            continue
        needed.update(op.inputs)
        kept.append(op)
    return kept[::-1]
