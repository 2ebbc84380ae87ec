"""Layers whose weights fit four bits, made from those with int8 weights."""

from __future__ import annotations

from dataclasses import replace

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected
from tinyc.ir.tensor import DType, Tensor
from tinyc.kernels.kernel import Kernel


def weight_names(graph: Graph) -> list[str]:
    """The int8 weights of convolutions and fully connected layers."""
    layers = [op for op in graph.ops if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected)]
    return [op.inputs[1] for op in layers if graph[op.inputs[1]].dtype is DType.INT8]


def with_int4_weights(graph: Graph) -> Graph:
    """The graph with weights in -8 .. 7 of 16 times the scale, made from its own."""
    return graph.rebuilt(tensors=[_narrowed(graph[name]) for name in weight_names(graph)])


def _narrowed(weights: Tensor) -> Tensor:
    assert weights.quantization is not None
    scales = tuple(16 * scale for scale in weights.quantization.scale)
    quantization = replace(weights.quantization, scale=scales)
    return weights.with_(data=weights.constant >> 4, quantization=quantization)


def for_kernel(kernel: Kernel, graph: Graph) -> Graph:
    """The layer with weights of four bits where `kernel` is for those, else as it is."""
    return with_int4_weights(graph) if kernel.weight_bits == 4 else graph
