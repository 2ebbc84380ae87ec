"""The integer graph: every tensor with its type and quantization, constants rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import DepthwiseConv1D, Embedding, Linear, Op
from tinyc.ir.tensor import Array, DType, Quantization, Tensor, TensorName
from tinyc.quantize.transformer.scales import Quantizations, Types, sum_scales, value_scales
from tinyc.quantize.transformer.slots import Slot
from tinyc.quantize.transformer.tables import LIMIT, rounded, single


def integer_graph(graph: Graph, slots: Sequence[Slot], quantizations: Sequence[Quantization]) -> Graph:
    """The verified integer graph with one quantization per slot. Tensor and layer names are kept.

    Constants that layers share are copied where they are rounded differently.
    """
    by_name = {
        name: quantization
        for slot, quantization in zip(slots, quantizations, strict=True)
        for name in slot.tensors
    }
    types = {name: slot.dtype for slot in slots for name in slot.tensors}
    builder = _Builder(graph, by_name, types)
    ops = tuple(builder.converted(op) for op in graph.ops)
    return verify(Graph(graph.name, builder.tensors, ops, graph.inputs, graph.outputs).rebuilt())


class _Builder:
    def __init__(self, graph: Graph, quantizations: Quantizations, types: Types) -> None:
        self.graph = graph
        self.quantizations = quantizations
        self.types = types
        self.tensors: dict[TensorName, Tensor] = {}
        for tensor in graph.tensors.values():
            if tensor.name in quantizations:
                self.tensors[tensor.name] = _activation(
                    tensor, types[tensor.name], quantizations[tensor.name]
                )
            elif not tensor.is_constant:
                self.tensors[tensor.name] = tensor

    def converted(self, op: Op) -> Op:
        inputs = list(op.inputs)
        replaced = self._constants(op)
        for position, name in enumerate(op.inputs):
            if position in replaced:
                inputs[position] = self._file(replaced[position], op)
            elif name not in self.tensors:
                inputs[position] = self._file(self.graph[name], op)
        return op.with_(inputs=tuple(inputs))

    def _file(self, tensor: Tensor, op: Op) -> TensorName:
        """A constant under its own name, or another one where that is taken by other content."""
        present = self.tensors.get(tensor.name)
        if present is None:
            self.tensors[tensor.name] = tensor
            return tensor.name
        if present == tensor and present.is_constant and np.array_equal(present.constant, tensor.constant):
            return tensor.name
        name = f"{tensor.name}_{op.name}"
        while name in self.tensors or name in self.graph.tensors:
            name += "_"
        self.tensors[name] = replace(tensor, name=name)
        return name

    def _constants(self, op: Op) -> dict[int, Tensor]:
        """By operand position."""
        operands = self.graph.operands(op)
        if isinstance(op, Linear):
            sums = sum_scales(self.graph, op, self.quantizations, self.types)
            found = {}
            for at, (x, weights) in enumerate(op.pairs(operands)):
                found[2 * at + 1] = _weights(weights, sums / self.quantizations[x.name].scale[0], 0)
            if op.bias:
                found[2 * op.sources] = _bias(operands[2 * op.sources], sums)
            return found
        if isinstance(op, DepthwiseConv1D):
            sums = sum_scales(self.graph, op, self.quantizations, self.types)
            scale = self.quantizations[op.inputs[0]].scale[0]
            return {1: _weights(operands[1], sums / scale, 1), 2: _bias(operands[2], sums)}
        if isinstance(op, Embedding):
            return self._embedding(op, operands)
        return {}

    def _embedding(self, op: Embedding, operands: Sequence[Tensor]) -> dict[int, Tensor]:
        tables = op.tables(operands)
        found = {1 + at: rounded(table, 8 if at else op.bits) for at, table in enumerate(tables)}
        units = operands[-1].shape[-1]
        steps = np.full(units, self.quantizations[op.outputs[0]].scale[0])
        if op.expanded:
            steps = sum_scales(self.graph, op, self.quantizations, self.types)
            scales = value_scales(op, operands)
            for at, (scale, matrix) in enumerate(zip(scales, op.matrices(operands), strict=True)):
                found[1 + len(tables) + at] = _weights(matrix, steps / scale, 0)
        if op.segments:
            found[len(operands) - 1] = _bias(operands[-1], steps)
        return found


def _activation(tensor: Tensor, dtype: DType, quantization: Quantization) -> Tensor:
    data = None
    if tensor.data is not None:
        limits = np.iinfo(dtype.numpy)
        steps = np.rint(tensor.data.astype(np.float64) / quantization.scale[0]) + quantization.zero_point[0]
        data = np.clip(steps, limits.min, limits.max).astype(dtype.numpy)
    return Tensor(tensor.name, tensor.shape, dtype, quantization, data)


def _weights(weights: Tensor, scales: Array, axis: int) -> Tensor:
    scales = single(scales)
    shaped = scales.reshape([-1 if index == axis else 1 for index in range(len(weights.shape))])
    steps = np.rint(weights.constant.astype(np.float64) / shaped)
    data = np.clip(steps, -LIMIT, LIMIT).astype(np.int8)
    return Tensor(weights.name, weights.shape, DType.INT8, _per_channel(scales, axis), data)


def _bias(bias: Tensor, scales: Array) -> Tensor:
    """int32 in the scales of the sums, along the last axis."""
    steps = np.rint(bias.constant.astype(np.float64) / scales)
    data = np.clip(steps, -(2**31), 2**31 - 1).astype(np.int32)
    return Tensor(bias.name, bias.shape, DType.INT32, _per_channel(single(scales), len(bias.shape) - 1), data)


def _per_channel(scales: Array, axis: int) -> Quantization:
    return Quantization(tuple(float(scale) for scale in scales), (0,) * len(scales), axis)
