"""Which channels of an op's inputs belong to which channels of its outputs.

A channel is an index along the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Concatenation,
    DepthwiseConv2D,
    Dequantize,
    Mean,
    Op,
    Pad,
    Quantize,
    Reshape,
    ResizeBilinear,
    Split,
    StridedSlice,
    Take,
    Transpose,
)
from tinyc.ir.ops.elementwise import Binary, Unary
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import Array, Tensor, TensorName


@dataclass(frozen=True, slots=True)
class Link:
    """Channel `target_channels[i]` of a result is made of `source_channels[i]` of an input alone."""

    source: TensorName
    source_channels: Array
    target: TensorName
    target_channels: Array


def channels(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def regrouped(before: int, after: int) -> tuple[Array, Array] | None:
    """The channels of the same row of elements under two extents of the last axis.

    None when neither extent divides the other: then channels mix.
    """
    if min(before, after) < 1 or max(before, after) % min(before, after):
        return None
    elements = np.arange(max(before, after))
    return elements % before, elements % after


def links(op: Op, graph: Graph) -> tuple[Link, ...] | None:
    """The links of an op that treats its channels apart, None for one that mixes them.

    A channel of the inputs without a link is not read.
    """
    if isinstance(op, Concatenation | Split):
        return _joined(op, graph)
    if isinstance(op, Binary):
        return _binary(op, graph)
    pairs = _pairs(op, graph)
    if pairs is None:
        return None
    return (Link(op.inputs[0], pairs[0], op.outputs[0], pairs[1]),)


def _pairs(op: Op, graph: Graph) -> tuple[Array, Array] | None:
    """Channels of the only activation and of the only result that belong together."""
    operands = graph.operands(op)
    if not operands or operands[0].is_constant:
        return None
    x, y = operands[0], graph.results(op)[0]
    every = np.arange(channels(y))
    if isinstance(op, Unary | Quantize | Dequantize | Pool2D | ResizeBilinear):
        return every, every
    if isinstance(op, DepthwiseConv2D):
        fixed = all(tensor.is_constant for tensor in operands[1:])
        return (every // (channels(y) // channels(x)), every) if fixed else None
    if isinstance(op, Reshape):
        return regrouped(channels(x), channels(y))
    if isinstance(op, Pad) and x.shape:
        inner = np.arange(channels(x))
        return inner, inner + op.paddings[-1][0]
    if isinstance(op, Mean):
        kept_apart = x.shape and len(x.shape) - 1 not in op.reduced(len(x.shape))
        return (every, every) if kept_apart else None
    if isinstance(op, Transpose):
        return (every, every) if op.permutation[-1:] == (len(x.shape) - 1,) else None
    if isinstance(op, StridedSlice):
        simple = op.shape and op.shape[-1] == op.size[-1] and (op.strides[-1] == 1 or op.size[-1] == 1)
        return (every + op.begin[-1], every) if simple else None
    if isinstance(op, Take) and x.shape:
        return np.array(op.indices[-1]), every
    return None


def _joined(op: Concatenation | Split, graph: Graph) -> tuple[Link, ...] | None:
    joins = isinstance(op, Concatenation)
    (whole,) = op.outputs if joins else op.inputs
    parts = op.inputs if joins else op.outputs
    if any(tensor.is_constant for tensor in graph.operands(op)):
        return None
    along_channels = op.axis == len(graph[whole].shape) - 1
    found, first = [], 0
    for part in parts:
        inner = np.arange(channels(graph[part]))
        pair = ((part, inner), (whole, inner + first))
        source, target = pair if joins else pair[::-1]
        found.append(Link(*source, *target))
        first += len(inner) if along_channels else 0
    return tuple(found)


def _binary(op: Binary, graph: Graph) -> tuple[Link, ...]:
    """A single channel that is repeated belongs to every channel of the result."""
    every = np.arange(channels(graph[op.outputs[0]]))
    return tuple(
        Link(x.name, every if channels(x) > 1 else np.zeros_like(every), op.outputs[0], every)
        for x in graph.activations(op)
    )
