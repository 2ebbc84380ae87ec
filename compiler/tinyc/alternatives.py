"""The kernels that a layer can have, with what each costs in cycles and in arena."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.tensor import TensorName
from tinyc.kernels.kernel import Kernel, Overlap, Work
from tinyc.memory.plan import Lifetime

# (layer, kernel symbol) → what was measured; a fused layer has the number of its first part.
Measured: TypeAlias = Mapping[tuple[int, str], Work]


@dataclass(frozen=True, slots=True)
class Variant:
    """A kernel for one layer, or for it and the next. `live` are the arena bytes alive in that step with it.

    `work` is predicted or measured, None when the kernel does not say. `cycles` and `instructions`
    rank all the same: a kernel that does not say comes behind those that do, in catalogue order.
    """

    op: Op
    kernel: Kernel
    position: int
    work: Work | None
    cycles: float
    instructions: float
    scratch: int
    overlaps: tuple[Overlap, ...]
    live: int

    @property
    def is_fused(self) -> bool:
        return isinstance(self.op, ConvDepthwise2D)


@dataclass(frozen=True, slots=True)
class Placed:
    """A step as the planner needs it, whose overlaps are known."""

    index: int
    variant: Variant

    @property
    def op(self) -> Op:
        return self.variant.op

    @property
    def scratch(self) -> int:
        return self.variant.scratch

    @property
    def kernel(self) -> Placed:
        return self

    @property
    def in_place(self) -> tuple[int, ...]:
        return self.variant.kernel.in_place

    def overlaps(self, op: Op, graph: Graph) -> tuple[Overlap, ...]:
        return self.variant.overlaps


def alive_bytes(graph: Graph, lifetimes: Mapping[TensorName, Lifetime], audio_bytes: int) -> list[int]:
    """Bytes of tensors alive before the first step, in each step and after the last."""
    found = [0] * (len(graph.ops) + 2)
    for name, lifetime in lifetimes.items():
        for step in range(lifetime.first, lifetime.last + 1):
            found[step + 1] += graph[name].bytes
    found[0] += audio_bytes
    return found


def alive_fused(graph: Graph, op: ConvDepthwise2D, alive: int) -> int:
    """Bytes of tensors alive in the step of a fused op; `alive` are those in that of its first part alone."""
    return alive - op.intermediate.bytes + graph[op.outputs[0]].bytes


def variants_of(
    graph: Graph,
    op: Op,
    index: int,
    kernels: Sequence[Kernel],
    alive: int,
    lifetimes: Mapping[TensorName, Lifetime],
    measured: Measured,
) -> list[Variant]:
    """The variants of one layer, fastest first. `alive` are the bytes of tensors alive in its step."""
    dies = {name for name, lifetime in lifetimes.items() if lifetime.last == index}
    works = [
        measured.get((index, kernel.symbol)) or (kernel.work(op, graph) if kernel.work else None)
        for kernel in kernels
    ]
    known = [work for work in works if work is not None]
    # Stand-ins: a kernel that does not say ranks behind all that do.
    size = sum(tensor.elements for tensor in (*graph.activations(op), *graph.results(op)))
    guess = 10.0 * (1 + size + op.macs(graph.operands(op), graph.results(op)))
    cycles = float(max((work.cycles for work in known), default=0)) or guess
    instructions = float(max((work.instructions for work in known), default=0)) or guess
    found = []
    for position, (kernel, work) in enumerate(zip(kernels, works, strict=True)):
        if work is None:
            cycles, instructions = 2 * cycles, 2 * instructions
        scratch = kernel.scratch(op, graph)
        overlaps = kernel.overlaps(op, graph)
        live = alive + scratch - _shared(graph, op, kernel, overlaps, scratch, dies)
        ranks = (cycles, instructions) if work is None else (work.cycles, work.instructions)
        found.append(Variant(op, kernel, position, work, ranks[0], ranks[1], scratch, overlaps, live))
    return sorted(found, key=lambda variant: (variant.cycles, variant.instructions, variant.position))


def _shared(
    graph: Graph,
    op: Op,
    kernel: Kernel,
    overlaps: Sequence[Overlap],
    scratch: int,
    dies: Container[TensorName],
) -> int:
    """Bytes that the layer's buffers can have in common: results in place, writing over what `dies` here.

    What several overlaps save together is no more than the sizes of what they write, and no more than
    those of what they read.
    """
    names = [tensor.name for tensor in graph.activations(op)]
    written = {"output": graph.results(op)[0].bytes, "scratch": scratch}
    read = [graph[name].bytes if name in dies else 0 for name in names]
    in_place = (read[at] for at in kernel.in_place if at < len(read) and read[at] == written["output"])
    by_written, by_read = Counter[str](), Counter[int]()
    for overlap in overlaps:
        at, kind = overlap.position, overlap.written
        if at < len(read):
            saved = max(0, min(read[at], written[kind], written[kind] - overlap.lead))
            by_written[kind] += saved
            by_read[at] += saved
    overlapped = min(
        sum(min(written[kind], saved) for kind, saved in by_written.items()),
        sum(min(read[at], saved) for at, saved in by_read.items()),
    )
    return max(overlapped, *in_place, 0)
