"""Many samples in one run: their rows stand one behind the other.

Layers that work row by row are computed once for all samples, the others sample by sample, all with
the reference of the op. Each result is that of the interpreter, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.errors import TinycError
from tinyc.interpreter import at_length
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Array, DType, Tensor, TensorName
from tinyc.quantize.calibrate import Sample
from tinyc.quantize.fixed_point import Rounding
from tinyc.quantize.measure import quantize_input

# Each row of their output follows from the same row of their inputs.
_ROW_BY_ROW = frozenset(
    {"GELU", "LAYER_NORM", "LINEAR", "LOGISTIC", "RMS_NORM", "SILU", "SOFTMAX", "SQUARED_RELU", "TANH"}
)
_MEMORY_LIMIT = 384 * 2**20


@dataclass(frozen=True, slots=True)
class Pack:
    """The inputs of many samples, cut to the rows they have. `lengths` are the tokens of each sentence."""

    samples: tuple[Sample, ...]
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Values of all tensors of `graph`, packed; constants as they are."""

    graph: Graph
    pack: Pack
    values: Mapping[TensorName, Array]

    def axis(self, name: TensorName) -> int:
        """Along which the samples stand one behind the other."""
        return packed_axis(self.graph[name], name in sequence.varying(self.graph))


def packed_axis(tensor: Tensor, varying: bool) -> int:
    return 1 if varying or len(tensor.shape) > 2 else 0


def make_pack(graph: Graph, samples: Sequence[Sample]) -> Pack:
    """Raises nothing: the samples have been checked."""
    counted = sequence.length_op(graph)
    lengths = []
    for sample in samples:
        values = dict(zip(graph.inputs, sample, strict=True))
        tensors = at_length(graph, values)
        lengths.append(0 if counted is None else tensors[counted.inputs[0]].shape[1])
    return Pack(tuple(samples), tuple(lengths))


def chunks(graph: Graph, samples: Sequence[Sample]) -> list[tuple[Sample, ...]]:
    """The samples in portions whose float runs fit the memory that may be used."""
    at_once = samples_at_once(graph)
    return [tuple(samples[start : start + at_once]) for start in range(0, len(samples), at_once)]


def samples_at_once(graph: Graph) -> int:
    each = sum(12 * tensor.elements for tensor in graph.tensors.values() if not tensor.is_constant)
    return max(1, _MEMORY_LIMIT // max(each, 1))


def run(graph: Graph, pack: Pack, before: Run | None = None) -> Run:
    """Every tensor of `graph`, float or quantized, for all samples.

    What is equal in `before`, a run of the same samples on a similar graph, is not computed again.
    """
    varying = sequence.varying(graph)
    values: dict[TensorName, Array] = {tensor.name: tensor.constant for tensor in graph.constants()}
    same: set[TensorName] = set()
    if before is not None:
        same = {t.name for t in graph.constants() if _same_constant(t, before.graph.tensors.get(t.name))}
    for position, name in enumerate(graph.inputs):
        tensor = graph[name]
        parts = [_input(tensor, sample[position]) for sample in pack.samples]
        if name in varying:
            parts = [part[:, :length] for part, length in zip(parts, pack.lengths, strict=True)]
        values[name] = np.concatenate(parts, axis=packed_axis(tensor, name in varying))
        if before is not None and before.graph.tensors.get(name) == tensor:
            same.add(name)
    old_ops = {} if before is None else {op.name: op for op in before.graph.ops}
    for op in graph.ops:
        if before is not None and _unchanged(op, old_ops.get(op.name), graph, before.graph, same):
            for name in op.outputs:
                values[name] = before.values[name]
                same.add(name)
            continue
        for name, value in zip(op.outputs, _evaluate(graph, op, values, pack, varying), strict=True):
            values[name] = value
            known = before is not None and before.graph.tensors.get(name) == graph[name]
            if before is not None and known and np.array_equal(before.values[name], value):
                same.add(name)
    return Run(graph, pack, values)


def _same_constant(tensor: Tensor, other: Tensor | None) -> bool:
    if other is None or tensor != other or not other.is_constant:
        return False
    return tensor.data is other.data or np.array_equal(tensor.constant, other.constant)


def _unchanged(op: Op, old: Op | None, graph: Graph, before: Graph, same: set[TensorName]) -> bool:
    return (
        op == old
        and all(name in same for name in op.inputs)
        and all(graph[name] == before.tensors.get(name) for name in op.outputs)
    )


def _input(tensor: Tensor, value: Array) -> Array:
    if tensor.dtype is DType.FLOAT32 or tensor.quantization is None:
        return value
    return quantize_input(tensor, value)


def split(graph: Graph, name: TensorName, value: Array, pack: Pack, varying: bool) -> list[Array]:
    """The value of each sample."""
    tensor = graph[name]
    axis = packed_axis(tensor, varying)
    if varying:
        ends = np.cumsum(pack.lengths)[:-1]
        return np.split(value, ends, axis=axis)
    if not tensor.shape:
        raise TinycError(f"tensor {name!r} has no axes", where=f"model {graph.name}")
    return np.split(value, len(pack.samples), axis=axis)


def parts(result: Run, name: TensorName) -> list[Array]:
    """The value of each sample, as the interpreter gives it."""
    return split(result.graph, name, result.values[name], result.pack, name in sequence.varying(result.graph))


def _evaluate(
    graph: Graph, op: Op, values: Mapping[TensorName, Array], pack: Pack, varying: frozenset[TensorName]
) -> list[Array]:
    operands = graph.operands(op)
    activations = [name for name in op.inputs if not graph[name].is_constant]
    residual = op.kind == "LINEAR" and getattr(op, "residual", False) and operands[-1].is_constant
    if op.kind in _ROW_BY_ROW and not residual:
        return _apply(graph, op, [values[name] for name in op.inputs])
    by_name = {name: split(graph, name, values[name], pack, name in varying) for name in activations}
    found: list[list[Array]] = [[] for _ in op.outputs]
    by_row = sequence.row_constants(graph)
    for index in range(len(pack.samples)):
        arguments = [by_name[name][index] if name in by_name else values[name] for name in op.inputs]
        arguments = [
            value[:, : pack.lengths[index]] if name in by_row else value
            for name, value in zip(op.inputs, arguments, strict=True)
        ]
        for place, array in zip(found, _apply(graph, op, arguments), strict=True):
            place.append(array)
    return [
        np.concatenate(arrays, axis=packed_axis(graph[name], name in varying))
        for name, arrays in zip(op.outputs, found, strict=True)
    ]


def _apply(graph: Graph, op: Op, arguments: Sequence[Array]) -> list[Array]:
    """The op on arrays whose rows are not those that the graph declares."""
    operands = [
        tensor
        if tensor.shape == value.shape
        else tensor.with_(shape=tuple(value.shape), data=value if tensor.is_constant else None)
        for tensor, value in zip(graph.operands(op), arguments, strict=True)
    ]
    shapes = op.output_shapes(operands)
    results = [tensor.with_(shape=shape) for tensor, shape in zip(graph.results(op), shapes, strict=True)]
    return list(op.reference(arguments, operands, results, Rounding.ANY))


def float_run(graph: Graph, pack: Pack) -> Run:
    """A run of the float graph. Raises TinycError that names the first tensor that is not finite."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        result = run(graph, pack)
    for op in graph.ops:
        for name in op.outputs:
            if not np.isfinite(result.values[name]).all():
                raise TinycError(
                    "the float model computes NaN or infinite values on the calibration data",
                    where=f"layer {op.name}, tensor {name}",
                    hint="check the weights of this layer and the scaling of the calibration inputs",
                )
    return result
