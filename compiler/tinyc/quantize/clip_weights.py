"""Weights of four bits clipped: fewer of the largest, finer steps for all.

With the largest weight at the last of seven steps most others meet two or three of them. Per channel the
range with the least squared rounding error of its weights is taken, as is common for four bits (Banner,
Nahshan, Soudry, "Post training 4-bit quantization of convolutional networks for rapid-deployment", NeurIPS
2019, there from a distribution, here from the weights themselves).
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array
from tinyc.quantize.scheme import INT4_KINDS, INT4_LIMIT, RULES

# Ranges that are tried, in parts of the one that holds the largest weight.
_PARTS = np.linspace(0.4, 1.0, 31)


def clip_weights(graph: Graph) -> Graph:
    """The float graph with the weights that are to have four bits clipped; those that layers share stay."""
    replaced = {
        op.inputs[1]: graph[op.inputs[1]].with_(data=_clipped(graph, op))
        for op in graph.ops
        if op.kind in INT4_KINDS and len(graph.consumers(op.inputs[1])) == 1
    }
    return verify(graph.rebuilt(tensors=list(replaced.values())))


def _clipped(graph: Graph, op: Op) -> Array:
    weights, axis = graph[op.inputs[1]].constant.astype(np.float64), RULES[op.kind].weights_axis
    others = tuple(index for index in range(weights.ndim) if index != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True, initial=0.0)
    best, least = largest, np.full_like(largest, np.inf)
    for part in _PARTS:
        scale = np.where(largest > 0.0, part * largest / INT4_LIMIT, 1.0)
        steps = np.clip(np.rint(weights / scale), -INT4_LIMIT, INT4_LIMIT)
        error = np.square(steps * scale - weights).sum(axis=others, keepdims=True)
        best, least = np.where(error <= least, part * largest, best), np.minimum(error, least)
    clipped: Array = np.clip(weights, -best, best).astype(np.float32)
    return clipped
