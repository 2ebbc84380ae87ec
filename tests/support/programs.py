"""Programs for tests: a graph with kernels of the test's choice, and random nets of several layers."""

from __future__ import annotations

from collections.abc import Sequence

from tinyc.boards import Board, load_board
from tinyc.ir.graph import Graph
from tinyc.kernels.kernel import Kernel
from tinyc.memory.planner import plan
from tinyc.objective import Objective
from tinyc.program import Program, Step
from tinyc.selection import choose


def program_of(
    graph: Graph, kernels: Sequence[Kernel], name: str = "model", board: Board | None = None
) -> Program:
    """`graph` compiled with exactly these kernels, one per op, whatever the board supports."""
    pairs = enumerate(zip(graph.ops, kernels, strict=True))
    steps = tuple(Step.of(i, op, k, graph) for i, (op, k) in pairs)
    return Program(name, graph, steps, plan(graph, steps), board or load_board("host"))


def fastest_kernel(graph: Graph, board: Board) -> Kernel:
    """The kernel that a graph of one layer gets for speed."""
    (step,), _ = choose(graph, board, Objective.TIME)
    return step.kernel
