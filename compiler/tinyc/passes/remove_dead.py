"""Removes ops whose results nobody reads, and tensors that nobody names."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops import SequenceLength


def remove_dead(graph: Graph) -> Graph:
    """The ops that outputs and states depend on, and the one that says how many rows a sentence has."""
    needed = {*graph.outputs, *(state.update for state in graph.states)}
    kept = []
    for op in reversed(graph.ops):
        if needed.intersection(op.outputs) or isinstance(op, SequenceLength):
            kept.append(op)
            needed.update(op.inputs)
    return graph.rebuilt(ops=reversed(kept))
