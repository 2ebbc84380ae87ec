"""Folds per-channel constants after a float convolution or fully connected layer into it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Add, Conv2D, DepthwiseConv2D, FullyConnected, Mul, Op, Sub
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.passes.rewrite import fresh_name, uses

Layer: TypeAlias = Conv2D | DepthwiseConv2D | FullyConnected
# The axis of the weights that holds the output channels.
_OUTPUT_AXIS: dict[type[Op], int] = {Conv2D: 0, DepthwiseConv2D: 3, FullyConnected: 0}


def fold_batch_norm(graph: Graph) -> Graph:
    """MUL, ADD and SUB by a constant go into the weights and bias of the layer before.

    Only in float32; batch norm in inference is such a MUL and ADD. The layer must have no
    activation of its own and no other reader.
    """
    tensors = dict(graph.tensors)
    reads = uses(graph)
    layers: dict[str, int] = {}
    ops: list[Op] = []
    for op in graph.ops:
        position = _layer_before(op, layers, tensors)
        if position is not None and isinstance(op, Add | Sub | Mul):
            layer = ops[position]
            assert isinstance(layer, Layer)
            if reads[layer.outputs[0]] == 1 and layer.activation is Activation.NONE:
                folded = _folded(layer, op, tensors)
                if folded is not None:
                    # The folded layer stays where it was: its readers come later anyway.
                    ops[position] = folded
                    layers[folded.outputs[0]] = position
                    continue
        if isinstance(op, Layer):
            layers[op.outputs[0]] = len(ops)
        ops.append(op)
    return graph.rebuilt(ops=ops, tensors=tensors)


def _layer_before(op: Op, layers: dict[str, int], tensors: dict[str, Tensor]) -> int | None:
    """The position of the layer that feeds a binary op whose other operand is a constant."""
    if not isinstance(op, Add | Sub | Mul):
        return None
    active = [name for name in op.inputs if not tensors[name].is_constant]
    return layers.get(active[0]) if len(active) == 1 else None


def _per_channel(constant: Tensor, result: Tensor) -> Array | None:
    """The constant as one value per output channel, or None when it varies along another axis."""
    channels = result.shape[-1]
    if constant.elements == 1:
        return np.full(channels, constant.constant.reshape(-1)[0], dtype=np.float32)
    if constant.shape and constant.shape[-1] == channels == constant.elements:
        return constant.constant.reshape(-1)
    return None


def _folded(layer: Layer, op: Add | Sub | Mul, tensors: dict[str, Tensor]) -> Op | None:
    before, result = tensors[layer.outputs[0]], tensors[op.outputs[0]]
    left, right = (tensors[name] for name in op.inputs)
    weights = tensors[layer.inputs[1]]
    bias = tensors[layer.inputs[2]] if len(layer.inputs) > 2 else None
    if result.shape != before.shape or result.dtype is not DType.FLOAT32:
        return None
    if weights.dtype is not DType.FLOAT32 or not weights.is_constant or (bias and not bias.is_constant):
        return None
    values = _per_channel(left if left.is_constant else right, result)
    if values is None:
        return None
    offset = np.zeros_like(values) if bias is None else bias.constant.reshape(-1)
    factor = np.ones_like(values)
    with np.errstate(over="ignore"):
        if isinstance(op, Mul):
            factor, offset = values, offset * values
        elif isinstance(op, Add):
            offset = offset + values
        elif left.is_constant:
            factor, offset = -factor, values - offset
        else:
            offset = offset - values
        extents = [1] * len(weights.shape)
        extents[_OUTPUT_AXIS[type(layer)]] = -1
        scaled = (weights.constant * factor.reshape(extents)).astype(np.float32)
        offset = offset.astype(np.float32)
    if not (np.isfinite(scaled).all() and np.isfinite(offset).all()):
        return None
    inputs = [layer.inputs[0]]
    for role, data in (("weights", scaled), ("bias", offset)):
        name = fresh_name(tensors, f"{layer.name}/folded_{role}")
        tensors[name] = Tensor(name, data.shape, DType.FLOAT32, None, data)
        inputs.append(name)
    return layer.with_(inputs=tuple(inputs), outputs=op.outputs, activation=op.activation)
