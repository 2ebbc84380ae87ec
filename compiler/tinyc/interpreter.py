"""Runs a graph on NumPy arrays with the reference of each op: the truth that the C is held against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, Tensor, TensorName
from tinyc.quantize.fixed_point import Rounding

StateValues: TypeAlias = Mapping[TensorName, Array]


def run(graph: Graph, inputs: Sequence[Array], rounding: Rounding = Rounding.DOUBLE) -> tuple[Array, ...]:
    """Outputs of `graph` in the order of `graph.outputs`, of the first inference after a reset.

    `inputs` are one array per graph input, with its shape and dtype.
    Raises TinycError when they do not fit.
    """
    values = trace(graph, inputs, rounding)
    return tuple(values[name] for name in graph.outputs)


def initial_state(graph: Graph) -> StateValues:
    """The values of the states after a reset."""
    return {state.name: state.initial for state in graph.states}


def next_state(graph: Graph, values: Mapping[TensorName, Array]) -> StateValues:
    """The values that the inference with these `values` (from `trace`) leaves in the states."""
    return {state.name: values[state.update] for state in graph.states}


def run_sequence(
    graph: Graph, vectors: Iterable[Sequence[Array]], rounding: Rounding = Rounding.DOUBLE
) -> Iterator[tuple[Array, ...]]:
    """The outputs of one inference after the other, from a reset on."""
    state = initial_state(graph)
    for inputs in vectors:
        values = trace(graph, inputs, rounding, state)
        state = next_state(graph, values)
        yield tuple(values[name] for name in graph.outputs)


def trace(
    graph: Graph,
    inputs: Sequence[Array],
    rounding: Rounding = Rounding.DOUBLE,
    state: StateValues | None = None,
) -> Mapping[TensorName, Array]:
    """Values of every tensor: inputs, constants, states and all results, by tensor name.

    `state` are the values of the states before, by default those after a reset.
    In a graph of sentences (`tinyc.ir.sequence`) results hold the rows of this sentence only.
    Raises TinycError when `inputs` do not fit the graph's inputs.
    """
    check_inputs(graph, inputs)
    values: dict[TensorName, Array] = {tensor.name: tensor.constant for tensor in graph.constants()}
    values.update(zip(graph.inputs, inputs, strict=True))
    values.update(initial_state(graph) if state is None else state)
    tensors = at_length(graph, values)
    rows = {name: tensor.shape[1] for name, tensor in tensors.items() if tensor.shape != graph[name].shape}
    for op in graph.ops:
        operands = [tensors[name] for name in op.inputs]
        results = [tensors[name] for name in op.outputs]
        arguments = [values[name][:, : rows[name]] if name in rows else values[name] for name in op.inputs]
        # Infinities and NaNs are answers of float32 as any others.
        with np.errstate(all="ignore"):
            arrays = op.reference(arguments, operands, results, rounding)
        for tensor, array in zip(results, arrays, strict=True):
            if array.shape != tensor.shape or array.dtype != tensor.dtype.numpy:
                raise AssertionError(
                    f"the reference of {op.kind} {op.name!r} gives {array.dtype}{array.shape} "
                    f"for {tensor.name!r}, declared {tensor.dtype.numpy}{tensor.shape}"
                )
            values[tensor.name] = array
    return values


def at_length(graph: Graph, values: Mapping[TensorName, Array]) -> Mapping[TensorName, Tensor]:
    """The tensors of `graph` with the rows that a sentence has; `values` hold the graph's inputs."""
    op = sequence.length_op(graph)
    if op is None:
        return graph.tensors
    ids = [values[name] for name in op.inputs]
    (length,) = op.reference(ids, graph.operands(op), graph.results(op), Rounding.DOUBLE)
    names = sequence.varying(graph) | sequence.row_constants(graph)
    cut = {name: sequence.cut(graph[name], int(length[0])) for name in names}
    return {**graph.tensors, **cut}


def check_inputs(graph: Graph, inputs: Sequence[Array]) -> None:
    """Raise TinycError unless `inputs` match the graph's inputs in number, shape and dtype."""
    if len(inputs) != len(graph.inputs):
        raise TinycError(
            f"the model takes {len(graph.inputs)} inputs, got {len(inputs)}", where=f"graph {graph.name}"
        )
    problems = []
    for name, value in zip(graph.inputs, inputs, strict=True):
        tensor = graph[name]
        if tuple(np.shape(value)) != tensor.shape or value.dtype != tensor.dtype.numpy:
            problems.append(
                Problem(
                    f"input {name}",
                    f"is {value.dtype}{list(np.shape(value))}",
                    f"needs {tensor.dtype.numpy}{list(tensor.shape)}",
                )
            )
    if problems:
        raise TinycError("the input does not fit the model", where=f"graph {graph.name}", problems=problems)
