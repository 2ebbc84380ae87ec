"""The search for a choice of kernels: variants of each layer, and the exchange of one for another."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TypeAlias

from tinyc.alternatives import Measured, Placed, Variant, alive_bytes, alive_fused, variants_of
from tinyc.boards import Board
from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.kernels.kernel import Kernel
from tinyc.memory import planner
from tinyc.memory.budget import code_pieces, fixed_code, params_bytes
from tinyc.memory.front_end import FrontEnd
from tinyc.memory.lifetimes import StepLike, tensor_lifetimes
from tinyc.memory.plan import MemoryPlan
from tinyc.objective import Objective
from tinyc.patches import Way
from tinyc.program import Step
from tinyc.room import Room, VariantFlash

# Balanced: cycles times (flash times RAM) to this power. 3 % fewer cycles pay for a sixth more of either.
MEMORY_WEIGHT = 0.18
# A variant this much slower than the layer's fastest is not tried: so much memory is hardly ever saved.
_FAR_SLOWER = 2.5
_SWEEPS = 10
# What aligned offsets may add to the arena at most, about.
_ALIGNED = 256
# By how much arenas of the frontier differ at least.
_STEP = 0.02
# And flashes of the other.
_FLASH_STEP = 0.03
# In a choice: the layer before computes this one as well.
_NOTHING = -1

# Index of the first part → the fused op, and the kernels that accept it.
Pairs: TypeAlias = Mapping[int, tuple[ConvDepthwise2D, Sequence[Kernel]]]
Choice: TypeAlias = tuple[tuple[Step, ...], MemoryPlan]
_Key: TypeAlias = tuple[float, ...]


class Search:
    """The variants of a graph and the exchange of one for another. Lowers only what it has to."""

    def __init__(
        self,
        graph: Graph,
        board: Board,
        supported: Sequence[Sequence[Kernel]],
        pairs: Pairs,
        front_end: FrontEnd,
        measured: Measured,
    ) -> None:
        self._graph, self._front_end = graph, front_end
        self._room = Room.of(board, front_end)
        # The most flash and arena of all choices that were looked at.
        self._most_flash, self._most_arena = 0.0, 0
        self._fixed_flash = fixed_code(len(graph.ops), front_end) + front_end.tables
        lifetimes = tensor_lifetimes(graph)
        alive = alive_bytes(graph, lifetimes, front_end.buffer)
        # What is alive before the first and after the last layer, whatever the kernels.
        self._floor = max(alive[0], alive[-1])
        self.layers = [
            variants_of(graph, graph.ops[index], index, kernels, alive[index + 1], lifetimes, measured)
            for index, kernels in enumerate(supported)
        ]
        self._fused = {
            index: variants_of(
                graph, op, index, kernels, alive_fused(graph, op, alive[index + 1]), lifetimes, measured
            )
            for index, (op, kernels) in pairs.items()
        }
        self._cache: dict[tuple[int, int], VariantFlash | ValueError] = {}
        self._drop_impossible()
        self._fastest = self._find_fastest()

    def run(self, objective: Objective) -> Choice:
        """The choice for an objective, which fits the board's memory if any does."""
        fastest = self._fastest
        key = self._key(objective)
        quick = objective in (Objective.TIME, Objective.TUNED)
        near = quick or objective is Objective.BALANCED
        choice = fastest if quick else self._descend(fastest, key, near=near)
        if near and self._overflow(choice):
            choice = self._descend(choice, key, near=False)
        steps, plan = self._planned(choice)
        # The bound that the search minimises is not always the arena that the planner finds.
        if not quick and plan.arena_size > self._arena(choice) + _ALIGNED:
            heavy = self._heavy(choice, plan.arena_size)
            choice = self._descend(choice, self._key(objective, planned=True), near=near, layers=heavy)
            steps, plan = self._planned(choice)
        if objective is Objective.RAM and choice != fastest:
            other = self._planned(fastest)
            if other[1].arena_size < plan.arena_size:
                return other
        elif plan.arena_size > self._room.arena and objective is not Objective.RAM:
            other = self._planned(self._descend(choice, self._key(Objective.RAM), near=False))
            if other[1].arena_size < plan.arena_size:
                return other
        return steps, plan

    @property
    def floor(self) -> int:
        """Bytes alive before the first and after the last layer, whatever the kernels."""
        return self._floor

    @property
    def arena_limit(self) -> int:
        """Bytes that the board has for the arena."""
        return self._room.arena

    def ways(self) -> list[list[Way]]:
        """What each layer, or a pair that begins with it, takes with the kernels that it has."""
        return [
            [
                Way(1 + variant.is_fused, variant.live, variant.cycles)
                for which, variant in enumerate(variants)
                if isinstance(self._flash(index, which), VariantFlash)
            ]
            for index, variants in enumerate(self.layers)
        ]

    def within(self, limit: int) -> Choice:
        """The fastest choice for an arena of `limit` bytes, by the bound that the search minimises."""
        return self._planned(self._descend(self._fastest, self._key(Objective.TIME, limit=limit), near=False))

    def holds_for(self, board: Board) -> bool:
        """Whether `run` finds the same for `board`, if that has the same kernels to choose from.

        So it is when no choice that was looked at exceeds the memory of either board.
        """
        other = Room.of(board, self._front_end)
        flash, arena = min(self._room.flash, other.flash), min(self._room.arena, other.arena)
        same = other.fixed == self._room.fixed
        return same and self._most_flash <= flash and self._most_arena <= arena

    def frontier(self) -> Iterator[Choice]:
        """The fastest choice for smaller and smaller arenas, from that of all to that of the least arena.

        Each arena is smaller by `_STEP` at least, by the bound that the search minimises.
        """
        choice, limit = self._fastest, math.inf
        while not self._overflow(choice, limit):
            yield self._planned(choice)
            arena = self._arena(choice)
            limit = max(self._smallest(), int(arena * (1 - _STEP)))
            if limit >= arena:
                return
            choice = self._descend(self._fastest, self._key(Objective.TIME, limit=limit), near=False)

    def lean_frontier(self) -> Iterator[Choice]:
        """The fastest choices for less and less flash, within the board's arena.

        Each takes less by `_FLASH_STEP` at least.
        """
        choice = self._fastest
        while True:
            limit = self._flash_bytes(choice) * (1 - _FLASH_STEP)
            choice = self._descend(choice, self._key(Objective.TIME, flash=limit), near=False)
            if self._flash_bytes(choice) > limit:
                return
            yield self._planned(choice)

    def _drop_impossible(self) -> None:
        """Take out first variants that cannot be lowered. Raises TinycError where none is left."""
        problems = []
        for index, op in enumerate(self._graph.ops):
            while isinstance(found := self._flash(index, 0), ValueError):
                if len(self.layers[index]) == 1:
                    problems.append(Problem(f"#{index} {op.kind} {op.name}", str(found)))
                    break
                del self.layers[index][0]
                self._cache = {at: flash for at, flash in self._cache.items() if at[0] != index}
        if problems:
            layers = len(self._graph.ops)
            raise TinycError(f"{len(problems)} of {layers} layers cannot be computed", problems=problems)

    def _find_fastest(self) -> list[int]:
        """The fastest choice. From here on fused variants come behind those of their first layer alone."""
        choice = [0] * len(self.layers)
        for index, variants in self._fused.items():
            alone = len(self.layers[index])
            self.layers[index] = [*self.layers[index], *variants]
            usable = [
                w
                for w in range(alone, alone + len(variants))
                if isinstance(self._flash(index, w), VariantFlash)
            ]
            trials = [choice, *(self._exchanged(choice, {index: which}) for which in usable)]
            choice = min(trials, key=self._time)
        return choice

    def _flash(self, index: int, which: int) -> VariantFlash | ValueError:
        found = self._cache.get((index, which))
        if found is None:
            variant = self.layers[index][which]
            try:
                lowered = variant.kernel.lower(variant.op, self._graph)
            except ValueError as error:
                found = error
            else:
                step = Step(index, variant.op, variant.kernel, lowered, variant.scratch)
                own = lowered.constant_bytes() + params_bytes(step)
                found = VariantFlash(step, own, code_pieces(self._graph, step))
            self._cache[index, which] = found
        return found

    def _of(self, choice: Sequence[int]) -> list[Variant]:
        pairs = zip(self.layers, choice, strict=True)
        return [variants[which] for variants, which in pairs if which != _NOTHING]

    def _flashes(self, choice: Sequence[int]) -> list[VariantFlash]:
        found = [self._flash(index, which) for index, which in enumerate(choice) if which != _NOTHING]
        return [flash for flash in found if isinstance(flash, VariantFlash)]

    def _flash_bytes(self, choice: Sequence[int]) -> float:
        pieces: dict[str, float] = {}
        own = 0
        for flash in self._flashes(choice):
            own += flash.own
            pieces |= flash.pieces
        return self._fixed_flash + own + sum(pieces.values())

    def _arena(self, choice: Sequence[int]) -> int:
        return max([self._floor, *(variant.live for variant in self._of(choice))])

    def _heavy(self, choice: Sequence[int], arena: int) -> set[int]:
        """The layers whose kernels can be what keeps the arena from being smaller."""
        found = set()
        for index, which in enumerate(choice):
            if which != _NOTHING and 2 * self.layers[index][which].live > arena:
                found |= {index, index + self.layers[index][which].is_fused}
        return found

    def _overflow(
        self, choice: Sequence[int], arena_limit: float | None = None, flash: float | None = None
    ) -> float:
        """Bytes beyond the board's memory; every layer that does not fit counts, so that each helps."""
        limit = self._room.arena if arena_limit is None else arena_limit
        live = [variant.live for variant in self._of(choice)]
        self._most_arena = max([self._most_arena, *live])
        return self._flash_overflow(choice, flash) + sum(max(0, each - limit) for each in live)

    def _flash_overflow(self, choice: Sequence[int], limit: float | None = None) -> float:
        flash = self._flash_bytes(choice)
        self._most_flash = max(self._most_flash, flash)
        return max(0.0, flash - (self._room.flash if limit is None else limit))

    def _time(self, choice: Sequence[int]) -> tuple[float, float]:
        variants = self._of(choice)
        return sum(v.cycles for v in variants), sum(v.instructions for v in variants)

    def _smallest(self) -> int:
        """The least arena that any choice can have."""
        least = [min(v.live for v in variants if not v.is_fused) for variants in self.layers]
        for index, variants in self._fused.items():
            both = min([max(least[index], least[index + 1]), *(v.live for v in variants)])
            least[index] = least[index + 1] = both
        return max([self._floor, *least])

    def _key(
        self,
        objective: Objective,
        *,
        planned: bool = False,
        limit: int | None = None,
        flash: float | None = None,
    ) -> Callable[[Sequence[int]], _Key]:
        """What a choice is to minimise: first the bytes that do not fit, then the objective.

        `planned`: by the arena that the planner finds, which takes much longer. `limit` and `flash`: of the
        arena and of flash, by default the board's.
        """
        smallest = self._smallest()
        arena_of = cache(self._planned_arena) if planned else self._arena

        def key(choice: Sequence[int]) -> _Key:
            arena = arena_of(tuple(choice))
            if objective is Objective.RAM and planned:
                return self._flash_overflow(choice) + arena, *self._time(choice)
            if objective is Objective.RAM:
                return self._overflow(choice, min(smallest, self._room.arena)), *self._time(choice)
            overflow = self._overflow(choice, limit, flash)
            if objective is Objective.FLASH:
                return overflow, self._flash_bytes(choice), *self._time(choice)
            if objective is Objective.BALANCED:
                memory = self._flash_bytes(choice) * (self._room.fixed + arena)
                cycles, instructions = self._time(choice)
                return overflow, cycles * memory**MEMORY_WEIGHT, instructions
            return overflow, *self._time(choice)

        return key

    def _descend(
        self,
        start: Sequence[int],
        key: Callable[[Sequence[int]], _Key],
        *,
        near: bool,
        layers: Container[int] | None = None,
    ) -> list[int]:
        """Exchange variants while `key` falls. `near`: only those not far slower than the fastest.

        `layers` are those whose variants are tried, by default all.
        """
        choice, best = list(start), key(start)
        usable = [
            [
                which
                for which, variant in enumerate(variants)
                if (layers is None or index in layers)
                and (not near or variant.cycles <= _FAR_SLOWER * self._alone(index, variant))
                and isinstance(self._flash(index, which), VariantFlash)
            ]
            for index, variants in enumerate(self.layers)
        ]
        for _ in range(_SWEEPS):
            before = best
            for other in self._exchanges(choice, usable):
                trial = other(choice)
                found = key(trial)
                if found < best:
                    choice, best = trial, found
            if best == before:
                break
        return choice

    def _alone(self, index: int, variant: Variant) -> float:
        """Cycles of the fastest kernels that compute as much, one for each layer."""
        return sum(variants[0].cycles for variants in self.layers[index : index + 1 + variant.is_fused])

    def _exchanged(self, choice: Sequence[int], changes: Mapping[int, int]) -> list[int]:
        """The choice with other variants; both layers of a pair are fused or neither."""
        trial = list(choice)
        for index, which in changes.items():
            trial[index] = which
            if self.layers[index][which].is_fused:
                trial[index + 1] = _NOTHING
            elif index + 1 < len(trial) and trial[index + 1] == _NOTHING:
                trial[index + 1] = 0
            if choice[index] == _NOTHING:
                trial[index - 1] = 0
        return trial

    def _exchanges(
        self, choice: Sequence[int], usable: Sequence[Sequence[int]]
    ) -> Iterable[Callable[[list[int]], list[int]]]:
        """Every single exchange, then every kernel for another one in several layers."""

        def changed(changes: Iterable[tuple[int, int]]) -> Callable[[list[int]], list[int]]:
            found = dict(changes)
            return lambda now: self._exchanged(now, found)

        for index, options in enumerate(usable):
            for which in options:
                if which != choice[index]:
                    yield changed([(index, which)])
        # Code that layers share pays only for several at once: first those that it slows down least.
        pairs: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for index, which in enumerate(choice):
            variants = self.layers[index]
            for other in usable[index] if which != _NOTHING else ():
                if other != which:
                    symbols = (variants[which].kernel.symbol, variants[other].kernel.symbol)
                    pairs.setdefault(symbols, []).append((index, other))
        for places in pairs.values():
            places.sort(key=lambda at: self._slower(choice, *at))
            for count in range(2, len(places) + 1):
                yield changed(places[:count])

    def _slower(self, choice: Sequence[int], index: int, which: int) -> float:
        """Cycles more that the choice takes with another variant of one layer."""
        return self._time(self._exchanged(choice, {index: which}))[0] - self._time(choice)[0]

    def _planned_arena(self, choice: Sequence[int]) -> int:
        steps = [Placed(index, variant) for index, variant in enumerate(self._of(choice))]
        return planner.plan(with_steps(self._graph, steps), steps, self._front_end.buffer).arena_size

    def _planned(self, choice: Sequence[int]) -> Choice:
        steps = tuple(replace(flash.step, index=n) for n, flash in enumerate(self._flashes(choice)))
        plan = planner.plan(with_steps(self._graph, steps), steps, self._front_end.buffer)
        self._most_arena = max(self._most_arena, plan.arena_size)
        return steps, plan


def with_steps(graph: Graph, steps: Sequence[StepLike]) -> Graph:
    """The graph whose ops are those of the steps: that of the program."""
    return graph if len(steps) == len(graph.ops) else graph.rebuilt(ops=(step.op for step in steps))
