"""What a model is made of, as digests that no name changes: layers, body, head, golden vectors.

The head is the last FULLY_CONNECTED or LINEAR before the only output, with what follows it: SOFTMAX,
LOGISTIC, RESHAPE, QUANTIZE and DEQUANTIZE. The body is everything before it, the embedding that it
gives to the head included. A model of another form is all body.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np

from tinyc import interpreter
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.ops import FullyConnected, Linear
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Tensor, TensorName
from tinyc.versioning.model import Layer, Part

_BEHIND = ("SOFTMAX", "LOGISTIC", "RESHAPE", "QUANTIZE", "DEQUANTIZE")
_MEANINGS = ("SOFTMAX", "LOGISTIC")
_PLAIN = ("RESHAPE", "QUANTIZE", "DEQUANTIZE")
GOLDEN_VECTORS = 4
_SEED = 20_250_101


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """The layers with their digests, fused ones apart, in order."""
    graph = graph.expanded()
    numbers: dict[TensorName, int] = {name: at for at, name in enumerate(graph.inputs)}
    found = []
    for op in graph.ops:
        for name in (*op.inputs, *op.outputs):
            if not graph[name].is_constant:
                numbers.setdefault(name, len(numbers))
        found.append(Layer(op.name, op.kind, _digest(op, graph, numbers)))
    return tuple(found)


def parts_of(graph: Graph, layers: Sequence[Layer]) -> tuple[Part, Part]:
    """(body, head)."""
    graph = graph.expanded()
    names = head_names(graph)
    body = [layer for layer in layers if layer.name not in names]
    head = [layer for layer in layers if layer.name in names]
    return _part(body), _part(head)


def head_names(graph: Graph) -> frozenset[str]:
    """Names of the layers of the head; none where a model has no such head."""
    if len(graph.outputs) != 1:
        return frozenset()
    names: list[str] = []
    op = graph.producer(graph.outputs[0])
    while op is not None and op.kind in _BEHIND:
        names.append(op.name)
        op = graph.producer(op.inputs[0])
    if isinstance(op, FullyConnected) or (isinstance(op, Linear) and op.sources == 1 and not op.residual):
        operands = graph.operands(op)
        if operands[1].is_constant and not operands[0].is_constant:
            return frozenset((*names, op.name))
    return frozenset()


def meaning_of(graph: Graph) -> str:
    """The function that ends the model: SOFTMAX or LOGISTIC, NONE for anything else."""
    graph = graph.expanded()
    op = graph.producer(graph.outputs[0]) if graph.outputs else None
    while op is not None and op.kind in _PLAIN:
        op = graph.producer(op.inputs[0])
    return op.kind if op is not None and op.kind in _MEANINGS else "NONE"


def golden(graph: Graph) -> tuple[str, str]:
    """Digests for the golden inputs by the reference interpreter: (of the outputs, of what the head reads).

    Without a head both are those of the outputs.
    """
    graph = graph.expanded()
    names = head_names(graph)
    read = next((op.inputs[:1] for op in graph.ops if op.name in names), graph.outputs)
    states = hashlib.sha256(), hashlib.sha256()
    for vector in golden_inputs(graph):
        values = interpreter.trace(graph, vector)
        for state, tensors in zip(states, (graph.outputs, read), strict=True):
            for name in tensors:
                state.update(f"{values[name].dtype.str}{values[name].shape}".encode())
                state.update(np.ascontiguousarray(values[name]).tobytes())
    return states[0].hexdigest(), states[1].hexdigest()


def golden_inputs(graph: Graph, count: int = GOLDEN_VECTORS) -> list[list[Array]]:
    """Pseudo-random inputs that are the same with every NumPy: raw words of PCG64, which never change."""
    words = np.random.PCG64(_SEED)
    return [[_values(words, graph, name) for name in graph.inputs] for _ in range(count)]


def _values(words: np.random.PCG64, graph: Graph, name: TensorName) -> Array:
    tensor, tokens = graph[name], sequence.vocabulary(graph, name)
    draw = np.asarray(words.random_raw(max(1, tensor.elements)), dtype=np.uint64)[: tensor.elements]
    if tokens is not None:
        return _ids(draw, graph, tensor, tokens)
    if tensor.dtype is DType.FLOAT32:
        # 24 bits are exact in float32: values from -1 to 1.
        real = (draw >> np.uint64(40)).astype(np.float64) / float(1 << 23) - 1.0
        return real.astype(np.float32).reshape(tensor.shape)
    if tensor.dtype is DType.BOOL:
        return (draw & np.uint64(1)).astype(tensor.dtype.numpy).reshape(tensor.shape)
    limits = np.iinfo(tensor.dtype.numpy)
    span = np.uint64(min(int(limits.max) - int(limits.min) + 1, 1 << 32))
    values = (draw % span).astype(np.int64) + max(int(limits.min), -(1 << 31))
    return values.astype(tensor.dtype.numpy).reshape(tensor.shape)


def _ids(draw: Array, graph: Graph, tensor: Tensor, tokens: int) -> Array:
    """A sentence of token ids; where the model counts them, padding from the middle on."""
    ids = (draw % np.uint64(tokens)).astype(np.int64)
    counted = sequence.length_op(graph)
    if counted is not None and counted.inputs[0] == tensor.name:
        ids = np.where(ids == counted.padding, (counted.padding + 1) % tokens, ids)
        ids[tensor.elements // 2 + 1 :] = counted.padding
    return np.asarray(ids.astype(tensor.dtype.numpy).reshape(tensor.shape))


def _part(layers: Sequence[Layer]) -> Part:
    text = "\n".join(f"{layer.kind} {layer.digest}" for layer in layers)
    return Part(hashlib.sha256(text.encode()).hexdigest(), tuple(layer.name for layer in layers))


def _digest(op: Op, graph: Graph, numbers: dict[TensorName, int]) -> str:
    """SHA-256 over kind, fields, tensors and weights. Names and the place in the file do not count."""
    apart = ("name", "inputs", "outputs", "source")
    fields = {
        each.name: _plain(getattr(op, each.name)) for each in dataclasses.fields(op) if each.name not in apart
    }
    state = hashlib.sha256()
    tensors = []
    for name in (*op.inputs, *op.outputs):
        tensor = graph[name]
        tensors.append([numbers.get(name), *_signature(tensor)])
    state.update(json.dumps([op.kind, fields, tensors], sort_keys=True).encode())
    for name in op.inputs:
        data = graph[name].data
        if data is not None:
            state.update(np.ascontiguousarray(data).astype(data.dtype.newbyteorder("<")).tobytes())
    return state.hexdigest()


def _signature(tensor: Tensor) -> list[Any]:
    quantization = tensor.quantization
    if quantization is None:
        return [list(tensor.shape), tensor.dtype.name, None]
    scales = [float(scale).hex() for scale in quantization.scale]
    points = [int(point) for point in quantization.zero_point]
    return [list(tensor.shape), tensor.dtype.name, [scales, points, quantization.axis]]


def _plain(value: Any) -> Any:
    """A field of an op as JSON values."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value.hex()
    return value if value is None or isinstance(value, bool | int | str) else str(value)
