"""Which steps every buffer of a program is alive, which tensors may share one buffer and which buffers
may overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import TensorName
from tinyc.memory.plan import Buffer, Lifetime, Overlay


class OverlapLike(Protocol):
    """`tinyc.kernels.kernel.Overlap` is one."""

    @property
    def position(self) -> int: ...
    @property
    def written(self) -> str: ...
    @property
    def lead(self) -> int: ...


class KernelLike(Protocol):
    """What lifetimes need to know of a kernel."""

    @property
    def in_place(self) -> tuple[int, ...]: ...
    @property
    def overlaps(self) -> Callable[[Op, Graph], Sequence[OverlapLike]]: ...


class StepLike(Protocol):
    """What lifetimes need to know of a layer; `tinyc.program.Step` is one."""

    @property
    def index(self) -> int: ...
    @property
    def op(self) -> Op: ...
    @property
    def kernel(self) -> KernelLike: ...
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

    A graph input lives from step -1, a graph output to the number of ops, a state through both. A result
    that nobody reads lives in the step that writes it.
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
    for state in graph.states:
        first[state.name] = first[state.update] = -1
        last[state.name] = last[state.update] = len(graph.ops)
    return {name: Lifetime(first[name], last[name]) for name in first}


def buffers(graph: Graph, steps: Sequence[StepLike], audio_bytes: int = 0) -> tuple[Buffer, ...]:
    """All requests for arena bytes.

    A result takes over the buffer of an activation when the kernel allows it (`in_place`), the
    activation dies in that very step and both have the same number of bytes. Scratch of step i is
    the buffer `scratch:<i>`; the audio front end's state is `audio`, alive in step -1 beside the
    graph inputs. A state and its update are one buffer that nothing else shares.
    """
    lifetimes = tensor_lifetimes(graph)
    groups: dict[TensorName, _Group] = {}

    def open_group(name: TensorName) -> None:
        lifetime = lifetimes[name]
        groups[name] = _Group(graph[name].bytes, lifetime.first, lifetime.last, [name])

    for name in dict.fromkeys(graph.inputs):
        if name in lifetimes:
            open_group(name)
    for state in graph.states:
        open_group(state.name)
        groups[state.name].tensors.append(state.update)
        groups[state.update] = groups[state.name]
    for step in steps:
        activations = [tensor.name for tensor in graph.activations(step.op)]
        for position, name in enumerate(step.op.outputs):
            if name in groups:
                continue
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


def overlays(graph: Graph, steps: Sequence[StepLike], requests: Sequence[Buffer]) -> tuple[Overlay, ...]:
    """The pairs among `requests` (from `buffers`) that may overlap, by what the kernels say.

    What is written has to come to life in that step and what is read has to die there, as buffers: a
    result that lies in the buffer of another activation, or an activation that has just been overwritten
    in place, is not free to move.
    """
    holders = {tensor: buffer for buffer in requests for tensor in buffer.tensors}
    scratches = {buffer.name: buffer for buffer in requests if not buffer.tensors}
    found = []
    for step in steps:
        activations = [tensor.name for tensor in graph.activations(step.op)]
        written = {"output": holders[step.op.outputs[0]]}
        if step.scratch > 0:
            written["scratch"] = scratches[f"scratch:{step.index}"]
        for (kind, name), lead in _leads(step, graph, activations).items():
            target, source = written.get(kind), holders[name]
            if target is None or target is source or source.tensors[-1] != name:
                continue
            if target.lifetime.first == step.index == source.lifetime.last:
                found.append(Overlay(target.name, source.name, lead))
    return tuple(found)


def _leads(
    step: StepLike, graph: Graph, activations: Sequence[TensorName]
) -> dict[tuple[str, TensorName], int]:
    """(what is written, activation) → lead, where the kernel allows the two to overlap.

    A tensor that is read at several positions needs leave for each, and the largest lead of them.
    """
    leads: dict[tuple[str, int], int] = {}
    for overlap in step.kernel.overlaps(step.op, graph):
        key = (overlap.written, overlap.position)
        leads[key] = min(overlap.lead, leads.get(key, overlap.lead))
    found = {}
    for kind in sorted({kind for kind, _ in leads}):
        for name in dict.fromkeys(activations):
            wanted = [leads.get((kind, at)) for at, other in enumerate(activations) if other == name]
            known = [lead for lead in wanted if lead is not None]
            if len(known) == len(wanted):
                found[kind, name] = max(known)
    return found


def live_bytes(requests: Sequence[Buffer], pairs: Sequence[Overlay], step: int, cell: int = 1) -> int:
    """The bytes that the buffers alive at `step` cover at least, in whole cells of `cell` bytes.

    A pair that may overlap covers max(written, read, lead + read) bytes at least; what several pairs
    save together is no more than the sizes of what they write, and no more than that of what they read.
    """

    def cells(size: int) -> int:
        return -(-size // cell) * cell

    sizes = {b.name: cells(b.size) for b in requests if b.lifetime.first <= step <= b.lifetime.last}
    written, read = Counter[str](), Counter[str]()
    for pair in pairs:
        if pair.written in sizes and pair.read in sizes:
            one, other = sizes[pair.written], sizes[pair.read]
            saved = max(0, min(one, other, one - cells(pair.lead)))
            written[pair.written] += saved
            read[pair.read] += saved
    saved = min(sum(min(sizes[name], most) for name, most in side.items()) for side in (written, read))
    return sum(sizes.values()) - saved


def lower_bound(requests: Sequence[Buffer], pairs: Sequence[Overlay] = ()) -> int:
    """The most bytes that one step needs: no placement can do with less."""
    starts = {buffer.lifetime.first for buffer in requests}
    return max((live_bytes(requests, pairs, step) for step in starts), default=0)
