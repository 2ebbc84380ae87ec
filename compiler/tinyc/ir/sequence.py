"""Sentences: which tensors of a graph have one row for each token, and the graph's rows at a real length.

A graph that holds a SEQUENCE_LENGTH op is declared for its longest sentence. Tensors that vary with the
length have shape [1, n, ...]; only the rows of the sentence are ever computed, those behind it are undefined.
"""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops.embedding import Embedding
from tinyc.ir.ops.sequence_length import SequenceLength
from tinyc.ir.tensor import Tensor, TensorName

TRANSFORMER_KINDS = frozenset(
    {
        "ATTENTION",
        "DEPTHWISE_CONV_1D",
        "EMBEDDING",
        "LAYER_NORM",
        "LINEAR",
        "RMS_NORM",
        "SEQUENCE_LENGTH",
        "TOKEN_POOL",
    }
)


def length_op(graph: Graph) -> SequenceLength | None:
    """The op that counts the tokens; None in a graph whose rows are always all there."""
    return next((op for op in graph.ops if isinstance(op, SequenceLength)), None)


def longest(graph: Graph) -> int:
    """Rows of the longest sentence, 0 in a graph without sentences."""
    op = length_op(graph)
    return graph[op.inputs[0]].shape[1] if op is not None else 0


def varying(graph: Graph) -> frozenset[TensorName]:
    """The activations that have as many rows as the sentence has tokens."""
    op = length_op(graph)
    if op is None:
        return frozenset()
    rows, found = longest(graph), {op.inputs[0]}
    for other in graph.ops:
        if found.isdisjoint(other.inputs):
            continue
        found.update(name for name in other.outputs if _has_rows(graph[name], rows))
    # One row is the same at every length.
    return frozenset(found) if rows > 1 else frozenset()


def row_constants(graph: Graph) -> frozenset[TensorName]:
    """The constants with a row for each token: a sentence reads its first rows."""
    rows, found = longest(graph), varying(graph)
    return frozenset(
        name
        for op in graph.ops
        for name in op.inputs
        if graph[name].is_constant and _has_rows(graph[name], rows) and not found.isdisjoint(op.outputs)
    )


def _has_rows(tensor: Tensor, rows: int) -> bool:
    return len(tensor.shape) == 3 and tensor.shape[:2] == (1, rows)


def cut(tensor: Tensor, rows: int) -> Tensor:
    """A varying tensor, or a constant with its rows, as it is in a sentence of `rows` tokens."""
    data = None if tensor.data is None else tensor.data[:, :rows]
    return tensor.with_(shape=(tensor.shape[0], rows, *tensor.shape[2:]), data=data)


def is_transformer(graph: Graph) -> bool:
    """True for graphs with layers that only transformers have."""
    return any(op.kind in TRANSFORMER_KINDS for op in graph.ops)


def vocabulary(graph: Graph, name: TensorName) -> int | None:
    """How many tokens there are when the tensor holds token ids, None for other tensors."""
    whole = graph.expanded()
    for op in whole.ops:
        if isinstance(op, Embedding) and op.inputs[0] == name:
            return whole[op.inputs[1]].shape[0]
    return None
