"""Buffers that overlap in part: a simulation of every access proves that no live byte is lost."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
import pytest

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Concatenation
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.kernels.kernel import Kernel, Lowered, Overlap
from tinyc.memory.exact import Choice, OutOfWorkError, Work, arena_fits
from tinyc.memory.lifetimes import buffers, live_bytes, lower_bound, overlays
from tinyc.memory.plan import Buffer, Lifetime, MemoryPlan, Overlay
from tinyc.memory.planner import ALIGNMENT, place, plan
from tinyc.program import Step

pytestmark = pytest.mark.unit

Written: TypeAlias = Literal["output", "scratch"]
# What a layer does, in order: ("r", position, byte), ("output", 0, byte) or ("scratch", 0, byte).
Trace: TypeAlias = list[tuple[str, int, int]]

KERNEL = Kernel(
    symbol="tinyc_test_s8__test",
    op=Concatenation,
    source="",
    lower=lambda op, graph: Lowered("", {}),
)
SIZES: Mapping[str, tuple[int, int]] = {"small": (1, 20), "mixed": (1, 200), "large": (100, 300)}


def random_trace(rng: np.random.Generator, reads: list[int], output: int, scratch: int) -> Trace:
    """Each operand is walked once, forwards or backwards, in random strides of one program."""
    lanes: list[Trace] = []
    for kind, position, size in (
        *(("r", position, size) for position, size in enumerate(reads)),
        ("output", 0, output),
        ("scratch", 0, scratch),
    ):
        lane = [(kind, position, byte) for byte in range(size)]
        lanes.append(lane[::-1] if rng.random() < 0.3 else lane)
    # Some lanes start late, so that everything from "all is read first" to "at once" comes up.
    late = [rng.random() * float(rng.choice([0, 1])) for _ in lanes]
    timed = [
        (late[number] + index / len(lane), number, event)
        for number, lane in enumerate(lanes)
        for index, event in enumerate(lane)
    ]
    return [event for _, _, event in sorted(timed)]


def lead(trace: Trace, position: int, written: Written, size: int) -> int:
    """The least distance from what is written to the activation at which no read comes too late."""
    reads = [at for _, at in sorted((e[2], at) for at, e in enumerate(trace) if e[:2] == ("r", position))]
    writes = [at for _, at in sorted((e[2], at) for at, e in enumerate(trace) if e[0] == written)]
    late = np.argwhere(np.array(writes)[:, None] < np.array(reads)[None, :])
    return int((late[:, 0] - late[:, 1]).max(initial=-size - 1)) + 1


def random_program(rng: np.random.Generator, layers: int) -> tuple[Graph, list[Step], list[Trace]]:
    """Layers that read one to three earlier values, some of them twice; some work in place."""
    low, high = SIZES[str(rng.choice(list(SIZES)))]
    quantization = Quantization((1.0,), (0,))
    tensors: dict[str, Tensor] = {}

    def tensor(name: str, size: int) -> str:
        tensors[name] = Tensor(name, (size,), DType.INT8, quantization)
        return name

    values = [tensor(f"in{i}", int(rng.integers(low, high))) for i in range(int(rng.integers(1, 3)))]
    inputs, ops, kernels, scratches, traces = tuple(values), [], [], [], []
    for index in range(layers):
        count = int(rng.integers(1, 4))
        recent = values[-2:] if rng.random() < 0.7 else values
        names = [str(rng.choice(recent)) for _ in range(count)]
        reads = [tensors[name].bytes for name in names]
        size = reads[0] if rng.random() < 0.3 else int(rng.integers(low, high))
        scratch = int(rng.integers(low, high)) if rng.random() < 0.6 else 0
        trace = random_trace(rng, reads, size, scratch)
        found: list[Overlap] = []
        for position in range(count):
            for written in ("output", *(("scratch",) if scratch else ())):
                if rng.random() < 0.8:
                    least = lead(trace, position, written, reads[position])
                    found.append(Overlap(position, written, least + int(rng.choice([0, 0, 5]))))
        # In place as a whole: one kind of overlap with a lead of 0 at most.
        safe = {position for position in range(count) if lead(trace, position, "output", size) <= 0}
        in_place = tuple(sorted(safe)) if rng.random() < 0.5 else ()
        kernels.append(replace(KERNEL, in_place=in_place, overlaps=_constant(tuple(found))))
        output = tensor(f"v{index}", size)
        ops.append(Concatenation(name=f"l{index}", inputs=tuple(names), outputs=(output,), axis=0))
        scratches.append(scratch)
        traces.append(trace)
        values.append(f"v{index}")
    outputs = tuple(sorted({values[-1], str(rng.choice(values))}))
    graph = Graph("random", tensors, tuple(ops), inputs, outputs)
    steps = [
        Step(i, op, kernel, Lowered("", {}), scratch)
        for i, (op, kernel, scratch) in enumerate(zip(ops, kernels, scratches, strict=True))
    ]
    return graph, steps, traces


def _constant(found: tuple[Overlap, ...]):  # type: ignore[no-untyped-def]
    return lambda op, graph: found


def simulate(graph: Graph, steps: list[Step], traces: list[Trace], result: MemoryPlan) -> None:
    """Run every access on an arena of labels; a wrong label is a byte that was lost."""
    arena: list[tuple[str, int] | None] = [None] * result.arena_size

    def holds(name: str, offset: int, size: int) -> None:
        for byte in range(size):
            assert arena[offset + byte] == (name, byte), f"byte {byte} of {name} holds {arena[offset + byte]}"

    for name in graph.inputs:
        for byte in range(graph[name].bytes):
            arena[result.offset(name) + byte] = (name, byte)
    for step, trace in zip(steps, traces, strict=True):
        output, scratch = step.op.outputs[0], f"scratch:{step.index}"
        scratch_at = result.buffer_offset(scratch) if step.scratch else 0
        for kind, position, byte in trace:
            if kind == "r":
                name = step.op.inputs[position]
                found = arena[result.offset(name) + byte]
                assert found == (name, byte), f"layer {step.index} reads {found} for {(name, byte)}"
            elif kind == "output":
                arena[result.offset(output) + byte] = (output, byte)
            else:
                arena[scratch_at + byte] = (scratch, byte)
        holds(output, result.offset(output), graph[output].bytes)
        holds(scratch, scratch_at, step.scratch)
    for name in graph.outputs:
        holds(name, result.offset(name), graph[name].bytes)


def overlapping(result: MemoryPlan) -> int:
    """Pairs that share bytes while both are alive."""
    return sum(
        one.buffer.lifetime.overlaps(other.buffer.lifetime)
        and one.offset < other.end
        and other.offset < one.end
        for index, one in enumerate(result.placements)
        for other in result.placements[index + 1 :]
    )


def test_no_live_byte_is_ever_lost() -> None:
    shared = smaller = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        graph, steps, traces = random_program(rng, int(rng.integers(1, 9)))
        result = plan(graph, steps)
        assert all(p.offset % ALIGNMENT == 0 and p.end <= result.arena_size for p in result.placements)
        simulate(graph, steps, traces, result)
        assert result.lower_bound <= result.arena_size
        requests = buffers(graph, steps)
        live = lower_bound(requests, overlays(graph, steps, requests))
        assert max(map(result.live_bytes, range(-1, len(steps) + 1))) >= live <= result.lower_bound
        apart = place(requests)
        assert live <= apart.lower_bound
        shared += overlapping(result)
        smaller += result.arena_size < apart.arena_size
    assert shared > 100
    assert smaller > 50


@pytest.mark.parametrize("wrong", [1, 16, 64])
def test_the_simulation_notices_a_lead_that_is_too_small(wrong: int) -> None:
    lost = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        graph, steps, traces = random_program(rng, 6)

        closer = []
        for step in steps:
            found = [replace(o, lead=o.lead - wrong) for o in step.kernel.overlaps(step.op, graph)]
            kernel = replace(step.kernel, overlaps=_constant(tuple(found)))
            closer.append(replace(step, kernel=kernel))
        try:
            simulate(graph, steps, traces, plan(graph, closer))
        except AssertionError:
            lost += 1
    assert lost >= 3


def _pair(size: int, lead: int, read: int) -> MemoryPlan:
    written, source = Buffer("w", size, Lifetime(0, 1)), Buffer("r", read, Lifetime(-1, 0))
    return place([source, written], [Overlay("w", "r", lead)])


def test_two_buffers_take_no_more_than_their_union() -> None:
    for size, lead_, read, union in (
        (640, 320, 320, 640),  # widening in place
        (300, 16, 300, 316),
        (300, 0, 300, 300),
        (100, -900, 300, 300),
        (300, 320, 200, 500),  # no use
        (32, 16, 320, 336),
    ):
        result = _pair(size, lead_, read)
        assert result.lower_bound == union
        assert result.arena_size == union or result.arena_size - union < ALIGNMENT


def test_the_bound_holds_for_every_pair_of_places() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        size, read = (int(rng.integers(1, 40)) for _ in range(2))
        lead_ = int(rng.integers(-50, 50))
        requests = [Buffer("r", read, Lifetime(-1, 0)), Buffer("w", size, Lifetime(0, 1))]
        covered = [
            len({*range(size), *range(at, at + read)})
            for at in range(-100, 100)
            if at >= lead_ or at + read <= 0 or at >= size
        ]
        pairs = [Overlay("w", "r", lead_)]
        assert live_bytes(requests, pairs, 0) == min(covered)
        assert lower_bound(requests, pairs) == max(min(covered), size, read)


def _one_layer(names: tuple[str, ...], overlaps: tuple[Overlap, ...], scratch: int, **kernel: object):  # type: ignore[no-untyped-def]
    tensors = {n: Tensor(n, (100,), DType.INT8, Quantization((1.0,), (0,))) for n in (*names, "y")}
    op = Concatenation(name="l", inputs=names, outputs=("y",), axis=0)
    graph = Graph("one", tensors, (op,), tuple(dict.fromkeys(names)), ("y",))
    chosen = replace(KERNEL, overlaps=_constant(overlaps), **kernel)
    steps = [Step(0, op, chosen, Lowered("", {}), scratch)]
    found = overlays(graph, steps, buffers(graph, steps))
    return {(pair.written, pair.read, pair.lead) for pair in found}


def test_a_tensor_that_is_read_twice_needs_leave_for_both_positions() -> None:
    first, second = Overlap(0, "output", 3), Overlap(1, "output", 7)
    assert _one_layer(("a", "b"), (first, second), 0) == {("y", "a", 3), ("y", "b", 7)}
    assert _one_layer(("a", "a"), (first,), 0) == set()
    assert _one_layer(("a", "a"), (first, second), 0) == {("y", "a", 7)}


def test_what_lies_in_a_shared_buffer_stays_where_it_is() -> None:
    output, scratch = Overlap(0, "output", 3), Overlap(0, "scratch", 5)
    both = (output, scratch)
    assert _one_layer(("a",), both, 40) == {("y", "a", 3), ("scratch:0", "a", 5)}
    assert _one_layer(("a",), both, 0) == {("y", "a", 3)}
    # The output takes over the buffer of `a`: neither may it move, nor may the scratch lie on it.
    assert _one_layer(("a",), both, 40, in_place=(0,)) == set()
    # It takes over that of `b`: now it is older than the layer, but the scratch may still lie on `a`.
    assert _one_layer(("a", "b"), both, 40, in_place=(1,)) == {("scratch:0", "a", 5)}


def test_a_long_chain_stays_near_its_bound_and_is_planned_fast() -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        requests, pairs = [], []
        for index in range(60):
            # Like a convolutional network: the sizes fall, the largest layers follow one another.
            size = int(rng.integers(3000, 4000) * 2.0 ** -(index // 6))
            requests.append(Buffer(f"b{index}", size, Lifetime(index - 1, index)))
            if index:
                pairs.append(Overlay(f"b{index}", f"b{index - 1}", int(rng.integers(0, 40))))
            requests.append(Buffer(f"s{index}", int(rng.integers(16, 200)), Lifetime(index, index)))
        start = time.process_time()
        result = place(requests, pairs)
        assert time.process_time() - start < 3
        assert lower_bound(requests, pairs) <= result.lower_bound <= result.arena_size
        assert result.arena_size <= 1.02 * result.lower_bound
        assert result.arena_size < 0.65 * lower_bound(requests)


def test_buffers_that_push_one_another_along_need_more_than_any_layer() -> None:
    # Five maps of 8000 bytes in place of one another, each 192 bytes before the last one; a scratch at
    # every layer. Worked out by hand: some map lies between 192 and 512 bytes too low for the scratch.
    requests = [Buffer(f"map{i}", 8000, Lifetime(2 * i, 2 * i + 2)) for i in range(5)]
    for step in range(10):
        requests.append(Buffer(f"scratch{step}", 512 if step % 2 == 0 else 1568, Lifetime(step, step)))
    pairs = [Overlay(f"map{i + 1}", f"map{i}", 192) for i in range(4)]
    assert lower_bound(requests, pairs) == 8000 + 1568
    result = place(requests, pairs)
    assert result.arena_size == result.lower_bound > 8000 + 1568


def test_exact_placement_equals_exhaustive_search() -> None:
    rng = np.random.default_rng(7)
    answers = set()
    for _ in range(300):
        count, arena = int(rng.integers(1, 5)), int(rng.integers(3, 9))
        sizes = [int(size) for size in rng.integers(1, 5, count)]
        choices = [
            (i, j, *(int(v) for v in rng.integers(-1, 5, 2)))
            for i, j in itertools.combinations(range(count), 2)
            if rng.random() < 0.8
        ]

        def is_right(x: Sequence[int], choices: list[Choice] = choices) -> bool:
            return all(x[j] >= x[i] + up or x[i] >= x[j] + down for i, j, up, down in choices)

        places = itertools.product(*(range(arena - size + 1) for size in sizes))
        expected = any(map(is_right, places)) if max(sizes) <= arena else False
        found = arena_fits(sizes, choices, arena, 1, Work(10**6))
        assert (found is not None) == expected
        if found is not None:
            assert is_right(found) and all(
                0 <= at <= arena - size for at, size in zip(found, sizes, strict=True)
            )
        answers.add(expected)
    assert answers == {True, False}
    with pytest.raises(OutOfWorkError):
        arena_fits([3, 3], [(0, 1, 3, 3)], 6, 1, Work(0))
