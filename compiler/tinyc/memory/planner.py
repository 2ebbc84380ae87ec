"""Places buffers in the arena: offset assignment with several orders, then a bounded local search.

Every candidate is "first fit": buffers are placed in some order, each at the lowest aligned offset
where it overlaps no placed buffer that is alive at the same time. Only the order differs. See
Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020), for the
greedy orders; the local search over orders is plain hill climbing with a fixed seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tinyc.ir.graph import Graph
from tinyc.memory.lifetimes import StepLike, buffers, lower_bound
from tinyc.memory.plan import Buffer, MemoryPlan, Placement

ALIGNMENT = 16
# Pairs of buffers that the local search may compare before it gives up: well under a second.
_SEARCH_WORK = 1_000_000


def plan(graph: Graph, steps: Sequence[StepLike], audio_bytes: int = 0) -> MemoryPlan:
    """The memory plan of a program; sizes and offsets in bytes, offsets multiples of `ALIGNMENT`.

    `steps` are the layers in order (`tinyc.program.Step`). `audio_bytes` asks for a buffer
    `audio` for the state of the audio front end. Deterministic.
    """
    return place(buffers(graph, steps, audio_bytes))


def place(requests: Sequence[Buffer]) -> MemoryPlan:
    """Offsets for `requests`, with the smallest arena that a bounded search finds."""
    target = _aligned_bound(requests)
    best_size, best = -1, list[int]()
    best_order: list[int] = []
    conflicts = _conflicts(requests)
    for order in _orders(requests):
        size, offsets = _first_fit(requests, conflicts, order)
        if best_size < 0 or size < best_size:
            best_size, best, best_order = size, offsets, order
        if best_size <= target:
            break
    else:
        best_size, best = _climb(requests, conflicts, best_order, best_size, best, target)
    placements = tuple(Placement(buffer, offset) for buffer, offset in zip(requests, best, strict=True))
    return MemoryPlan(max(0, best_size), lower_bound(requests), placements)


def _align(size: int) -> int:
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def _aligned_bound(requests: Sequence[Buffer]) -> int:
    """A bound that aligned offsets can reach: all padding but that of the topmost buffer counts."""
    bound = 0
    for step in {buffer.lifetime.first for buffer in requests}:
        sizes = [b.size for b in requests if b.lifetime.first <= step <= b.lifetime.last]
        padding = max(_align(size) - size for size in sizes)
        bound = max(bound, sum(map(_align, sizes)) - padding)
    return bound


def _conflicts(requests: Sequence[Buffer]) -> list[list[int]]:
    return [
        [j for j, other in enumerate(requests) if i != j and buffer.lifetime.overlaps(other.lifetime)]
        for i, buffer in enumerate(requests)
    ]


def _orders(requests: Sequence[Buffer]) -> list[list[int]]:
    """Orders worth trying; ties end in the index, so that every run gives the same plan."""
    pressure = {
        step: sum(b.size for b in requests if b.lifetime.first <= step <= b.lifetime.last)
        for step in {buffer.lifetime.first for buffer in requests}
    }

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
    requests: Sequence[Buffer], conflicts: Sequence[Sequence[int]], order: Sequence[int]
) -> tuple[int, list[int]]:
    """(arena size, offsets) when buffers are placed in `order`."""
    offsets = [-1] * len(requests)
    arena = 0
    for index in order:
        size = requests[index].size
        taken = sorted(
            (offsets[j], offsets[j] + requests[j].size) for j in conflicts[index] if offsets[j] >= 0
        )
        offset = 0
        for start, end in taken:
            if offset + size <= start:
                break
            offset = max(offset, _align(end))
        offsets[index] = offset
        arena = max(arena, offset + size)
    return arena, offsets


def _climb(
    requests: Sequence[Buffer],
    conflicts: Sequence[Sequence[int]],
    order: list[int],
    size: int,
    offsets: list[int],
    target: int,
) -> tuple[int, list[int]]:
    """Hill climbing over orders: move one buffer to another place, keep what is not worse."""
    count = len(order)
    if count < 3:
        return size, offsets
    generator = random.Random(0)
    current, current_size, current_offsets = list(order), size, offsets
    for _ in range(_SEARCH_WORK // (count + sum(map(len, conflicts)))):
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
