"""Reads the layers behind the tap from the graph."""

from __future__ import annotations

import math

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Linear,
    Mean,
    Op,
    Reshape,
    Softmax,
    Split,
)
from tinyc.ir.ops.base import Activation, Padding
from tinyc.ir.ops.common import activation_range, channel_multipliers
from tinyc.ir.ops.convolution import Window
from tinyc.ir.ops.curved import Curved
from tinyc.ir.ops.elementwise import sum_scaling
from tinyc.ir.ops.mean import mean_multiplier
from tinyc.ir.ops.norm import Norm
from tinyc.ir.tensor import DType, TensorName
from tinyc.learning.sparse import tokens
from tinyc.learning.sparse.layers import AddLayer, Layer, Plane, PoolLayer, Weighted, plane_of

SUPPORTED = (
    "CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED; LINEAR, LAYER_NORM, RMS_NORM, GELU, SILU and SQUARED_RELU "
    "over one row; ADD of two "
    "activations, AVERAGE_POOL_2D and MEAN over the whole plane, RESHAPE, and SOFTMAX at the end"
)


def read_layers(suffix: Graph) -> tuple[Layer, ...]:
    """The layers of `suffix`, whose only input is the tap, in order; the last gives the logits.

    Raises TinycError that lists every layer through which nothing can be learned.
    """
    ops = list(suffix.ops)
    if ops and isinstance(ops[-1], Softmax) and math.isclose(ops[-1].beta, 1.0):
        ops.pop()
    problems = []
    layers: list[Layer] = []
    aliases: dict[TensorName, TensorName] = {}
    parts: tuple[TensorName, ...] = ()
    for op in ops:
        try:
            if isinstance(op, Reshape):
                source = op.inputs[0]
                aliases[op.outputs[0]] = aliases.get(source, source)
            elif isinstance(op, Split) and op.inputs == suffix.inputs:
                parts = op.outputs
                aliases.update(dict.fromkeys(parts, op.inputs[0]))
            elif isinstance(op, Linear):
                layers += tokens.linear_layers(suffix, op, aliases, parts, op is ops[-1])
            elif isinstance(op, Norm):
                layers += tokens.norm_layers(suffix, op, aliases)
            elif isinstance(op, Curved):
                layers.append(tokens.curve_layer(suffix, op, aliases))
            else:
                layers.append(_layer(suffix, op, aliases, op is ops[-1]))
        except ValueError as error:
            problems.append(Problem(f"layer {op.name}", str(error), SUPPORTED))
    if not problems and (not layers or not isinstance(layers[-1], Weighted) or not layers[-1].is_logits):
        last = ops[-1].name if ops else suffix.name
        problems.append(Problem(f"layer {last}", "is no dense layer", "a classifier that ends in one"))
    if problems:
        raise TinycError(
            "the layers behind the tap cannot learn by back-propagation",
            where=f"graph {suffix.name}",
            problems=problems,
            hint="tap further back, or choose another head",
        )
    return tuple(layers)


def _layer(graph: Graph, op: Op, aliases: dict[TensorName, TensorName], is_last: bool) -> Layer:
    for tensor in (*graph.activations(op), *graph.results(op)):
        if tensor.dtype is not DType.INT8:
            raise ValueError(f"{tensor.name!r} is {tensor.dtype.value[0]}, not int8")
    if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        return _weighted(graph, op, aliases, is_last)
    if isinstance(op, AveragePool2D | Mean):
        return _pool(graph, op, aliases)
    if isinstance(op, Add):
        return _add(graph, op, aliases)
    raise ValueError(f"there is no gradient for {op.kind}")


