"""The search for a choice of kernels: variants of each layer, and the exchange of one for another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tinyc.boards import Board
from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.tensor import TensorName
from tinyc.kernels.kernel import Kernel, Work
from tinyc.memory import planner
from tinyc.memory.budget import RUNTIME_RAM, code_pieces, fixed_code, params_bytes
from tinyc.memory.lifetimes import tensor_lifetimes
from tinyc.memory.plan import Lifetime, MemoryPlan
from tinyc.objective import Objective
from tinyc.program import Step

# Balanced: cycles times (flash times RAM) to this power. 3 % fewer cycles pay for a sixth more of either.
MEMORY_WEIGHT = 0.18
# A variant this much slower than the layer's fastest is not tried: so much memory is hardly ever saved.
_FAR_SLOWER = 2.5
_SWEEPS = 10
# In a choice: the layer before computes this one as well.
_NOTHING = -1

# (layer, kernel symbol) → what was measured; a fused layer has the number of its first part.
Measured: TypeAlias = Mapping[tuple[int, str], Work]
# Index of the first part → the fused op, and the kernels that accept it.
Pairs: TypeAlias = Mapping[int, tuple[ConvDepthwise2D, Sequence[Kernel]]]
_Key: TypeAlias = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A kernel for one layer, or for it and the next. `live` are the arena bytes alive in that step with it.

    `work` is predicted or measured, None when the kernel does not say. `cycles` and `instructions`
    rank all the same: a kernel that does not say comes behind those that do, in catalogue order.
    """

    op: Op
    kernel: Kernel
    position: int
    work: Work | None
    cycles: float
    instructions: float
    scratch: int
    live: int

    @property
    def is_fused(self) -> bool:
        return isinstance(self.op, ConvDepthwise2D)


@dataclass(frozen=True, slots=True)
class _Flash:
    """Flash of one variant: constants and parameters, and the code pieces it needs."""

    step: Step
    own: int
    pieces: Mapping[str, float]


