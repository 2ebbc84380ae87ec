"""The trade-off table: choices that none beats, those of the objectives among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.classifiers import separable_network, small_classifier
from support.command_line import tinyc
from tinyc.boards import load_board
from tinyc.errors import DoesNotFit, TinycError
from tinyc.memory.budget import budget
from tinyc.objective import Limits, Objective
from tinyc.patches import patches_of
from tinyc.pipeline import compile_graph
from tinyc.tradeoff import Point, tradeoff
from tinyc.variants import total

pytestmark = pytest.mark.unit

GRAPH = separable_network(np.random.default_rng(0))
SMALL = small_classifier(np.random.default_rng(0))
BOARD = load_board("nrf52840")


@pytest.fixture(scope="module")
def small() -> tuple[Point, ...]:
    return tradeoff(compile_graph(SMALL, BOARD, name="net"))


def beats(one: Point, other: Point) -> bool:
    return one.costs != other.costs and all(a <= b for a, b in zip(one.costs, other.costs, strict=True))


def test_no_point_is_beaten_and_the_objectives_are_there() -> None:
    program = compile_graph(GRAPH, BOARD, name="net", optimize=Objective.BALANCED)
    points = tradeoff(program)
    assert not any(beats(one, other) for one in points for other in points if not other.chosen)
    assert [point.arena for point in points] == sorted(point.arena for point in points)
    (chosen,) = (point for point in points if point.chosen)
    work = total(program)
    assert work is not None and "balanced" in chosen.optimize
    assert chosen.costs == (program.plan.arena_size, work.cycles, budget(program).flash)
    assert chosen.instructions == work.instructions
    for objective, cost in ((Objective.RAM, 0), (Objective.TIME, 1), (Objective.FLASH, 2)):
        (named,) = (point for point in points if objective.value in point.optimize)
        assert named.costs[cost] == min(point.costs[cost] for point in points)
    # A smaller arena than the fastest choice's costs time, and there is more than one.
    assert len({point.arena for point in points}) >= 3


def test_less_flash_does_not_cost_all_speed() -> None:
    """Between the fastest choice and the smallest firmware there are others."""
    points = sorted(tradeoff(compile_graph(GRAPH, BOARD, name="net")), key=lambda point: point.flash)
    least, quickest = points[0], min(points, key=lambda point: point.costs[1])
    between = [p for p in points if p.arena <= least.arena and least.flash < p.flash < quickest.flash]
    assert any(p.costs[1] < least.costs[1] / 2 for p in between)


def test_what_was_asked_for_is_there_even_if_beaten() -> None:
    program = compile_graph(GRAPH, BOARD, name="net", optimize=Objective.TIME)
    beaten = replace(program, plan=replace(program.plan, arena_size=program.plan.arena_size + 4096))
    points = tradeoff(beaten)
    (chosen,) = (point for point in points if point.chosen)
    assert chosen.arena == beaten.plan.arena_size and any(beats(point, chosen) for point in points)


def test_every_point_is_built_when_asked_for(small: tuple[Point, ...]) -> None:
    for point in small:
        limits = Limits(point.arena, point.flash)
        program = compile_graph(SMALL, BOARD, name="net", optimize=Objective.TIME, limits=limits)
        work = total(program)
        assert work is not None
        assert (program.plan.arena_size, work.instructions) == (point.arena, point.instructions)
        assert budget(program).flash == point.flash


def test_a_limit_that_only_patches_keep_gives_patches() -> None:
    unasked = compile_graph(GRAPH, BOARD, name="net", optimize=Objective.TIME)
    limits = Limits(arena=unasked.plan.arena_size // 2)
    program = compile_graph(GRAPH, BOARD, name="net", optimize=Objective.TIME, limits=limits)
    assert limits.arena is not None and program.plan.arena_size <= limits.arena
    assert patches_of(program.graph) and not patches_of(unasked.graph)


@pytest.mark.parametrize("objective", [Objective.BALANCED, Objective.TIME, Objective.RAM, Objective.FLASH])
def test_limits_that_an_objective_keeps_change_nothing(objective: Objective) -> None:
    unasked = compile_graph(SMALL, BOARD, name="net", optimize=objective)
    wide = Limits(unasked.plan.arena_size, budget(unasked).flash)
    asked = compile_graph(SMALL, BOARD, name="net", optimize=objective, limits=wide)
    assert [step.kernel for step in asked.steps] == [step.kernel for step in unasked.steps]


def test_an_objective_within_limits_is_the_best_of_what_they_allow(small: tuple[Point, ...]) -> None:
    limit = sorted(point.flash for point in small)[len(small) // 2]
    allowed = [point for point in small if point.flash <= limit]
    program = compile_graph(SMALL, BOARD, name="net", optimize=Objective.RAM, limits=Limits(flash=limit))
    assert program.plan.arena_size == min(point.arena for point in allowed)
    limit = sorted(point.arena for point in small)[len(small) // 2]
    allowed = [point for point in small if point.arena <= limit]
    program = compile_graph(SMALL, BOARD, name="net", optimize=Objective.FLASH, limits=Limits(arena=limit))
    assert budget(program).flash == min(point.flash for point in allowed)


def test_what_nothing_keeps_is_refused_with_the_least_there_is(small: tuple[Point, ...]) -> None:
    arena, flash = (min(getattr(point, what) for point in small) for what in ("arena", "flash"))
    with pytest.raises(DoesNotFit, match=f"arena: takes {arena} bytes at least; the limit is {arena - 1}"):
        compile_graph(SMALL, BOARD, name="net", limits=Limits(arena=arena - 1))
    with pytest.raises(DoesNotFit, match=f"flash: takes {flash} bytes at least") as refused:
        compile_graph(SMALL, BOARD, name="net", limits=Limits(flash=flash - 1))
    assert "constants" in refused.value.problems[1].what
    # Each alone is possible, both together are not.
    with pytest.raises(DoesNotFit) as refused:
        compile_graph(SMALL, BOARD, name="net", limits=Limits(arena, flash))
    where = [problem.where for problem in refused.value.problems]
    assert [place for place in where if not place.startswith("#")] == ["arena", "flash"]


def test_a_refusal_names_the_layer_that_sets_the_peak(small: tuple[Point, ...]) -> None:
    with pytest.raises(DoesNotFit) as refused:
        compile_graph(SMALL, BOARD, name="net", limits=Limits(arena=small[0].arena - 1))
    least = compile_graph(SMALL, BOARD, name="net", limits=Limits(arena=small[0].arena))
    peak = max(budget(least).layers, key=lambda layer: layer.live)
    assert refused.value.problems[1].where == f"#{peak.index} {peak.op} {peak.name}"
    assert f"{peak.live} bytes" in refused.value.problems[1].what
    assert "raise the limit" in refused.value.hint


def test_tuned_takes_no_limits() -> None:
    with pytest.raises(TinycError, match="takes no limits"):
        compile_graph(
            SMALL, BOARD, name="net", optimize=Objective.TUNED, measured={}, limits=Limits(arena=9999)
        )


def test_the_command_line_prints_it(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(tflite_writer.write(GRAPH))
    said = tinyc("check", path, "--board", "microbit", "--optimize", "time", "--tradeoff", "--json")
    assert said.code == 0, said.stderr
    points = [Point(**entry) for entry in said.json["tradeoff"]]
    assert [point.arena for point in points if point.chosen] == [said.json["arena"]]
    table = tinyc("check", path, "--board", "microbit", "--optimize", "time", "--tradeoff").stdout
    assert all(f"{point.flash:,} B" in table for point in points) and "*" in table


def test_limits_of_tinyc_toml_and_of_the_command_line(small: tuple[Point, ...], tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(tflite_writer.write(SMALL))
    least, large = small[0].arena, small[-1].arena
    config = tmp_path / "tinyc.toml"
    config.write_text(
        f'[model]\npath = "net.tflite"\n[build]\noptimize = "time"\nmax_arena = {least}\n', encoding="utf-8"
    )
    arena = [
        tinyc("check", config, "--board", "nrf52840", "--json", *more).json["arena"]
        for more in ((), ("--max-arena", large))
    ]
    assert arena[0] == least < arena[1] <= large
    refused = tinyc("check", config, "--board", "nrf52840", "--max-arena", least - 1)
    assert refused.code == 3
    assert f"arena takes {least} bytes at least" in " ".join(refused.stderr.split())
    assert tinyc("check", config, "--max-arena", "1 kB").code == 2