def _weighted(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, aliases: dict[str, str], is_last: bool
) -> Weighted:
    operands, result = graph.operands(op), graph.results(op)[0]
    x, weights = operands[0], operands[1]
    if not weights.is_constant or any(not operand.is_constant for operand in operands[2:]):
        raise ValueError("weights and biases have to be constants")
    if weights.dtype is not DType.INT8 or weights.quantization is None:
        raise ValueError("the weights are not int8")
    if any(weights.quantization.zero_point):
        raise ValueError("the weights have a zero point")
    data = weights.constant
    plane = plane_of(x)
    if isinstance(op, FullyConnected):
        rows = np.ascontiguousarray(data)
        plane = Plane(1, 1, x.elements)
        if rows.shape[1] != x.elements:
            raise ValueError("a dense layer over several rows")
        window = Window((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1))
    elif isinstance(op, DepthwiseConv2D):
        if data.shape[3] != plane.channels:
            raise ValueError("a depthwise layer with several filters per channel")
        rows = np.ascontiguousarray(data[0].reshape(-1, plane.channels).T)
        window = op.window(operands)
    else:
        if data.shape[3] != plane.channels:
            raise ValueError("a convolution in groups")
        rows = np.ascontiguousarray(data.reshape(data.shape[0], -1))
        window = op.window(operands)
    if window.dilation != (1, 1):
        raise ValueError("a dilated convolution")
    count = len(rows)
    multiplier, shift = channel_multipliers(x, weights, result, fused_product=isinstance(op, FullyConnected))
    scales = np.broadcast_to(np.array(weights.quantization.scale, np.float32), (count,))
    biases = np.zeros(count, np.int32)
    if len(operands) > 2:
        biases = operands[2].constant.astype(np.int32).reshape(-1)
    low, high = activation_range(op.activation, result)
    is_logits = is_last and isinstance(op, FullyConnected) and op.activation is Activation.NONE
    return Weighted(
        name=op.name,
        input=aliases.get(x.name, x.name),
        output=result.name,
        x=plane,
        y=plane_of(result),
        window=window,
        depthwise=isinstance(op, DepthwiseConv2D),
        weights=rows.astype(np.int8),
        biases=biases,
        scales=np.ascontiguousarray(scales),
        input_scale=float(np.float32(x.scale)),
        multipliers=np.ascontiguousarray(np.broadcast_to(multiplier, (count,)), np.int32),
        shifts=np.ascontiguousarray(np.broadcast_to(shift, (count,)), np.int32),
        input_zero=x.zero_point,
        output_zero=result.zero_point,
        low=low,
        high=high,
        is_logits=is_logits,
    )


def _pool(graph: Graph, op: AveragePool2D | Mean, aliases: dict[str, str]) -> PoolLayer:
    (x,), (result,) = graph.operands(op), graph.results(op)
    plane = plane_of(x)
    multiplier = shift = 0
    if isinstance(op, Mean):
        if op.reduced(len(x.shape)) != (1, 2):
            raise ValueError("the mean has to go over height and width")
        multiplier, shift = mean_multiplier(x, result, plane.pixels)
        low, high = -128, 127
    else:
        if (op.filter_height, op.filter_width) != (plane.height, plane.width) or op.padding is Padding.SAME:
            raise ValueError("the window has to cover the whole plane")
        low, high = activation_range(op.activation, result)
    return PoolLayer(
        name=op.name,
        input=aliases.get(x.name, x.name),
        output=result.name,
        x=plane,
        multiplier=multiplier,
        shift=shift,
        input_zero=x.zero_point,
        output_zero=result.zero_point,
        low=low,
        high=high,
    )


def _add(graph: Graph, op: Add, aliases: dict[str, str]) -> AddLayer:
    operands, result = graph.operands(op), graph.results(op)[0]
    left, right = operands
    if left.is_constant or right.is_constant or left.shape != right.shape:
        raise ValueError("both operands have to be activations of one shape")
    low, high = activation_range(op.activation, result)
    return AddLayer(
        name=op.name,
        input=aliases.get(left.name, left.name),
        other=aliases.get(right.name, right.name),
        output=result.name,
        x=plane_of(result),
        scaling=sum_scaling(left, right, result),
        input_zero=left.zero_point,
        other_zero=right.zero_point,
        output_zero=result.zero_point,
        low=low,
        high=high,
    )