class Search:
    """The variants of a graph and the exchange of one for another. Lowers only what it has to."""

    def __init__(
        self,
        graph: Graph,
        board: Board,
        supported: Sequence[Sequence[Kernel]],
        pairs: Pairs,
        audio_bytes: int,
        measured: Measured,
    ) -> None:
        self._graph, self._audio_bytes = graph, audio_bytes
        memory = board.memory
        self._flash_limit = memory.application_flash
        self._arena_limit = memory.application_ram - memory.stack - RUNTIME_RAM
        self._fixed_ram = memory.stack + RUNTIME_RAM
        self._fixed_flash = fixed_code(len(graph.ops), audio=audio_bytes > 0)
        lifetimes = tensor_lifetimes(graph)
        alive = _alive(graph, lifetimes, audio_bytes)
        # What is alive before the first and after the last layer, whatever the kernels.
        self._floor = max(alive[0], alive[-1])
        self.layers = [
            _variants(graph, graph.ops[index], index, kernels, alive[index + 1], lifetimes, measured)
            for index, kernels in enumerate(supported)
        ]
        self._fused = {
            index: _variants(
                graph, op, index, kernels, _alive_fused(graph, op, alive[index + 1]), lifetimes, measured
            )
            for index, (op, kernels) in pairs.items()
        }
        self._cache: dict[tuple[int, int], _Flash | ValueError] = {}

    def run(self, objective: Objective) -> tuple[tuple[Step, ...], MemoryPlan]:
        self._drop_impossible()
        fastest = self._fastest()
        key = self._key(objective)
        quick = objective in (Objective.TIME, Objective.TUNED)
        near = quick or objective is Objective.BALANCED
        choice = fastest if quick else self._descend(fastest, key, near=near)
        if near and self._overflow(choice):
            choice = self._descend(choice, key, near=False)
        steps, plan = self._planned(choice)
        # The bound that the search minimises is not always the arena that the planner finds.
        if objective is Objective.RAM and choice != fastest:
            other = self._planned(fastest)
            if other[1].arena_size < plan.arena_size:
                return other
        elif plan.arena_size > self._arena_limit and objective is not Objective.RAM:
            other = self._planned(self._descend(choice, self._key(Objective.RAM), near=False))
            if other[1].arena_size < plan.arena_size:
                return other
        return steps, plan

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

    def _fastest(self) -> list[int]:
        """The fastest choice of all. From here on fused variants come behind those of their first layer alone."""
        choice = [0] * len(self.layers)
        for index, variants in self._fused.items():
            alone = len(self.layers[index])
            self.layers[index] = [*self.layers[index], *variants]
            usable = [
                w for w in range(alone, alone + len(variants)) if isinstance(self._flash(index, w), _Flash)
            ]
            trials = [choice, *(self._exchanged(choice, {index: which}) for which in usable)]
            choice = min(trials, key=self._time)
        return choice

    def _flash(self, index: int, which: int) -> _Flash | ValueError:
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
                found = _Flash(step, own, code_pieces(self._graph, step))
            self._cache[index, which] = found
        return found

    def _of(self, choice: Sequence[int]) -> list[Variant]:
        pairs = zip(self.layers, choice, strict=True)
        return [variants[which] for variants, which in pairs if which != _NOTHING]

    def _flashes(self, choice: Sequence[int]) -> list[_Flash]:
        found = [self._flash(index, which) for index, which in enumerate(choice) if which != _NOTHING]
        return [flash for flash in found if isinstance(flash, _Flash)]

    def _flash_bytes(self, choice: Sequence[int]) -> float:
        pieces: dict[str, float] = {}
        own = 0
        for flash in self._flashes(choice):
            own += flash.own
            pieces |= flash.pieces
        return self._fixed_flash + own + sum(pieces.values())

    def _arena(self, choice: Sequence[int]) -> int:
        return max([self._floor, *(variant.live for variant in self._of(choice))])

    def _overflow(self, choice: Sequence[int], arena_limit: int | None = None) -> float:
        """Bytes beyond the board's memory; every layer that does not fit counts, so that each helps."""
        limit = self._arena_limit if arena_limit is None else arena_limit
        arena = sum(max(0, variant.live - limit) for variant in self._of(choice))
        return max(0.0, self._flash_bytes(choice) - self._flash_limit) + arena

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

    def _key(self, objective: Objective) -> Callable[[Sequence[int]], _Key]:
        """What a choice is to minimise: first the bytes that do not fit, then the objective."""
        smallest = self._smallest()

        def key(choice: Sequence[int]) -> _Key:
            if objective is Objective.RAM:
                return self._overflow(choice, min(smallest, self._arena_limit)), *self._time(choice)
            overflow = self._overflow(choice)
            if objective is Objective.FLASH:
                return overflow, self._flash_bytes(choice), *self._time(choice)
            if objective is Objective.BALANCED:
                memory = self._flash_bytes(choice) * (self._fixed_ram + self._arena(choice))
                cycles, instructions = self._time(choice)
                return overflow, cycles * memory**MEMORY_WEIGHT, instructions
            return overflow, *self._time(choice)

        return key

    def _descend(
        self, start: Sequence[int], key: Callable[[Sequence[int]], _Key], *, near: bool
    ) -> list[int]:
        """Exchange variants while `key` falls. `near`: only those not far slower than the fastest."""
        choice, best = list(start), key(start)
        usable = [
            [
                which
                for which, variant in enumerate(variants)
                if not (near and variant.cycles > _FAR_SLOWER * self._alone(index, variant))
                and isinstance(self._flash(index, which), _Flash)
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

    def _planned(self, choice: Sequence[int]) -> tuple[tuple[Step, ...], MemoryPlan]:
        steps = tuple(replace(flash.step, index=n) for n, flash in enumerate(self._flashes(choice)))
        return steps, planner.plan(with_steps(self._graph, steps), steps, self._audio_bytes)


def with_steps(graph: Graph, steps: Sequence[Step]) -> Graph:
    """The graph whose ops are those of the steps: that of the program."""
    return graph if len(steps) == len(graph.ops) else graph.rebuilt(ops=(step.op for step in steps))


def _alive(graph: Graph, lifetimes: Mapping[TensorName, Lifetime], audio_bytes: int) -> list[int]:
    """Bytes of tensors alive before the first step, in each step and after the last."""
    found = [0] * (len(graph.ops) + 2)
    for name, lifetime in lifetimes.items():
        for step in range(lifetime.first, lifetime.last + 1):
            found[step + 1] += graph[name].bytes
    found[0] += audio_bytes
    return found


def _alive_fused(graph: Graph, op: ConvDepthwise2D, alive: int) -> int:
    """Bytes of tensors alive in the step of a fused op; `alive` are those in the step of its first part alone."""
    return alive - op.intermediate.bytes + graph[op.outputs[0]].bytes


def _variants(
    graph: Graph,
    op: Op,
    index: int,
    kernels: Sequence[Kernel],
    alive: int,
    lifetimes: Mapping[TensorName, Lifetime],
    measured: Measured,
) -> list[Variant]:
    """The variants of one layer, fastest first. `alive` are the bytes of tensors alive in its step."""
    dies = {name for name, lifetime in lifetimes.items() if lifetime.last == index}
    works = [
        measured.get((index, kernel.symbol)) or (kernel.work(op, graph) if kernel.work else None)
        for kernel in kernels
    ]
    known = [work for work in works if work is not None]
    # Stand-ins: a kernel that does not say ranks behind all that do.
    size = sum(tensor.elements for tensor in (*graph.activations(op), *graph.results(op)))
    guess = 10.0 * (1 + size + op.macs(graph.operands(op), graph.results(op)))
    cycles = float(max((work.cycles for work in known), default=0)) or guess
    instructions = float(max((work.instructions for work in known), default=0)) or guess
    found = []
    for position, (kernel, work) in enumerate(zip(kernels, works, strict=True)):
        if work is None:
            cycles, instructions = 2 * cycles, 2 * instructions
        scratch = kernel.scratch(op, graph)
        live = alive + scratch - _shared(graph, op, kernel, scratch, dies)
        ranks = (cycles, instructions) if work is None else (work.cycles, work.instructions)
        found.append(Variant(op, kernel, position, work, ranks[0], ranks[1], scratch, live))
    return sorted(found, key=lambda variant: (variant.cycles, variant.instructions, variant.position))


def _shared(graph: Graph, op: Op, kernel: Kernel, scratch: int, dies: Container[TensorName]) -> int:
    """Bytes that the layer's buffers can have in common: results in place, writing over what `dies` here.

    What several overlaps save together is no more than the sizes of what they write, and no more than
    those of what they read.
    """
    names = [tensor.name for tensor in graph.activations(op)]
    written = {"output": graph.results(op)[0].bytes, "scratch": scratch}
    read = [graph[name].bytes if name in dies else 0 for name in names]
    in_place = (read[at] for at in kernel.in_place if at < len(read) and read[at] == written["output"])
    by_written, by_read = Counter[str](), Counter[int]()
    for overlap in kernel.overlaps(op, graph):
        at, kind = overlap.position, overlap.written
        if at < len(read):
            saved = max(0, min(read[at], written[kind], written[kind] - overlap.lead))
            by_written[kind] += saved
            by_read[at] += saved
    overlapped = min(
        sum(min(written[kind], saved) for kind, saved in by_written.items()),
        sum(min(read[at], saved) for at, saved in by_read.items()),
    )
    return max(overlapped, *in_place, 0)
