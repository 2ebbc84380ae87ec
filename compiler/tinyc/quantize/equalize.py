"""Cross-layer equalization: scale the channels between two layers so that they use their range alike.

Source: Nagel, van Baalen, Blankevoort, Welling, "Data-Free Quantization Through Weight Equalization
and Bias Correction" (ICCV 2019), section 4.1. For a layer pair with f(s x) = s f(x), s > 0, between
them, the outputs of the first are divided by s and the inputs of the second multiplied by s,
channel by channel, which leaves the float function as it is; s = sqrt(r1 / r2) makes the
ranges of both sides equal. The ranges r1 are those of the first layer's weights, as in the paper,
or those of its output on calibration data, which suits weights that are quantized per channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, Mean, Op
from tinyc.ir.tensor import Array, Tensor, TensorName

_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
# Ops f with f(s x) = s f(x) for s > 0 in each channel, and channels on the last axis in and out.
_HOMOGENEOUS = frozenset({"RELU", "LEAKY_RELU", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "PAD"})
_SAFE_ACTIVATIONS = (Activation.NONE, Activation.RELU)
_ROUNDS = 20
_LARGEST_SCALE = 2.0**16


class Ranges(Enum):
    """What is made equal to the weights of the second layer."""

    WEIGHTS = "weights"
    ACTIVATIONS = "activations"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers with only homogeneous ops between them; `channels` outputs of the first."""

    first: str
    second: str
    channels: int


def find_pairs(graph: Graph) -> tuple[Pair, ...]:
    """All pairs that can be equalized.

    The tensors between are read once and are no graph outputs; fused activations are NONE or RELU,
    RELU6 and the like change their meaning under scaling and end the search.
    """
    pairs = []
    for op in graph.ops:
        if op.kind not in _WEIGHTED or _shared_constants(graph, op):
            continue
        channels = graph.results(op)[0].shape[-1]
        second = _partner(graph, op, channels)
        if second is not None:
            pairs.append(Pair(op.name, second.name, channels))
    return tuple(pairs)


def _shared_constants(graph: Graph, op: Op) -> bool:
    return any(len(graph.consumers(name)) > 1 or name in graph.outputs for name in op.inputs[1:])


def _partner(graph: Graph, first: Op, channels: int) -> Op | None:
    op = first
    while True:
        if getattr(op, "activation", Activation.NONE) not in _SAFE_ACTIVATIONS:
            return None
        consumers = graph.consumers(op.outputs[0])
        if len(consumers) != 1 or op.outputs[0] in graph.outputs:
            return None
        following = consumers[0]
        if following.kind in _WEIGHTED:
            if following.inputs[0] != op.outputs[0] or _shared_constants(graph, following):
                return None
            depth = graph[following.inputs[1]].shape[-1]
            fits = following.kind != "FULLY_CONNECTED" or depth % channels == 0
            return following if fits else None
        if following.kind == "RESHAPE":
            # Flattening keeps channel c at the positions that are c modulo the channel count.
            if graph.results(following)[0].shape[-1] % channels:
                return None
            after = graph.consumers(following.outputs[0])
            if len(after) != 1 or after[0].kind != "FULLY_CONNECTED":
                return None
        elif not _scales_with_channels(graph, following, channels):
            return None
        op = following


def _scales_with_channels(graph: Graph, op: Op, channels: int) -> bool:
    """True when scaling a channel of the input (last axis) scales the same channel of the output."""
    rank = len(graph.operands(op)[0].shape)
    if isinstance(op, Mean) and rank - 1 in op.reduced(rank):
        return False
    return op.kind in _HOMOGENEOUS and graph.results(op)[0].shape[-1] == channels


