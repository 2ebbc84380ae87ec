"""Places buffers in the arena: offset assignment with several orders, then a bounded local search.

Every candidate is "first fit": buffers are placed in some order, each at the lowest aligned offset
where it overlaps no placed buffer that is alive at the same time, or only as far as the layer that
uses both allows. Only the order differs. See Pisarchyk and Lee, "Efficient Memory Management for Deep
Neural Net Inference" (2020), for the greedy orders; the local search over orders is plain hill climbing
with a fixed seed. Buffers that overlap in part: Blacker, Bridges and Hadfield, "Diagonal Memory
Optimisation for Machine Learning on Micro-controllers" (2020, arXiv:2010.01668).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from tinyc.ir.graph import Graph
from tinyc.memory.exact import OutOfWorkError, Work, arena_fits
from tinyc.memory.lifetimes import StepLike, buffers, live_bytes, lower_bound, overlays
from tinyc.memory.plan import Buffer, MemoryPlan, Overlay, Placement

ALIGNMENT = 16
# Pairs of buffers that the local search may compare before it gives up: well under a second. A
# candidate costs some even where it has few buffers.
_SEARCH_WORK = 1_000_000
_CANDIDATE_WORK = 16
# The same for the proof that goes before.
_PROOF_WORK = 1_000_000
_MOST_CHOICES = 600

# By buffer: (other, below, above). A buffer may not start between `below` bytes before and `above` bytes
# after the start of the other, both ends excluded.
_Conflicts: TypeAlias = "list[list[tuple[int, int, int]]]"


def plan(graph: Graph, steps: Sequence[StepLike], audio_bytes: int = 0) -> MemoryPlan:
    """The memory plan of a program; sizes and offsets in bytes, offsets multiples of `ALIGNMENT`.

    `steps` are the layers in order (`tinyc.program.Step`). `audio_bytes` asks for a buffer
    `audio` for the state of the audio front end. Deterministic.
    """
    requests = buffers(graph, steps, audio_bytes)
    return place(requests, overlays(graph, steps, requests))


def place(requests: Sequence[Buffer], pairs: Sequence[Overlay] = ()) -> MemoryPlan:
    """Offsets for `requests`, with the smallest arena that a bounded search finds.

    `pairs` are those of `requests` that may overlap.
    """
    pressure = {step: _aligned_bound(requests, pairs, step) for step in {b.lifetime.first for b in requests}}
    target = max(pressure.values(), default=0)
    best_size, best = -1, list[int]()
    best_order: list[int] = []
    conflicts = _conflicts(requests, pairs)
    for order in _orders(requests, pressure):
        size, offsets = _first_fit(requests, conflicts, order)
        if best_size < 0 or size < best_size:
            best_size, best, best_order = size, offsets, order
        if best_size <= target:
            break
    bound = lower_bound(requests, pairs)
    if pairs and best_size > target and sum(map(len, conflicts)) // 2 <= _MOST_CHOICES:
        best_size, best, target = _refine(requests, conflicts, best_size, best, target)
        bound = max(bound, target)
    if best_size > target:
        found, placed = _climb(requests, conflicts, best_order, best_size, best, target)
        if found < best_size:
            best_size, best = found, placed
    placements = tuple(Placement(buffer, offset) for buffer, offset in zip(requests, best, strict=True))
    return MemoryPlan(max(0, best_size), bound, placements)


def _align(size: int) -> int:
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def _aligned_bound(requests: Sequence[Buffer], pairs: Sequence[Overlay], step: int) -> int:
    """A bound for one step that aligned offsets can reach: all padding but the topmost buffer's counts."""
    sizes = [b.size for b in requests if b.lifetime.first <= step <= b.lifetime.last]
    padding = max(_align(size) - size for size in sizes)
    return live_bytes(requests, pairs, step, ALIGNMENT) - padding


