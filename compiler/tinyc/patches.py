"""Stages of layers that are computed patch by patch, and which of them are worth it.

A graph's stages are chosen together: the cheapest way through the layers, one by one, in fused pairs or in
stages, of which no step needs more than so many bytes of arena. What a stage takes is estimated from its
patches first, and asked of its kernels only where it would be taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.ops.patch_stage import PatchStage
from tinyc.kernels.kernel import Kernel
from tinyc.kernels.patch_moves import Moves
from tinyc.kernels.patch_schedule import COLUMNS, ROWS, Schedule, reach
from tinyc.memory.lifetimes import tensor_lifetimes

# Layers of a stage, and how far it reaches beyond those that need patches.
_MOST_PARTS = 10
_BEYOND = 3
# Rows of a patch, and how many patches lie side by side.
_PATCH_ROWS = (1, 2, 4, 8)
_PATCHES_ACROSS = (2, 4, 8)
# A stage this much slower than its layers one by one is not considered.
_FAR_SLOWER = 2.5
_ROUNDS = 40

Supported: TypeAlias = Callable[[Op, Graph], Sequence[Kernel]]


@dataclass(frozen=True, slots=True)
class Patches:
    """A stage of `count` layers from `first` on, in patches of `rows` by `columns` of its output."""

    first: int
    count: int
    rows: int
    columns: int
    rolling: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def stage(self, graph: Graph) -> PatchStage:
        """The stage of these layers of `graph`."""
        parts = graph.ops[self.first : self.first + self.count]
        return PatchStage.of(parts, graph.tensors, self.rows, self.columns, self.rolling)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to compute `count` layers: arena bytes alive meanwhile, cycles, and the patches of a stage."""

    count: int
    live: int
    cycles: float
    patches: Patches | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A way through all layers: the most bytes that a step needs, cycles and the stages of it."""

    live: int
    cycles: float
    stages: tuple[Patches, ...]


_Cost: TypeAlias = tuple[int, float]


def with_patches(graph: Graph, chosen: Iterable[Patches]) -> Graph:
    """The graph with these stages in place of their layers. Raises IndexError for layers it does not have."""
    starts = {patches.first: patches for patches in chosen}
    ops: list[Op] = []
    index = 0
    while index < len(graph.ops):
        patches = starts.get(index)
        ops.append(graph.ops[index] if patches is None else patches.stage(graph))
        index += 1 if patches is None else patches.count
    return graph.rebuilt(ops=ops) if starts else graph


def patches_of(graph: Graph) -> tuple[Patches, ...]:
    """The stages of a graph, in terms of the layers that it had without them and without fused pairs."""
    found, index = [], 0
    for op in graph.ops:
        if isinstance(op, PatchStage):
            found.append(Patches(index, len(op.parts), op.rows, op.columns, op.rolling))
        index += len(op.parts) if isinstance(op, PatchStage | ConvDepthwise2D) else 1
    return tuple(found)


class PatchSearch:
    """The stages of a graph. `ways` are those of its layers without patches, by the layer they begin with."""

    def __init__(self, graph: Graph, supported: Supported, ways: Sequence[Sequence[Way]], floor: int) -> None:
        self._graph, self._supported, self._floor = graph, supported, floor
        self._lifetimes = tensor_lifetimes(graph)
        self._plain = ways
        self._least = [min(way.live for way in found if way.count == 1) for found in ways]
        self._fastest = [min(way.cycles for way in found if way.count == 1) for found in ways]
        self._stages: dict[Patches, tuple[Way, ...]] = {}
        self._is_exact: set[Patches] = set()
        for patches in self._possible():
            way = self._estimate(patches)
            if way is not None:
                self._stages[patches] = (way,)

    def narrowest(self) -> Route:
        """The way through the layers that needs the least bytes."""
        return self._settled(self._narrowest)

    def within(self, limit: int) -> Route | None:
        """The fastest way through the layers within `limit` bytes; None if there is none."""
        found = self._settled(lambda: self._way_within(limit))
        return None if found.live > limit else found

    def _settled(self, search: Callable[[], Route]) -> Route:
        """What `search` finds when all the stages of its answer are known exactly."""
        for _ in range(_ROUNDS):
            found = search()
            open_ones = [patches for patches in found.stages if patches not in self._is_exact]
            if not open_ones:
                return found
            for patches in open_ones:
                self._settle(patches)
        return search()

    def _narrowest(self) -> Route:
        return self._through(lambda so_far, way: (max(so_far[0], way.live), so_far[1] + way.cycles))

    def _way_within(self, limit: int) -> Route:
        def key(so_far: _Cost, way: Way) -> _Cost:
            return so_far[0] + max(0, way.live - limit), so_far[1] + way.cycles

        found = self._through(key)
        return replace(found, live=limit + found.live)

    def _through(self, join: Callable[[_Cost, Way], _Cost]) -> Route:
        """The way of least cost from the last layer back to the first."""
        count = len(self._graph.ops)
        stages: dict[int, list[Way]] = {}
        for patches, ways in self._stages.items():
            stages.setdefault(patches.first, []).extend(ways)
        costs: list[tuple[_Cost, tuple[Patches, ...]]] = [((0, 0.0), ())] * (count + 1)
        for index in reversed(range(count)):
            options = []
            for way in (*self._plain[index], *stages.get(index, ())):
                cost, rest = costs[index + way.count]
                options.append((join(cost, way), rest if way.patches is None else (way.patches, *rest)))
            costs[index] = min(options, key=lambda option: option[0])
        (live, cycles), chosen = costs[0]
        return Route(live, cycles, chosen)

    def _possible(self) -> Iterator[Patches]:
        """Stages that hold a layer which needs more than is alive before the first and after the last."""
        hot = [index for index, live in enumerate(self._least) if live > self._floor]
        graph = self._graph
        near = {index + by for index in hot for by in range(-_BEYOND, _BEYOND + 1)}
        able = [
            all(reach(op, graph, axis) is not None for axis in (ROWS, COLUMNS))
            if _is_image(op, graph)
            else False
            for op in graph.ops
        ]
        for first in range(len(graph.ops)):
            for count in range(2, _MOST_PARTS + 1):
                span = range(first, first + count)
                if span[-1] >= len(graph.ops) or not able[span[-1]] or span[-1] not in near:
                    break
                if first in near and not set(hot).isdisjoint(span) and self._is_closed(span):
                    yield from self._shapes(first, count)

    def _is_closed(self, span: range) -> bool:
        """Whether the layers read one activation from outside, and others read the last one's result only."""
        graph = self._graph
        ops = [graph.ops[index] for index in span]
        made = {name for op in ops for name in op.outputs}
        read = {tensor.name for op in ops for tensor in graph.activations(op)} - made
        inside = made - set(ops[-1].outputs)
        others = {name for index, op in enumerate(graph.ops) if index not in span for name in op.inputs}
        again = any(ops[-1].outputs[0] in op.inputs for op in ops)
        return len(read) == 1 and not again and not inside & {*others, *graph.outputs}

    def _shapes(self, first: int, count: int) -> Iterator[Patches]:
        (result,) = self._graph.results(self._graph.ops[first + count - 1])
        _, height, width, _ = result.shape
        for rows in _PATCH_ROWS:
            if rows < height:
                yield Patches(first, count, rows, width, rolling=True)
                yield Patches(first, count, rows, width, rolling=False)
            for columns in dict.fromkeys(-(-width // parts) for parts in _PATCHES_ACROSS):
                if rows <= height and columns < width:
                    yield Patches(first, count, rows, columns, rolling=False)

    def _estimate(self, patches: Patches) -> Way | None:
        """By its patches alone: kernels without scratch, and the cycles per pixel of each layer's fastest."""
        stage = patches.stage(self._graph)
        try:
            schedule = Schedule.of(stage, self._graph)
        except ValueError:
            return None
        cycles = 0.0
        span = range(patches.first, patches.first + patches.count)
        for at, (op, index) in enumerate(zip(stage.parts, span, strict=True)):
            (result,) = self._graph.results(op)
            down, along = (
                sum(cut.outputs for cuts in axis.cuts if (cut := cuts[at]) is not None)
                for axis in schedule.axes
            )
            cycles += self._fastest[index] * down * along / (result.shape[ROWS] * result.shape[COLUMNS])
        if cycles > _FAR_SLOWER * sum(self._fastest[index] for index in span):
            return None
        scratch = Moves.of(schedule, [0] * len(stage.parts)).plan().arena_size
        return Way(patches.count, self._live(patches, scratch, schedule.lead()), cycles, patches)

    def _live(self, patches: Patches, scratch: int, lead: int) -> int:
        stage, graph = patches.stage(self._graph), self._graph
        last = patches.first + patches.count - 1
        inside = {tensor.name for tensor in stage.between}
        alive = sum(
            graph[name].bytes
            for name, lifetime in self._lifetimes.items()
            if name not in inside and lifetime.first <= last and lifetime.last >= patches.first
        )
        read, written = graph[stage.inputs[0]].bytes, graph[stage.outputs[0]].bytes
        dies = self._lifetimes[stage.inputs[0]].last <= last
        return alive + scratch - (max(0, min(read, written, written - lead)) if dies else 0)

    def _settle(self, patches: Patches) -> None:
        """What the stage takes with each kernel that it has."""
        stage, graph = patches.stage(self._graph), self._graph
        self._is_exact.add(patches)
        ways = []
        for kernel in self._supported(stage, graph):
            assert kernel.work is not None
            (overlap,) = kernel.overlaps(stage, graph)
            live = self._live(patches, kernel.scratch(stage, graph), overlap.lead)
            ways.append(Way(patches.count, live, kernel.work(stage, graph).cycles, patches))
        self._stages[patches] = tuple(ways)


def _is_image(op: Op, graph: Graph) -> bool:
    tensors = (*graph.activations(op), *graph.results(op))
    return all(len(t.shape) == 4 and t.shape[0] == 1 for t in tensors) and len(op.outputs) == 1
