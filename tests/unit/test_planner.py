"""Lifetimes and placement: nothing that is alive together overlaps, and little is wasted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.common import constant
from tinyc.boards import load_board
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import FullyConnected
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.memory import planner
from tinyc.memory.lifetimes import buffers, tensor_lifetimes
from tinyc.memory.plan import Buffer, Lifetime, MemoryPlan
from tinyc.memory.planner import ALIGNMENT, place, plan
from tinyc.program import Step
from tinyc.selection import choose

pytestmark = pytest.mark.unit


@st.composite
def _requests(draw: st.DrawFn) -> list[Buffer]:
    found = []
    for index in range(draw(st.integers(0, 14))):
        first = draw(st.integers(-1, 12))
        last = draw(st.integers(first, 13))
        found.append(Buffer(f"b{index}", draw(st.integers(1, 500)), Lifetime(first, last), (f"b{index}",)))
    return found


def assert_sound(plan: MemoryPlan) -> None:
    for placement in plan.placements:
        assert placement.offset % ALIGNMENT == 0
        assert placement.end <= plan.arena_size
    for index, one in enumerate(plan.placements):
        for other in plan.placements[index + 1 :]:
            if one.buffer.lifetime.overlaps(other.buffer.lifetime):
                assert one.end <= other.offset or other.end <= one.offset, (one, other)
    assert plan.arena_size >= plan.lower_bound


@settings(max_examples=150, deadline=None)
@given(_requests())
def test_placements_never_overlap_while_alive(requests: list[Buffer]) -> None:
    result = place(requests)
    assert [placement.buffer for placement in result.placements] == requests
    assert_sound(result)
    alive = [
        sum(b.size for b in requests if b.lifetime.first <= step <= b.lifetime.last) for step in range(-1, 14)
    ]
    assert result.lower_bound == max(alive)
    assert result.arena_size <= sum((b.size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT for b in requests)


@settings(max_examples=30, deadline=None)
@given(_requests())
def test_the_plan_is_deterministic(requests: list[Buffer]) -> None:
    assert place(requests) == place(requests)


def test_the_search_reaches_the_bound_where_greedy_orders_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def arenas() -> list[MemoryPlan]:
        plans = []
        for seed in range(15):
            rng = np.random.default_rng(seed)
            requests = []
            for index in range(25):
                first = int(rng.integers(-1, 25))
                lifetime = Lifetime(first, min(25, first + int(rng.choice([1, 2, 3, 5, 8, 13]))))
                requests.append(Buffer(f"b{index}", 16 * int(rng.integers(1, 60)), lifetime))
            plans.append(place(requests))
            assert_sound(plans[-1])
        return plans

    searched = arenas()
    monkeypatch.setattr(planner, "_SEARCH_WORK", 0)
    greedy = arenas()
    assert all(one.arena_size <= other.arena_size for one, other in zip(searched, greedy, strict=True))
    assert sum(one.arena_size < other.arena_size for one, other in zip(searched, greedy, strict=True)) >= 2
    assert max(one.arena_size / one.lower_bound for one in searched) <= 1.02


def _layer(name: str, x: str, y: str) -> FullyConnected:
    return FullyConnected(name=name, inputs=(x, "weights"), outputs=(y,))


def _chain() -> tuple[Graph, list[Step]]:
    """x -> a -> b -> c, and c = layer(b); `a` is read twice."""
    quantization = Quantization((0.5,), (0,))
    weights = constant("weights", np.ones((20, 20), np.int8), quantization)
    tensors = {n: Tensor(n, (1, 20), DType.INT8, quantization) for n in "xabc"} | {"weights": weights}
    ops = (_layer("l0", "x", "a"), _layer("l1", "a", "b"), _layer("l2", "a", "c"))
    graph = verify(Graph("chain", tensors, ops, ("x",), ("b", "c")))
    steps, _ = choose(graph, load_board("host"))
    return graph, list(steps)


def test_lifetimes_of_inputs_outputs_and_shared_values() -> None:
    graph, _ = _chain()
    assert tensor_lifetimes(graph) == {
        "x": Lifetime(-1, 0),
        "a": Lifetime(0, 2),
        "b": Lifetime(1, 3),
        "c": Lifetime(2, 3),
    }


def test_scratch_and_audio_have_their_own_buffers() -> None:
    graph, steps = _chain()
    steps[1] = dataclasses.replace(steps[1], scratch=100)
    result = plan(graph, steps, audio_bytes=77)
    assert_sound(result)
    scratch = next(p for p in result.placements if p.buffer.name == "scratch:1")
    audio = next(p for p in result.placements if p.buffer.name == "audio")
    assert scratch.buffer.size == 100 and scratch.buffer.lifetime == Lifetime(1, 1)
    assert audio.buffer.lifetime == Lifetime(-1, -1)
    assert result.offset("x") == next(p for p in result.placements if p.buffer.name == "x").offset
    with pytest.raises(KeyError):
        result.offset("weights")


def test_in_place_results_share_the_buffer_only_when_the_input_dies() -> None:
    graph, steps = _chain()
    steps = [
        dataclasses.replace(step, kernel=dataclasses.replace(step.kernel, in_place=(0,))) for step in steps
    ]
    groups = {buffer.tensors: buffer.lifetime for buffer in buffers(graph, steps)}
    # l0 may overwrite x; l1 may not overwrite a, which l2 still reads; l2 may.
    assert groups == {("x", "a", "c"): Lifetime(-1, 3), ("b",): Lifetime(1, 3)}
    result = plan(graph, steps)
    assert_sound(result)
    assert result.offset("x") == result.offset("a") == result.offset("c") != result.offset("b")
