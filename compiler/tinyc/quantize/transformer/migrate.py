"""Outliers of a norm's channels move into the weights behind it. The float function stays the same.

Source: Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language
Models" (ICML 2023), with the exponent 1/2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Op
from tinyc.ir.ops.norm import Norm
from tinyc.ir.ops.strided_slice import StridedSlice
from tinyc.ir.tensor import Array, DType, Tensor, TensorName
from tinyc.quantize.histogram import Histogram
from tinyc.quantize.transformer.slots import NORMS, Slot, is_residual

# Below this ratio of largest magnitude to root mean square there are no outliers to speak of.
OUTLIERS = 8.0
_LARGEST_FACTOR = 2.0**10


# (name of a constant, new data, layer) → its name in the new graph
_Changed: TypeAlias = Callable[[TensorName, Array, str], TensorName]


def norm_of(graph: Graph, slot: Slot, histogram: Histogram) -> Norm | None:
    """The norm that makes an int8 slot with outliers, all of whose readers have weights for each channel."""
    rms = (histogram.power / max(histogram.count, 1)) ** 0.5
    largest = max(-histogram.minimum, histogram.maximum)
    if slot.dtype is not DType.INT8 or largest <= OUTLIERS * rms:
        return None
    producer = graph.producer(slot.tensors[0])
    if not isinstance(producer, Norm) or set(slot.tensors) & set(graph.outputs):
        return None
    depth = graph[producer.outputs[0]].shape[-1]
    for op, _ in _readers(graph, slot):
        if op.kind not in {"LINEAR", "DEPTHWISE_CONV_1D"} and not _keeps_channels(op, depth):
            return None
    if any(is_residual(op, position) for op, position in _readers(graph, slot)):
        return None
    return producer if all(graph[name].is_constant for name in producer.inputs[1:]) else None


def _readers(graph: Graph, slot: Slot) -> list[tuple[Op, int]]:
    members = set(slot.tensors)
    return [(op, at) for op in graph.ops for at, name in enumerate(op.inputs) if name in members]


def _keeps_channels(op: Op, depth: int) -> bool:
    whole = isinstance(op, StridedSlice) and op.size[-1] == depth and op.strides[-1] == 1
    return whole and isinstance(op, StridedSlice) and op.shape[-1] == depth


def factors(graph: Graph, slot: Slot, largest: Array) -> Array:
    """By which each channel, of magnitudes `largest`, is divided; geometric mean 1."""
    weights = np.zeros(len(largest))
    for op, at in _readers(graph, slot):
        if not isinstance(op, StridedSlice):
            matrix = np.abs(graph[op.inputs[at + 1]].constant.astype(np.float64))
            weights = np.maximum(weights, matrix.max(axis=0))
    known = (largest > 0.0) & (weights > 0.0)
    ratio = np.sqrt(np.where(known, largest, 1.0) / np.where(known, weights, 1.0))
    if not known.any():
        return np.ones(len(largest))
    ratio = ratio / np.exp(np.log(ratio[known]).mean())
    return np.asarray(np.clip(np.where(known, ratio, 1.0), 1.0 / _LARGEST_FACTOR, _LARGEST_FACTOR))


def migrated(graph: Graph, slot: Slot, norm: Norm, divisors: Array) -> Graph:
    """The graph with the norm's output divided by `divisors`, channel by channel, and weights to match.

    A norm without a gain gets one. Constants that other layers read are copied.
    """
    tensors = dict(graph.tensors)

    def changed(name: TensorName, data: Array, layer: str) -> TensorName:
        if len(graph.consumers(name)) > 1:
            name = _unused(tensors, f"{name}_{layer}")
        tensors[name] = Tensor(name, data.shape, DType.FLOAT32, None, data.astype(np.float32))
        return name

    members = set(slot.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        inputs = list(op.inputs)
        if op.name == norm.name:
            ops.append(_scaled_norm(norm, tensors, changed, divisors))
            continue
        if op.kind not in NORMS and not isinstance(op, StridedSlice):
            for at, name in enumerate(op.inputs):
                if name in members:
                    data = graph[op.inputs[at + 1]].constant.astype(np.float64) * divisors
                    inputs[at + 1] = changed(op.inputs[at + 1], data, op.name)
        ops.append(op.with_(inputs=tuple(inputs)))
    return verify(replace(graph, tensors=tensors, ops=tuple(ops)).rebuilt())


def _scaled_norm(norm: Norm, tensors: dict[TensorName, Tensor], changed: _Changed, divisors: Array) -> Norm:
    if not norm.gain:
        name = _unused(tensors, f"{norm.name}/gain")
        tensors[name] = Tensor(name, divisors.shape, DType.FLOAT32, None, (1.0 / divisors).astype(np.float32))
        return norm.with_(inputs=(norm.inputs[0], name), gain=True)
    names = [
        changed(name, tensors[name].constant.astype(np.float64).reshape(-1) / divisors, norm.name)
        for name in norm.inputs[1:]
    ]
    return norm.with_(inputs=(norm.inputs[0], *names))


def _unused(tensors: dict[TensorName, Tensor], name: TensorName) -> TensorName:
    while name in tensors:
        name += "_"
    return name


def largest_by_channel(values: Sequence[Array]) -> Array:
    """Largest magnitude of each channel, the last axis of all arrays."""
    return np.asarray(np.max([np.abs(v).reshape(-1, v.shape[-1]).max(axis=0) for v in values], axis=0))
