"""The tap: the tensor of a graph that a head reads, kept alive to the end of an inference.

A tap is one more output of the graph, behind its own ones: planning, verification and the comparison layer
by layer cover it as they cover any output.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.errors import TinycError, nearest
from tinyc.ir import sequence
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.sequence_length import SequenceLength
from tinyc.ir.tensor import DType, Tensor, TensorName

# Kinds whose last one is a model's classifier.
_DENSE = ("FULLY_CONNECTED", "LINEAR")
LARGEST_LATENT = 1024
"""Elements: heads keep a row of so many numbers for each class."""


@dataclass(frozen=True, slots=True)
class Tap:
    """`tensor` is the latent, int8 with one scale; `layer` the layer that computes it."""

    tensor: TensorName
    layer: str


def find(graph: Graph, layer: str | None = None) -> Tap:
    """The output of `layer`, or what the last dense layer of `graph` reads.

    Raises TinycError for an unknown layer, with the nearest names, and for a tensor that is no latent: not
    int8 with one scale, of another length for each input, or larger than `LARGEST_LATENT`.
    """
    graph = graph.expanded()
    if layer is not None:
        op = named(graph, layer)
    else:
        dense = [op for op in graph.ops if op.kind in _DENSE]
        if not dense:
            raise TinycError(
                "the model has no dense layer, so nothing says what a head is to read",
                where=f"graph {graph.name}",
                hint="name a layer with --tap, or with `tap` under [learn]",
            )
        (source, *_) = [tensor.name for tensor in graph.activations(dense[-1])] or [""]
        producer = graph.producer(source)
        if producer is None:
            raise TinycError(
                f"the last dense layer `{dense[-1].name}` reads the model's input, so there is no body",
                where=f"graph {graph.name}",
                hint="name a layer with --tap, or with `tap` under [learn]",
            )
        op = producer
    tensor = graph[op.outputs[0]]
    _check(graph, tensor, op)
    return Tap(tensor.name, op.name)


def named(graph: Graph, layer: str) -> Op:
    """The layer of that name, or the one that computes the tensor of that name."""
    for op in graph.ops:
        if layer in (op.name, *op.outputs):
            return op
    names = [op.name for op in graph.ops]
    raise TinycError(
        f"there is no layer `{layer}`", where="tap", allowed=nearest(layer, names).removeprefix("allowed: ")
    )


def _check(graph: Graph, tensor: Tensor, op: Op) -> None:
    """Raise TinycError when the tensor is no latent."""
    where = f"layer `{op.name}`"
    if tensor.dtype is not DType.INT8 or tensor.quantization is None or tensor.quantization.per_channel:
        raise TinycError(
            f"its output is {tensor.dtype.value[0]}{list(tensor.shape)}, a head reads int8 of one scale",
            where=where,
            hint="name another layer with --tap, or with `tap` under [learn]",
        )
    if tensor.name in sequence.varying(graph):
        raise TinycError(
            "its output has as many rows as the sentence has tokens",
            where=where,
            allowed="the output of a pooling layer, or of a layer behind one",
        )
    if tensor.elements > LARGEST_LATENT:
        raise TinycError(
            f"its output has {tensor.elements} elements",
            where=where,
            allowed=f"at most {LARGEST_LATENT}: a layer behind pooling, or a dense one",
        )


def with_outputs(graph: Graph, *names: TensorName) -> Graph:
    """`graph` with these tensors as outputs behind its own ones; those that are outputs already stay.

    Also a graph input may be named: it then stays alive through the inference.
    """
    more = tuple(name for name in dict.fromkeys(names) if name not in graph.outputs)
    return verify(graph.rebuilt(outputs=(*graph.outputs, *more))) if more else graph


def body(graph: Graph, tensor: TensorName) -> Graph:
    """The part of `graph` that computes `tensor`, its only output; inputs stay as they are.

    What counts the tokens of a sentence stays too: no layer reads it, and it says how many rows there are.
    """
    wanted, ops = {tensor}, []
    for op in reversed(graph.ops):
        if isinstance(op, SequenceLength) or not wanted.isdisjoint(op.outputs):
            ops.append(op)
            wanted.update(op.inputs)
    return verify(graph.rebuilt(ops=tuple(reversed(ops)), outputs=(tensor,)))
