"""One kernel per layer, or per pair of layers: the choice that an objective makes under the board's memory.

A variant is a kernel that the board supports and that accepts the layer. The search (`search.py`) begins
with the fastest variant of every layer and exchanges variants, in one layer or in several at a time,
while the objective falls. See docs/concepts/kernel-choice.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import MappingProxyType
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
from tinyc.patches import Patches, PatchSearch, Route, with_patches
from tinyc.program import Step
from tinyc.search import MEMORY_WEIGHT, Choice, Search, with_steps

__all__ = ["MEMORY_WEIGHT", "Candidates", "Choices", "Measured", "choices", "choose", "fixed", "with_steps"]

Candidates: TypeAlias = Callable[[Op, Graph], Iterable[Kernel]]

# For `ram`: patches may cost this power of the time, so that 4 % less arena pay for 18 % more cycles.
_WORK_WEIGHT = 0.25
# By how much more than the least arena of all that choices with patches may take.
_LARGER = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
_NO_FRONT_END = FrontEnd()
_NOTHING_MEASURED: Measured = MappingProxyType({})


def choose(
    graph: Graph,
    board: Board,
    objective: Objective = Objective.BALANCED,
    *,
    front_end: FrontEnd = _NO_FRONT_END,
    measured: Measured | None = None,
    candidates: Candidates | None = None,
) -> Choice:
    """One step per op, or per ops that are fused or computed in patches, in op order, and their memory plan.

    The steps belong to the graph `with_steps`. Deterministic.
    `measured` replaces predictions; the objective TUNED needs it. `candidates` are the kernels to choose
    from, by default all of the catalogue. Raises TinycError that lists every
    layer without a kernel on `board`, or whose scales fixed point cannot hold.
    """
    if objective is Objective.TUNED and measured is None:
        raise ValueError("the objective `tuned` needs measurements")
    return _Selector(graph, board, front_end, measured or {}, candidates).choose(objective)


def choices(
    graph: Graph,
    board: Board,
    front_end: FrontEnd = _NO_FRONT_END,
    candidates: Candidates | None = None,
) -> Iterator[tuple[Objective | None, Choice]]:
    """By predicted work: the choice of every objective, then the fastest ones for ever less arena and flash.

    `candidates` and what it raises are as of `choose`.
    """
    selector = _Selector(graph, board, front_end, candidates=candidates)
    for objective in Objective:
        if objective is not Objective.TUNED:
            yield objective, selector.choose(objective)
    search = selector.search
    for choice in (*search.frontier(), *search.lean_frontier(), *selector.patched_frontier()):
        yield None, choice


class Choices:
    """The choices for several boards. A search is not repeated where it would go the same way."""

    def __init__(self, graph: Graph, objective: Objective, front_end: FrontEnd = _NO_FRONT_END) -> None:
        self._graph, self._objective, self._front_end = graph, objective, front_end
        self._found: list[tuple[frozenset[str], Search, Choice]] = []
        self._stages: dict[frozenset[str], PatchSearch] = {}
        self.searches = 0

    def choose(self, board: Board) -> Choice:
        """As the function `choose`."""
        features = board.features & catalogue.FEATURES
        for known, search, choice in self._found:
            if known == features and search.holds_for(board):
                return choice
        self.searches += 1
        selector = _Selector(self._graph, board, self._front_end, stages=self._stages)
        choice = selector.choose(self._objective)
        self._found.append((features, selector.search, choice))
        return choice


class _Selector:
    """The search without patches, and those with them. `stages` by what decides between kernels are kept."""

    def __init__(
        self,
        graph: Graph,
        board: Board,
        front_end: FrontEnd,
        measured: Measured = _NOTHING_MEASURED,
        candidates: Candidates | None = None,
        stages: dict[frozenset[str], PatchSearch] | None = None,
    ) -> None:
        self._graph, self._board, self._front_end, self._candidates = graph, board, front_end, candidates
        self._known = {} if stages is None else stages
        self.search = self._search(graph, measured)

    def choose(self, objective: Objective) -> Choice:
        """The choice for an objective; with patches where it is `ram` or nothing fits without them."""
        choice = self.search.run(objective)
        if objective is Objective.RAM:
            return self._smaller(choice)
        limit = self.search.arena_limit
        if choice[1].arena_size <= limit:
            return choice
        for route in (self._stages.within(limit), self._stages.narrowest()):
            if route is not None and route.stages:
                found = self._patched(route).run(objective)
                choice = min(choice, found, key=lambda each: each[1].arena_size)
                if choice[1].arena_size <= limit:
                    break
        return choice

    def patched_frontier(self) -> Iterator[Choice]:
        """The fastest choices with stages for ever smaller arenas, as far as that makes a difference."""
        seen: set[tuple[Patches, ...]] = {()}
        narrowest = self._stages.narrowest()
        for more in _LARGER:
            route = self._stages.within(round(narrowest.live * (1 + more)))
            if route is not None and route.stages not in seen:
                seen.add(route.stages)
                yield self._patched(route).within(route.live)

    def _smaller(self, choice: Choice) -> Choice:
        """With patches, where the arena shrinks by more than they cost."""
        narrowest = self._stages.narrowest()
        limits = [choice[1].arena_size, *(round(narrowest.live * (1 + more)) for more in _LARGER)]
        routes = [route for limit in limits if (route := self._stages.within(limit)) is not None]
        best = min(routes, key=lambda route: route.live * route.cycles**_WORK_WEIGHT)
        if not best.stages:
            return choice
        found = self._patched(best).within(best.live)
        return found if found[1].arena_size < choice[1].arena_size else choice

    @property
    def _stages(self) -> PatchSearch:
        features = self._board.features & catalogue.FEATURES
        if features not in self._known:
            found = PatchSearch(self._graph, self._supported, self.search.ways(), self.search.floor)
            self._known[features] = found
        return self._known[features]

    def _patched(self, route: Route) -> Search:
        return self._search(with_patches(self._graph, route.stages), {})

    def _search(self, graph: Graph, measured: Measured) -> Search:
        kernels = [self._supported(op, graph) for op in graph.ops]
        _require_kernels(graph, self._board, kernels)
        pairs = {
            index: (op, found)
            for index, op in fusible(graph).items()
            if (found := self._supported(op, graph))
        }
        return Search(graph, self._board, kernels, pairs, self._front_end, measured)

    def _supported(self, op: Op, graph: Graph) -> tuple[Kernel, ...]:
        features = self._board.features
        if self._candidates is None:
            return catalogue.candidates(op, graph, features)
        return tuple(kernel for kernel in self._candidates(op, graph) if kernel.suits(features))


def fixed(
    graph: Graph,
    board: Board,
    symbols: Sequence[str],
    *,
    patches: Sequence[Patches] = (),
    front_end: FrontEnd = _NO_FRONT_END,
) -> Choice:
    """The steps with exactly these kernels, of the graph `with_steps`.

    `patches` are the stages among them. Raises TinycError when one is not there any more, ValueError when
    they are too few or too many.
    """
    graph = with_patches(graph, patches)
    graph = fuse(graph, _fused_by(graph, symbols))
    if len(graph.ops) != len(symbols):
        raise ValueError(f"{len(symbols)} kernels for {len(graph.ops)} layers")
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
