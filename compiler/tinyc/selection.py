"""One kernel per layer, or per pair of layers: the choice that an objective makes under the board's memory.

A variant is a kernel that the board supports and that accepts the layer. The search (`search.py`) begins
with the fastest variant of every layer and exchanges variants, in one layer or in several at a time,
while the objective falls. See docs/concepts/kernel-choice.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from tinyc.alternatives import Measured
from tinyc.boards import Board
from tinyc.errors import Problem, TinycError
from tinyc.fusion import fuse, fusible
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.kernels import catalogue
from tinyc.kernels.kernel import Kernel
from tinyc.memory import planner
from tinyc.memory.front_end import FrontEnd
from tinyc.objective import Objective
from tinyc.program import Step
from tinyc.search import MEMORY_WEIGHT, Choice, Search, with_steps

__all__ = ["MEMORY_WEIGHT", "Choices", "Measured", "choices", "choose", "fixed", "with_steps"]

Candidates: TypeAlias = Callable[[Op, Graph], Iterable[Kernel]]

_NO_FRONT_END = FrontEnd()


def choose(
    graph: Graph,
    board: Board,
    objective: Objective = Objective.BALANCED,
    *,
    front_end: FrontEnd = _NO_FRONT_END,
    measured: Measured | None = None,
    candidates: Candidates | None = None,
) -> Choice:
    """One step per op, or per pair of ops that are fused, in op order, and the memory plan for them.

    The steps belong to the graph `with_steps`. Deterministic.
    `measured` replaces predictions; the objective TUNED needs it. `candidates` are the kernels to choose
    from, by default all of the catalogue. Raises TinycError that lists every
    layer without a kernel on `board`, or whose scales fixed point cannot hold.
    """
    if objective is Objective.TUNED and measured is None:
        raise ValueError("the objective `tuned` needs measurements")

    return _search(graph, board, front_end, measured or {}, candidates).run(objective)


def choices(
    graph: Graph, board: Board, front_end: FrontEnd = _NO_FRONT_END
) -> Iterator[tuple[Objective | None, Choice]]:
    """By predicted work: the choice of every objective, then the fastest ones for ever smaller arenas.

    Raises as `choose`.
    """
    search = _search(graph, board, front_end, {})
    for objective in Objective:
        if objective is not Objective.TUNED:
            yield objective, search.run(objective)
    for choice in search.frontier():
        yield None, choice


class Choices:
    """The choices for several boards. A search is not repeated where it would go the same way."""

    def __init__(self, graph: Graph, objective: Objective, front_end: FrontEnd = _NO_FRONT_END) -> None:
        self._graph, self._objective, self._front_end = graph, objective, front_end
        self._found: list[tuple[frozenset[str], Search, Choice]] = []
        self.searches = 0

    def choose(self, board: Board) -> Choice:
        """As the function `choose`."""
        features = board.features & catalogue.FEATURES
        for known, search, choice in self._found:
            if known == features and search.holds_for(board):
                return choice
        self.searches += 1
        search = _search(self._graph, board, self._front_end, {})
        choice = search.run(self._objective)
        self._found.append((features, search, choice))
        return choice


def _search(
    graph: Graph,
    board: Board,
    front_end: FrontEnd,
    measured: Measured,
    candidates: Candidates | None = None,
) -> Search:
    def supported(op: Op) -> tuple[Kernel, ...]:
        if candidates is None:
            return catalogue.candidates(op, graph, board.features)
        return tuple(kernel for kernel in candidates(op, graph) if kernel.suits(board.features))

    kernels = [supported(op) for op in graph.ops]
    _require_kernels(graph, board, kernels)
    pairs = {index: (op, found) for index, op in fusible(graph).items() if (found := supported(op))}
    return Search(graph, board, kernels, pairs, front_end, measured)


def fixed(
    graph: Graph, board: Board, symbols: Sequence[str], *, front_end: FrontEnd = _NO_FRONT_END
) -> Choice:
    """The steps with exactly these kernels, of the graph `with_steps`.

    Raises TinycError when one is not there any more, ValueError when they are too few or too many.
    """
    graph = fuse(graph, _fused_by(graph, symbols))
    named = [
        tuple(kernel for kernel in catalogue.candidates(op, graph) if kernel.symbol == symbol)
        for op, symbol in zip(graph.ops, symbols, strict=True)
    ]
    _require_kernels(graph, board, named)
    steps = tuple(
        Step.of(index, op, kernels[0], graph)
        for index, (op, kernels) in enumerate(zip(graph.ops, named, strict=True))
    )
    return steps, planner.plan(graph, steps, front_end.buffer)


def _fused_by(graph: Graph, symbols: Sequence[str]) -> list[int]:
    """The pairs that these kernels fuse, by the index of their first op."""
    names = {kernel.symbol: kernel.op for kernel in catalogue.CATALOGUE}
    pairs, found, index = fusible(graph), list[int](), 0
    for symbol in symbols:
        is_fused = index in pairs and names.get(symbol) is type(pairs[index])
        found += [index] * is_fused
        index += 1 + is_fused
    return found


def _require_kernels(graph: Graph, board: Board, kernels: Sequence[Sequence[Kernel]]) -> None:
    problems = []
    for index, (op, found) in enumerate(zip(graph.ops, kernels, strict=True)):
        if not found:
            types = ", ".join(tensor.dtype.value[0] for tensor in graph.operands(op))
            problems.append(Problem(f"#{index} {op.kind} {op.name}", f"no kernel for ({types})"))
    if problems:
        raise TinycError(
            f"{len(problems)} of {len(graph.ops)} layers have no kernel for board `{board.name}`",
            problems=problems,
            hint="docs/reference/operators.md lists the kernels; most layers need int8 activations",
        )
