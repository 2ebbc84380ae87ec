"""What passes share: who reads a tensor, new names, ops with other inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Op
from tinyc.ir.tensor import Shape, TensorName


def uses(graph: Graph) -> Counter[TensorName]:
    """How often each tensor is read; being an output of the graph counts as two reads."""
    count: Counter[TensorName] = Counter()
    for op in graph.ops:
        count.update(op.inputs)
    for name in graph.outputs:
        count[name] += 2
    return count


def fresh_name(taken: Mapping[TensorName, object], stem: str) -> TensorName:
    """`stem`, or `stem_2`, ... when it is taken."""
    name, number = stem, 2
    while name in taken:
        name = f"{stem}_{number}"
        number += 1
    return name


def added_axis(before: Shape, after: Shape) -> int | None:
    """The axis of one element that `after` has and `before` has not; None when that is not the difference."""
    return next(
        (a for a in range(len(after)) if after[a] == 1 and after[:a] + after[a + 1 :] == before), None
    )


def with_inputs_renamed(op: Op, names: Mapping[TensorName, TensorName]) -> Op:
    """The op reading other tensors; the same object when nothing changes."""
    inputs = tuple(names.get(name, name) for name in op.inputs)
    return op if inputs == op.inputs else op.with_(inputs=inputs)
