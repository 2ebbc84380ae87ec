"""Layers with int16 activations, made from int8 ones."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.tensor import DType, Quantization, Tensor


def widened(tensor: Tensor) -> Tensor:
    """An int8 tensor as int16 of the same real range, with zero point 0; others stay as they are."""
    if tensor.dtype is not DType.INT8:
        return tensor
    scale = float(np.float32(tensor.scale / 256))
    data = None if tensor.data is None else tensor.data.astype(np.int16) * np.int16(256)
    return tensor.with_(dtype=DType.INT16, quantization=Quantization((scale,), (0,)), data=data)


def sometimes_int16(rng: np.random.Generator, graph: Graph) -> Graph:
    """One graph in five with int16 instead of int8."""
    if rng.random() >= 0.2:
        return graph
    tensors = {name: widened(tensor) for name, tensor in graph.tensors.items()}
    return verify(Graph(graph.name, tensors, graph.ops, graph.inputs, graph.outputs))
