"""Repeats a norm whose rows become keys and values as well as queries.

Keys and values are needed for all rows before the first query is. With a norm of their own the queries are
computed beside the attention, a few rows at a time, and the normalised rows need no memory in between.
"""

from __future__ import annotations

from dataclasses import replace

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Attention, Linear, Op
from tinyc.ir.ops.norm import Norm
from tinyc.ir.tensor import TensorName
from tinyc.passes.rewrite import fresh_name


def repeat_norms(graph: Graph) -> Graph:
    """The graph with a second norm for the readers that make neither keys nor values."""
    tensors, ops, moved = dict(graph.tensors), list[Op](), dict[str, tuple[TensorName, TensorName]]()
    names = {op.name for op in graph.ops}
    for op in graph.ops:
        if op.name in moved:
            before, after = moved[op.name]
            op = op.with_(inputs=tuple(after if name == before else name for name in op.inputs))
        ops.append(op)
        if not isinstance(op, Norm):
            continue
        others = _other_readers(graph, op)
        if not others:
            continue
        (name,) = op.outputs
        again = fresh_name(tensors, f"{name}/again")
        tensors[again] = replace(graph[name], name=again)
        label = f"{op.name}/again"
        while label in names:
            label += "_"
        names.add(label)
        ops.append(op.with_(name=label, outputs=(again,)))
        moved |= {reader.name: (name, again) for reader in others}
    return graph.rebuilt(ops=ops, tensors=tensors) if moved else graph


def _other_readers(graph: Graph, norm: Norm) -> tuple[Op, ...]:
    """Readers that make no keys or values, where there are readers that do and all are linear."""
    (name,) = norm.outputs
    readers = graph.consumers(name)
    if name in graph.outputs or not all(isinstance(op, Linear) and not op.residual for op in readers):
        return ()
    others = tuple(op for op in readers if not _is_read_whole(graph, op.outputs[0]))
    return others if len(others) < len(readers) else ()


def _is_read_whole(graph: Graph, name: TensorName) -> bool:
    return any(isinstance(op, Attention) and name in op.inputs[1:] for op in graph.consumers(name))
