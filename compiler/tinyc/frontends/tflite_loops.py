"""Counted loops of .tflite files, unrolled: a WHILE whose steps are known before run time.

Keras gives a recurrent layer that is not unrolled as such a loop: a condition compares counters with the
length of the sequence, the body takes one step. Its operators are repeated, with the counters as constants.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from tinyc.frontends.tflite_node import Node
from tinyc.frontends.tflite_reader import MAX_TENSORS, RawModel, RawOperator, RawTensor
from tinyc.frontends.tflite_shapes import folded
from tinyc.ir.ops.base import Source
from tinyc.ir.tensor import Array, Tensor

# The values of tensors of a subgraph, by index.
Known: TypeAlias = Mapping[int, Array]

_TRUTHS = {
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "LOGICAL_AND": np.logical_and,
}


def unrolled(raw: RawModel) -> RawModel:
    """The model with the steps of each counted WHILE one after the other; others stay what they are."""
    tensors: dict[int, RawTensor] = dict(raw.tensors)
    operators: list[RawOperator] = []
    results: dict[int, int] = {}
    room = MAX_TENSORS - len(tensors)
    for operator in raw.operators:
        operator = replace(operator, inputs=tuple(results.get(index, index) for index in operator.inputs))
        steps: list[Known] | None = None
        if operator.loop is not None:
            steps, room = _counted(operator, *operator.loop, tensors, room)
        if operator.loop is None or steps is None:
            operators.append(operator)
            continue
        found, last = _repeated(operator, operator.loop[1], steps, tensors)
        operators += found
        results |= zip(operator.outputs, last, strict=True)
    outputs = tuple(results.get(index, index) for index in raw.outputs)
    return RawModel(tensors, tuple(operators), raw.inputs, outputs)


def _counted(
    loop: RawOperator, condition: RawModel, body: RawModel, tensors: Mapping[int, RawTensor], room: int
) -> tuple[list[Known] | None, int]:
    """(What is known in each step, the room left); None for a loop that is not counted or too long."""
    variables = (loop.outputs, condition.inputs, body.inputs, body.outputs)
    if any(len(each) != len(loop.inputs) for each in variables) or len(condition.outputs) != 1:
        return None, room
    if -1 in loop.inputs:
        return None, room
    size = sum(len(graph.tensors) + len(graph.operators) for graph in (condition, body))
    values = [tensors[index].data for index in loop.inputs]
    steps: list[Known] = []
    while room > 0:
        room -= size
        verdict = _known(condition, values).get(condition.outputs[0])
        if verdict is None or verdict.size != 1:
            return None, room
        if not verdict.item():
            return steps, room
        steps.append(_known(body, values))
        values = [steps[-1].get(index) for index in body.outputs]
    return None, room


def _known(graph: RawModel, inputs: Sequence[Array | None]) -> Known:
    """The tensors of a subgraph that are constants, or follow from them and the known ones of its inputs."""
    known = {index: tensor.data for index, tensor in graph.tensors.items() if tensor.data is not None}
    known |= {index: data for index, data in zip(graph.inputs, inputs, strict=True) if data is not None}
    for operator in graph.operators:
        if operator.outputs and all(index in known for index in operator.inputs):
            known |= zip(operator.outputs, _values(operator, graph, known), strict=False)
    return known


def _values(operator: RawOperator, graph: RawModel, known: Known) -> Sequence[Array]:
    """The results of an operator on integers or truths, nothing where they are not known."""
    values = [known[index] for index in operator.inputs]
    if operator.kind in _TRUTHS and len(values) == 2 and all(value.size == 1 for value in values):
        return [_TRUTHS[operator.kind](*values)]
    places = (*operator.inputs, *operator.outputs)
    tensors = [_tensor(index, graph.tensors[index], known.get(index)) for index in places]
    complete = tuple(tensor for tensor in tensors if tensor is not None)
    if len(complete) < len(tensors):
        return ()
    count, source = len(values), Source("", operator.index)
    node = Node(
        operator.kind, "", complete[:count], complete[count:], operator.options, operator.options_type, source
    )
    return folded(node) or ()


def _tensor(index: int, raw: RawTensor, data: Array | None) -> Tensor | None:
    if raw.dtype is None:
        return None
    return Tensor(str(index), raw.shape if data is None else data.shape, raw.dtype, raw.quantization, data)


@dataclass(frozen=True, slots=True)
class _List:
    """A loop variable [steps, ...] of which each step sets a row: the operators that do it, and the row."""

    operators: tuple[RawOperator, ...]
    row: int


def _lists(body: RawModel, steps: Sequence[Known]) -> Iterator[tuple[int, _List]]:
    """(position, list) of the loop variables that step i makes of rows 0 .. i - 1, a new one and the rest."""
    made = {output: operator for operator in body.operators for output in operator.outputs}
    reads = Counter(itertools.chain(body.outputs, *(operator.inputs for operator in body.operators)))
    for position, (before, after) in enumerate(zip(body.inputs, body.outputs, strict=True)):
        joined = made.get(after)
        if joined is None or joined.kind != "CONCATENATION" or len(joined.inputs) != 3:
            continue
        first, last = made.get(joined.inputs[0]), made.get(joined.inputs[2])
        if first is None or last is None or {first.kind, last.kind} != {"SLICE"}:
            continue
        alone = all(reads[index] == 1 for index in (after, joined.inputs[0], joined.inputs[2]))
        if not alone or reads[before] != 2 or body.tensors[before].shape[:1] != (len(steps),):
            continue
        if all(_is_row(step, before, first, last, number) for number, step in enumerate(steps)):
            yield position, _List((first, last, joined), joined.inputs[1])


def _is_row(known: Known, before: int, first: RawOperator, last: RawOperator, number: int) -> bool:
    """Whether the slices of `before` end at row `number`, and begin after it."""
    if not len(first.inputs) == len(last.inputs) == 3 or {first.inputs[0], last.inputs[0]} != {before}:
        return False
    bounds = [known.get(index) for index in (*first.inputs[1:], *last.inputs[1:])]
    if any(bound is None or bound.size == 0 for bound in bounds):
        return False
    begin, size, behind, rest = (list(bound.reshape(-1)) for bound in bounds if bound is not None)
    return (
        not any(begin)
        and size[0] == number
        and behind[0] == number + 1
        and not any(behind[1:])
        and all(extent == -1 for extent in (*size[1:], *rest))
    )


def _repeated(
    loop: RawOperator, body: RawModel, steps: Sequence[Known], tensors: dict[int, RawTensor]
) -> tuple[list[RawOperator], list[int]]:
    """The operators of all steps, and the tensors that are the loop's results. New ones come to `tensors`."""
    lists = dict(_lists(body, steps))
    skipped = {operator.index for each in lists.values() for operator in each.operators}
    rows: dict[int, list[int]] = {position: [] for position in lists}
    numbers = itertools.count(max(tensors, default=0) + 1)
    constants: dict[int, int] = {-1: -1}
    variables = list(loop.inputs)
    operators: list[RawOperator] = []

    def added(tensor: RawTensor) -> int:
        index = next(numbers)
        tensors[index] = tensor
        return index

    def placed(operator: RawOperator, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        operators.append(replace(operator, index=loop.index, inputs=tuple(inputs), outputs=tuple(outputs)))

    for _ in steps:
        places = constants | dict(zip(body.inputs, variables, strict=True))
        for index, tensor in body.tensors.items():
            if index not in places:
                places[index] = added(tensor)
                if tensor.data is not None:
                    constants[index] = places[index]
        for operator in body.operators:
            if operator.index not in skipped:
                placed(
                    operator,
                    *([places[index] for index in side] for side in (operator.inputs, operator.outputs)),
                )
        for position, each in lists.items():
            rows[position].append(places[each.row])
        variables = [places[index] for index in body.outputs]
    for position, each in lists.items():
        variables[position] = added(body.tensors[body.outputs[position]])
        placed(each.operators[-1], rows[position], [variables[position]])
    return operators, variables