def _conflicts(requests: Sequence[Buffer], pairs: Sequence[Overlay]) -> _Conflicts:
    leads = {(pair.written, pair.read): pair.lead for pair in pairs}
    found: _Conflicts = []
    for buffer in requests:
        row = []
        for index, other in enumerate(requests):
            if buffer is other or not buffer.lifetime.overlaps(other.lifetime):
                continue
            # A larger lead than its own size would ask what is written to keep a distance.
            below = min(buffer.size, leads.get((buffer.name, other.name), buffer.size))
            above = min(other.size, leads.get((other.name, buffer.name), other.size))
            if below + above > 0:
                row.append((index, below, above))
        found.append(row)
    return found


def _orders(requests: Sequence[Buffer], pressure: Mapping[int, int]) -> list[list[int]]:
    """Orders worth trying; ties end in the index, so that every run gives the same plan."""

    def peak(buffer: Buffer) -> int:
        return max(v for s, v in pressure.items() if buffer.lifetime.first <= s <= buffer.lifetime.last)

    def length(buffer: Buffer) -> int:
        return buffer.lifetime.last - buffer.lifetime.first + 1

    keys: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
        lambda b: (-b.size, -length(b)),
        lambda b: (-peak(b), -b.size),
        lambda b: (-peak(b), -length(b), -b.size),
        lambda b: (-length(b), -b.size),
        lambda b: (-b.size * length(b),),
        lambda b: (b.lifetime.first, -b.size),
        lambda b: (-b.lifetime.last, -b.size),
    )
    return [sorted(range(len(requests)), key=lambda i, key=key: (*key(requests[i]), i)) for key in keys]  # type: ignore[misc]


def _first_fit(
    requests: Sequence[Buffer], conflicts: _Conflicts, order: Sequence[int]
) -> tuple[int, list[int]]:
    """(arena size, offsets) when buffers are placed in `order`."""
    offsets = [-1] * len(requests)
    arena = 0
    for index in order:
        size = requests[index].size
        taken = sorted(
            (offsets[j] - below, offsets[j] + above)
            for j, below, above in conflicts[index]
            if offsets[j] >= 0
        )
        offset = 0
        for start, end in taken:
            if offset <= start:
                break
            offset = max(offset, _align(end))
        offsets[index] = offset
        arena = max(arena, offset + size)
    return arena, offsets


def _climb(
    requests: Sequence[Buffer],
    conflicts: _Conflicts,
    order: list[int],
    size: int,
    offsets: list[int],
    target: int,
) -> tuple[int, list[int]]:
    """Hill climbing over orders: move one buffer to another place, keep what is not worse."""
    count = len(order)
    if count < 2:
        return size, offsets
    generator = random.Random(0)
    current, current_size, current_offsets = list(order), size, offsets
    for _ in range(_SEARCH_WORK // (_CANDIDATE_WORK + count + sum(map(len, conflicts)))):
        candidate = list(current)
        # What reaches the top of the arena has to come earlier; any other move only stirs.
        top = [i for i in current if current_offsets[i] + requests[i].size == current_size]
        moved = generator.choice(top) if generator.random() < 0.5 else generator.randrange(count)
        candidate.remove(moved)
        candidate.insert(generator.randrange(count), moved)
        found, placed = _first_fit(requests, conflicts, candidate)
        if found <= current_size:
            current, current_size, current_offsets = candidate, found, placed
            if found <= target:
                break
    return current_size, current_offsets


def _refine(
    requests: Sequence[Buffer], conflicts: _Conflicts, size: int, offsets: list[int], bound: int
) -> tuple[int, list[int], int]:
    """(arena size, offsets, bytes that any aligned plan needs), between `bound` and `size`, by bisection.

    Where layers overlap their inputs, buffers push one another along from layer to layer: what one layer
    needs says too little then.
    """
    sizes = [buffer.size for buffer in requests]
    choices = [(i, j, up, down) for i, row in enumerate(conflicts) for j, up, down in row if i < j]
    work = Work(_PROOF_WORK)
    while bound < size:
        arena = (bound + size - 1) // 2
        try:
            found = arena_fits(sizes, choices, arena, ALIGNMENT, work)
        except OutOfWorkError:
            break
        if found is None:
            bound = arena + 1
        else:
            offsets = found
            size = max(at + length for at, length in zip(found, sizes, strict=True))
    return size, offsets, bound
