"""Choices for several boards are those for each board alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.classifiers import separable_network, small_classifier
from tinyc import selection
from tinyc.boards import Board, load_board
from tinyc.ir.graph import Graph
from tinyc.objective import Objective

pytestmark = pytest.mark.unit

NAMES = (
    "microbit",
    "mps2_an386",
    "mps2_an500",
    "mps3_an547",
    "nano33ble",
    "nrf52840",
    "rpi_pico",
    "rpi_pico2",
)
SMALL = small_classifier(np.random.default_rng(3))
CASES = [(SMALL, each) for each in Objective if each is not Objective.TUNED]
CASES += [(separable_network(np.random.default_rng(4)), Objective.BALANCED)]


def boards(graph: Graph) -> list[Board]:
    """Boards of several cores, and some on which memory gets scarce."""
    known = [load_board(name) for name in NAMES]
    base = load_board("netduinoplus2")
    arena = selection.choose(graph, base)[1].arena_size
    for spare in (-64, 0, 600):
        memory = replace(base.memory, ram=base.memory.stack + 2_256 + arena + spare)
        known.append(replace(base, name=f"spare {spare}", memory=memory))
    for flash in (9_000, 24_000):
        known.append(replace(base, name=f"flash {flash}", memory=replace(base.memory, flash=flash)))
    return known


@pytest.mark.parametrize(("graph", "objective"), CASES, ids=[f"{g.name} {o.value}" for g, o in CASES])
def test_shared_choices_are_the_same(graph: Graph, objective: Objective) -> None:
    shared = selection.Choices(graph, objective)
    every = boards(graph)
    for board in every:
        steps, plan = shared.choose(board)
        alone, alone_plan = selection.choose(graph, board, objective)
        assert [step.kernel.symbol for step in steps] == [step.kernel.symbol for step in alone], board.name
        assert plan == alone_plan
    assert shared.searches < len(every) - 2


def test_a_graph_without_layers() -> None:
    empty = SMALL.rebuilt(ops=(), outputs=SMALL.inputs)
    steps, _ = selection.Choices(empty, Objective.BALANCED).choose(load_board("rpi_pico"))
    assert steps == ()
