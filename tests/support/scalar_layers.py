"""Layers for the scalar kernels: random ones, and those whose partial sums are as large as can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from strategies import STRATEGIES
from strategies.common import constant, single_op_graph
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.kernels import scalar


def extreme(weight: int, taps: int) -> Graph:
    """A 1x1 convolution of three pixels whose weights are all `weight` but for the signs of one channel."""
    weights = np.full((3, 1, 1, taps), weight, np.int8)
    weights[1, ..., ::2] = -127
    weights[2, ..., :2] = 1
    tensors = [
        Tensor("x", (1, 1, 3, taps), DType.INT8, Quantization((0.5,), (-128,))),
        constant("w", weights, Quantization((0.01,), (0,))),
        constant("b", np.array([5, -70, 123_456], np.int32)),
        Tensor("y", (1, 1, 3, 3), DType.INT8, Quantization((0.05 * taps,), (3,))),
    ]
    return single_op_graph(Conv2D(name="c", inputs=("x", "w", "b"), outputs=("y",)), tensors)


def extremes() -> list[Graph]:
    """With and without taps that fill the last word."""
    return [extreme(weight, taps) for weight in (-128, 127) for taps in (1, 2, 4, 7)]


def random_layers(rng: np.random.Generator, each: int) -> list[Graph]:
    """`each` layers that the kernel accepts, for every scalar kernel."""
    found: list[Graph] = []
    for kernel in scalar.KERNELS:
        accepted = 0
        while accepted < each:
            graph = STRATEGIES[kernel.op](rng)
            if kernel.accepts(graph.ops[0], graph):
                found.append(graph)
                accepted += 1
    return found


def side_by_side(graphs: Sequence[Graph]) -> Graph:
    """One graph of all of them; inputs and outputs in their order."""
    tensors, ops, inputs, outputs = [], [], [], []
    for index, graph in enumerate(graphs):

        def named(name: str, index: int = index) -> str:
            return f"{name}_{index}"

        tensors += [replace(tensor, name=named(name)) for name, tensor in graph.tensors.items()]
        for op in graph.ops:
            names = {"inputs": tuple(map(named, op.inputs)), "outputs": tuple(map(named, op.outputs))}
            ops.append(replace(op, name=named(op.name), **names))
        inputs += map(named, graph.inputs)
        outputs += map(named, graph.outputs)
    table = {tensor.name: tensor for tensor in tensors}
    return verify(Graph("layers", table, tuple(ops), tuple(inputs), tuple(outputs)))
