"""The int8 graph: every tensor of the float graph with its quantization, constants rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Quantize
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import DType, Quantization, Tensor, TensorName
from tinyc.quantize.choose import Chosen
from tinyc.quantize.options import Weights
from tinyc.quantize.scheme import (
    RULES,
    quantize_weights,
    scaled_inputs,
    weight_limit,
    weight_scales,
    weighted_operands,
)


def integer_graph(graph: Graph, chosen: Chosen) -> Graph:
    """The verified int8 graph with the quantizations of `chosen`; inputs and outputs are int8.

    Tensor and layer names are kept. Constants that layers share are copied where their
    quantizations differ; QUANTIZE layers are added where `Groups.requantized` asks for them.
    """
    quantizations = chosen.by_tensor()
    builder = _Builder(graph, quantizations, chosen.weights)
    for op in graph.ops:
        for name in scaled_inputs(op):
            if (op.name, name) in chosen.groups.requantized:
                builder.requantize(op, name, quantizations[op.outputs[0]])
        builder.add(op)
    return verify(
        Graph(graph.name, builder.tensors, tuple(builder.ops), graph.inputs, graph.outputs).rebuilt()
    )


class _Builder:
    def __init__(self, graph: Graph, quantizations: dict[TensorName, Quantization], widths: Weights) -> None:
        self.graph = graph
        self.widths = widths
        self.quantizations = quantizations
        self.ops: list[Op] = []
        self.tensors: dict[TensorName, Tensor] = {}
        self._reads: dict[tuple[str, TensorName], TensorName] = {}
        self._names = {op.name for op in graph.ops}
        for name, quantization in quantizations.items():
            self.tensors[name] = _int8(graph[name], quantization)

    def _unique(self, wanted: str, taken: set[str]) -> str:
        while wanted in taken:
            wanted += "_"
        return wanted

    def requantize(self, op: Op, name: TensorName, quantization: Quantization) -> None:
        tensor = self.tensors[name]
        if tensor.is_constant:
            copy = _int8(self.graph[name], quantization)
        else:
            copy = tensor.with_(quantization=quantization)
        copy = copy.with_(name=self._unique(f"{name}_requantized", {*self.tensors, *self.graph.tensors}))
        self.tensors[copy.name] = copy
        self._reads[op.name, name] = copy.name
        if not tensor.is_constant:
            layer = self._unique(f"{op.name}_requantize", self._names)
            self._names.add(layer)
            self.ops.append(Quantize(name=layer, inputs=(name,), outputs=(copy.name,), source=op.source))

    def _constant(self, tensor: Tensor, op: Op) -> TensorName:
        """File a weight or bias, under a name of its own when the name is taken by other content."""
        present = self.tensors.get(tensor.name)
        if present is None and tensor.name not in self.quantizations:
            self.tensors[tensor.name] = tensor
            return tensor.name
        if present == tensor and present is not None and np.array_equal(present.constant, tensor.constant):
            return tensor.name
        name = self._unique(f"{tensor.name}_{op.name}", {*self.tensors, *self.graph.tensors})
        self.tensors[name] = replace(tensor, name=name)
        return name

    def add(self, op: Op) -> None:
        inputs = [self._reads.get((op.name, name), name) for name in op.inputs]
        weighted, axis = weighted_operands(self.graph, op), RULES[op.kind].weights_axis
        if weighted is not None and axis is not None:
            input_scale, limit = self.quantizations[op.inputs[0]].scale[0], weight_limit(op, self.widths)
            weights, bias = _weights(self.graph, op, axis, input_scale, limit)
            inputs[1] = self._constant(weights, op)
            if bias is not None:
                inputs[2] = self._constant(bias, op)
        self.ops.append(op.with_(inputs=tuple(inputs)))


def _int8(tensor: Tensor, quantization: Quantization) -> Tensor:
    data = None
    if tensor.data is not None:
        steps = np.rint(tensor.data.astype(np.float64) / quantization.scale[0]) + quantization.zero_point[0]
        data = np.clip(steps, -128, 127).astype(np.int8)
    return Tensor(tensor.name, tensor.shape, DType.INT8, quantization, data)


def _weights(graph: Graph, op: Op, axis: int, input_scale: float, limit: int) -> tuple[Tensor, Tensor | None]:
    """int8 weights and int32 bias (scale: input scale times weight scale, zero point 0)."""
    weights = graph[op.inputs[1]]
    bias = graph[op.inputs[2]] if len(op.inputs) > 2 else None
    values = None if bias is None else bias.constant
    scales = weight_scales(weights.constant, axis, values, input_scale, limit)
    zeros = (0,) * len(scales)
    quantized = Tensor(
        weights.name,
        weights.shape,
        DType.INT8,
        Quantization(tuple(float(scale) for scale in scales), zeros, axis),
        quantize_weights(weights.constant, scales, axis, limit),
    )
    if bias is None:
        return quantized, None
    products = (np.float32(input_scale) * scales.astype(np.float32)).astype(np.float64)
    flat = np.rint(bias.constant.astype(np.float64).reshape(-1) / (input_scale * scales))
    return quantized, Tensor(
        bias.name,
        bias.shape,
        DType.INT32,
        Quantization(tuple(float(scale) for scale in products), zeros, 0),
        flat.astype(np.int32).reshape(bias.shape),
    )
