"""Pieces of random graphs: tensors with odd shapes, extreme zero points and usual scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Gather, GatherNd
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Quantization, Tensor, TensorName


def random_scale(rng: np.random.Generator, low: float = 1e-3, high: float = 1.0) -> float:
    """A float32 value, log-uniform in [low, high]."""
    return float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high)))))


def random_zero_point(rng: np.random.Generator) -> int:
    """Any int8 zero point; the extremes come often."""
    return int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))]))


def activation(rng: np.random.Generator, name: str, shape: Sequence[int], **scale: float) -> Tensor:
    return Tensor(
        name, tuple(shape), DType.INT8, Quantization((random_scale(rng, **scale),), (random_zero_point(rng),))
    )


def constant(name: str, data: Array, quantization: Quantization | None = None) -> Tensor:
    return Tensor(name, data.shape, DType.of(data.dtype), quantization, data)


def single_op_graph(op: Op, tensors: Sequence[Tensor]) -> Graph:
    """A verified graph of one op; its inputs are the tensors of `op.inputs` without data."""
    table = {tensor.name: tensor for tensor in tensors}
    inputs = tuple(dict.fromkeys(name for name in op.inputs if not table[name].is_constant))
    return verify(Graph("single", table, (op,), inputs, op.outputs))


def random_inputs(rng: np.random.Generator, graph: Graph) -> list[Array]:
    """Arrays for the graph's inputs; a quarter of the draws sit at the type's limits. Indices lie inside."""
    values, extents = [], _indexed(graph)
    for name in graph.inputs:
        tensor = graph[name]
        if name in extents:
            values.append(rng.integers(0, extents[name], tensor.shape, dtype=np.int32))
            continue
        if tensor.dtype is DType.BOOL:
            values.append(rng.random(tensor.shape) < 0.5)
            continue
        if tensor.dtype is DType.FLOAT32:
            values.append(rng.normal(0, 2, tensor.shape).astype(np.float32))
            continue
        low, high = tensor.dtype.limits
        data = rng.integers(low, high + 1, tensor.shape, dtype=np.int64)
        extreme = rng.random(tensor.shape) < 0.25
        data = np.where(extreme, rng.choice([low, high], tensor.shape), data)
        values.append(data.astype(tensor.dtype.numpy))
    return values


def _indexed(graph: Graph) -> dict[TensorName, Array | int]:
    """The extents that tensors of indices count in."""
    found: dict[TensorName, Array | int] = {}
    for op in graph.ops:
        if isinstance(op, Gather):
            found[op.inputs[1]] = graph[op.inputs[0]].shape[op.axis]
        if isinstance(op, GatherNd):
            data, indices = graph.operands(op)
            found[indices.name] = np.array(data.shape[: indices.shape[-1]])
    return found