def equalize(graph: Graph, ranges: Ranges, largest_outputs: Mapping[TensorName, Array]) -> Graph:
    """The graph with every pair equalized; equal to `graph` as a float function.

    `largest_outputs` holds, for ACTIVATIONS, the largest magnitude of each channel of the first
    layers' outputs. Pairs are visited in turn until no scale changes by more than 1 %, at most 20
    times. A channel that is zero on either side stays as it is.
    """
    pairs = find_pairs(graph)
    if not pairs:
        return graph
    ops = {op.name: op for op in graph.ops}
    constants = {name: graph[name].constant.astype(np.float64) for name in _weight_names(graph, pairs)}
    # What each first layer's output has been divided by so far.
    divided = {pair.first: np.ones(pair.channels) for pair in pairs}
    for _ in range(_ROUNDS):
        worst = 1.0
        for pair in pairs:
            first, second = ops[pair.first], ops[pair.second]
            if ranges is Ranges.WEIGHTS:
                before = _output_ranges(first, constants[first.inputs[1]])
            else:
                before = largest_outputs[first.outputs[0]] / divided[pair.first]
            after = _input_ranges(second, constants[second.inputs[1]], pair.channels)
            usable = (before > 0.0) & (after > 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = np.where(usable, np.sqrt(before / after), 1.0)
            # Only ratios between channels matter; the common factor is taken out.
            if usable.any():
                scale[usable] /= np.exp(np.log(scale[usable]).mean())
            scale = np.clip(scale, 1.0 / _LARGEST_SCALE, _LARGEST_SCALE)
            divided[pair.first] = divided[pair.first] * scale
            _divide_outputs(first, constants, scale)
            constants[second.inputs[1]] = _multiply_inputs(second, constants[second.inputs[1]], scale)
            worst = max(worst, float(scale.max()), float(1.0 / scale.min()))
        if worst < 1.01:
            break
    replaced: list[Tensor] = []
    for name, value in constants.items():
        narrow = value.astype(np.float32)
        if not np.isfinite(narrow).all():
            return graph
        replaced.append(graph[name].with_(data=narrow))
    return verify(graph.rebuilt(tensors=replaced))


def _weight_names(graph: Graph, pairs: tuple[Pair, ...]) -> list[TensorName]:
    layers = {name for pair in pairs for name in (pair.first, pair.second)}
    return [name for op in graph.ops if op.name in layers for name in op.inputs[1:]]


def _output_ranges(op: Op, weights: Array) -> Array:
    """Largest weight of each output channel."""
    axes = (0, 1, 2) if op.kind == "DEPTHWISE_CONV_2D" else tuple(range(1, weights.ndim))
    return np.asarray(np.abs(weights).max(axis=axes))


def _input_scales(op: Op, weights: Array, scale: Array) -> Array:
    """`scale`, one per input channel, shaped to multiply the weights."""
    channels = len(scale)
    if op.kind == "FULLY_CONNECTED":
        return np.tile(scale, weights.shape[1] // channels)[None, :]
    if op.kind == "DEPTHWISE_CONV_2D":
        return np.repeat(scale, weights.shape[3] // channels)[None, None, None, :]
    depth = weights.shape[3]
    groups = channels // depth
    # Filters are ordered by group; group g reads channels g * depth to (g + 1) * depth.
    per_filter = np.repeat(scale.reshape(groups, depth), weights.shape[0] // groups, axis=0)
    return per_filter[:, None, None, :]


def _input_ranges(op: Op, weights: Array, channels: int) -> Array:
    """Largest weight that reads each input channel."""
    magnitude = np.abs(weights)
    if op.kind == "FULLY_CONNECTED":
        return np.asarray(magnitude.reshape(-1, channels).max(axis=0))
    if op.kind == "DEPTHWISE_CONV_2D":
        return np.asarray(magnitude.max(axis=(0, 1, 2)).reshape(channels, -1).max(axis=1))
    groups = channels // weights.shape[3]
    per_filter = magnitude.max(axis=(1, 2)).reshape(groups, -1, weights.shape[3])
    return np.asarray(per_filter.max(axis=1).reshape(-1))


def _divide_outputs(op: Op, constants: dict[TensorName, Array], scale: Array) -> None:
    weights = constants[op.inputs[1]]
    last = op.kind == "DEPTHWISE_CONV_2D"
    shape = (1,) * (weights.ndim - 1) + (-1,) if last else (-1,) + (1,) * (weights.ndim - 1)
    constants[op.inputs[1]] = weights / scale.reshape(shape)
    if len(op.inputs) > 2:
        bias = constants[op.inputs[2]]
        constants[op.inputs[2]] = bias / scale.reshape(bias.shape)


def _multiply_inputs(op: Op, weights: Array, scale: Array) -> Array:
    return np.asarray(weights * _input_scales(op, weights, scale))
