"""The trade-off table: choices that none beats, those of the objectives among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.classifiers import separable_network
from support.command_line import tinyc
from tinyc.boards import load_board
from tinyc.memory.budget import budget
from tinyc.objective import Objective
from tinyc.pipeline import compile_graph
from tinyc.tradeoff import Point, tradeoff
from tinyc.variants import total

pytestmark = pytest.mark.unit

GRAPH = separable_network(np.random.default_rng(0))
BOARD = load_board("nrf52840")


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


def test_what_was_asked_for_is_there_even_if_beaten() -> None:
    program = compile_graph(GRAPH, BOARD, name="net", optimize=Objective.TIME)
    beaten = replace(program, plan=replace(program.plan, arena_size=program.plan.arena_size + 4096))
    points = tradeoff(beaten)
    (chosen,) = (point for point in points if point.chosen)
    assert chosen.arena == beaten.plan.arena_size and any(beats(point, chosen) for point in points)


def test_the_command_line_prints_it(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(tflite_writer.write(GRAPH))
    said = tinyc("check", path, "--board", "microbit", "--optimize", "time", "--tradeoff", "--json")
    assert said.code == 0, said.stderr
    points = [Point(**entry) for entry in said.json["tradeoff"]]
    assert [point.arena for point in points if point.chosen] == [said.json["arena"]]
    table = tinyc("check", path, "--board", "microbit", "--optimize", "time", "--tradeoff").stdout
    assert all(f"{point.flash:,} B" in table for point in points) and "*" in table
