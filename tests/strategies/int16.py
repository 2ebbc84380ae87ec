"""Layers with int16 activations, made from int8 ones."""

from __future__ import annotations

from collections.abc import Callable

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


def with_int16_activations(tensor: Tensor) -> Tensor:
    """A tensor of a layer with int8 weights: activations as int16, a bias in 64 bits."""
    if tensor.dtype is not DType.INT32:
        return tensor if tensor.is_constant else widened(tensor)
    # TensorFlow Lite narrows the scaled sum to 32 bits, which wraps for biases near the limits.
    data = np.clip(tensor.constant, -(2**20), 2**20).astype(np.int64) * 256
    assert tensor.quantization is not None
    scales = tuple(float(np.float32(scale / 256)) for scale in tensor.quantization.scale)
    quantization = Quantization(scales, (0,) * len(scales), tensor.quantization.axis)
    return tensor.with_(dtype=DType.INT64, data=data, quantization=quantization)


def _rebuilt(graph: Graph, change: Callable[[Tensor], Tensor]) -> Graph:
    tensors = {name: change(tensor) for name, tensor in graph.tensors.items()}
    return verify(Graph(graph.name, tensors, graph.ops, graph.inputs, graph.outputs))


def sometimes_weighted_int16(
    random_graph: Callable[[np.random.Generator], Graph],
) -> Callable[[np.random.Generator], Graph]:
    """A strategy of layers with int8 weights whose activations are int16 in one graph out of eight."""

    def drawn(rng: np.random.Generator) -> Graph:
        graph = random_graph(rng)
        return _rebuilt(graph, with_int16_activations) if rng.random() < 0.125 else graph

    return drawn


def sometimes_int16(rng: np.random.Generator, graph: Graph) -> Graph:
    """One graph in five with int16 instead of int8."""
    return _rebuilt(graph, widened) if rng.random() < 0.2 else graph


def at_times_int16(
    random_graph: Callable[[np.random.Generator], Graph],
) -> Callable[[np.random.Generator], Graph]:
    """A strategy whose int8 layers are int16 in one graph out of five."""
    return lambda rng: sometimes_int16(rng, random_graph(rng))
