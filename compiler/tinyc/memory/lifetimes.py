"""Which steps every buffer of a program is alive, and which tensors may share one buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import TensorName
from tinyc.memory.plan import Buffer, Lifetime


class InPlace(Protocol):
    """What lifetimes need to know of a kernel."""

    @property
    def in_place(self) -> tuple[int, ...]: ...


class StepLike(Protocol):
    """What lifetimes need to know of a layer; `tinyc.program.Step` is one."""

    @property
    def index(self) -> int: ...
    @property
    def op(self) -> Op: ...
    @property
    def kernel(self) -> InPlace: ...
    @property
    def scratch(self) -> int: ...


@dataclass(slots=True)
class _Group:
    """Tensors that share memory; the last one holds the live value."""

    size: int
    first: int
    last: int
    tensors: list[TensorName]


def tensor_lifetimes(graph: Graph) -> dict[TensorName, Lifetime]:
    """Lifetime of every tensor that is not a constant.

    A graph input lives from step -1, a graph output to the number of ops. A result that nobody
    reads lives in the step that writes it.
    """
    first: dict[TensorName, int] = {}
    last: dict[TensorName, int] = {}
    for name in graph.inputs:
        if not graph[name].is_constant:
            first[name] = last[name] = -1
    for index, op in enumerate(graph.ops):
        for name in op.inputs:
            if not graph[name].is_constant:
                last[name] = index
        for name in op.outputs:
            first[name] = last[name] = index
    for name in graph.outputs:
        if name in first:
            last[name] = len(graph.ops)
    return {name: Lifetime(first[name], last[name]) for name in first}


def buffers(graph: Graph, steps: Sequence[StepLike], audio_bytes: int = 0) -> tuple[Buffer, ...]:
    """All requests for arena bytes.

    A result takes over the buffer of an activation when the kernel allows it (`in_place`), the
    activation dies in that very step and both have the same number of bytes. Scratch of step i is
    the buffer `scratch:<i>`; the audio front end's state is `audio`, alive in step -1 beside the
    graph inputs.
    """
    lifetimes = tensor_lifetimes(graph)
    groups: dict[TensorName, _Group] = {}

    def open_group(name: TensorName) -> None:
        lifetime = lifetimes[name]
        groups[name] = _Group(graph[name].bytes, lifetime.first, lifetime.last, [name])

    for name in dict.fromkeys(graph.inputs):
        if name in lifetimes:
            open_group(name)
    for step in steps:
        activations = [tensor.name for tensor in graph.activations(step.op)]
        for position, name in enumerate(step.op.outputs):
            host = None
            if position == 0:
                host = _host(graph, lifetimes, activations, step, name)
            if host is None:
                open_group(name)
            else:
                group = groups[host]
                group.last = lifetimes[name].last
                group.tensors.append(name)
                groups[name] = group
    unique = {id(group): group for group in groups.values()}
    found = [
        Buffer(group.tensors[0], group.size, Lifetime(group.first, group.last), tuple(group.tensors))
        for group in unique.values()
    ]
    found += [
        Buffer(f"scratch:{step.index}", step.scratch, Lifetime(step.index, step.index))
        for step in steps
        if step.scratch > 0
    ]
    if audio_bytes > 0:
        found.append(Buffer("audio", audio_bytes, Lifetime(-1, -1)))
    return tuple(found)


def _host(
    graph: Graph,
    lifetimes: dict[TensorName, Lifetime],
    activations: Sequence[TensorName],
    step: StepLike,
    result: TensorName,
) -> TensorName | None:
    """The activation whose buffer `result` may take over, or None."""
    for position in step.kernel.in_place:
        if position >= len(activations):
            continue
        name = activations[position]
        # A tensor read at two positions is safe only where the kernel allows both.
        positions = {index for index, other in enumerate(activations) if other == name}
        dies = lifetimes[name].last == step.index
        if dies and positions <= set(step.kernel.in_place) and graph[name].bytes == graph[result].bytes:
            return name
    return None


def lower_bound(requests: Sequence[Buffer]) -> int:
    """The largest sum of bytes alive at one step: no placement can need less."""
    starts = {buffer.lifetime.first for buffer in requests}
    return max(
        (sum(b.size for b in requests if b.lifetime.first <= step <= b.lifetime.last) for step in starts),
        default=0,
    )
