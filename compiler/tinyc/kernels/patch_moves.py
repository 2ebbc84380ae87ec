"""PATCH_STAGE: where everything lies in the scratch, and what is moved beside the calls of the parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tinyc.ir.tensor import TensorName
from tinyc.kernels.features import Features
from tinyc.kernels.patch_schedule import Axis, Schedule
from tinyc.memory import planner
from tinyc.memory.plan import Buffer, Lifetime, MemoryPlan


@dataclass(frozen=True, slots=True)
class Moves:
    """`scratch`: bytes that the kernel of each part wants.

    Patches are of one kind where they differ in their place alone: `kinds` has that of every patch along an
    axis, `firsts` the first patch of every kind.
    """

    schedule: Schedule
    scratch: tuple[int, ...]
    row_kinds: tuple[int, ...]
    row_firsts: tuple[int, ...]
    column_kinds: tuple[int, ...]
    column_firsts: tuple[int, ...]

    @classmethod
    def of(cls, schedule: Schedule, scratch: Sequence[int]) -> Moves:
        rows, columns = (_kinds(schedule, axis) for axis in (schedule.rows, schedule.columns))
        return cls(schedule, tuple(scratch), *rows, *columns)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(row, column) of the first patch of every kind."""
        return [(row, column) for row in self.row_firsts for column in self.column_firsts]

    def is_gathered(self, part: int, name: TensorName) -> bool:
        """Whether a part reads columns that do not lie side by side without others between the rows."""
        return any(
            cuts[part] is not None and cuts[part].extent != self.schedule.width(patch, name)  # type: ignore[union-attr]
            for patch, cuts in enumerate(self.schedule.columns.cuts)
        )

    @property
    def is_scattered(self) -> bool:
        """Whether patches have to be put apart where they lie in the output."""
        return len(self.schedule.columns.held) > 1

    def carried(self, name: TensorName) -> bool:
        """Whether a patch takes over rows of a tensor from the one before."""
        rows = self.schedule.rows
        spans = (rows.kept(patch, name) for patch in range(len(rows.held)))
        return name != self.schedule.result and any(end > first for first, end in spans)

    def plan(self) -> MemoryPlan:
        return _placed(tuple(self._buffers()))

    def _buffers(self) -> list[Buffer]:
        """What a patch needs between and beside its parts."""
        schedule, ops = self.schedule, self.schedule.stage.parts
        last, found = len(ops) - 1, []
        for at, op in enumerate(ops):
            (name,) = op.outputs
            if name != schedule.result:
                readers = [i for i, other in enumerate(ops) if name in other.inputs]
                lifetime = Lifetime(0, last) if self.carried(name) else Lifetime(at, max([at, *readers]))
                extents = [max(spans[name].extent for spans in axis.held) for axis in schedule.axes]
                found.append(Buffer(name, self._bytes(name, *extents), lifetime, (name,)))
            for tensor in schedule.graph.activations(op):
                if self.is_gathered(at, tensor.name):
                    size = self._bytes(tensor.name, *(axis.largest(at) for axis in schedule.axes))
                    found.append(Buffer(f"gathered:{at}:{tensor.name}", size, Lifetime(at, at)))
            if self.scratch[at] > 0:
                found.append(Buffer(f"scratch:{at}", self.scratch[at], Lifetime(at, at)))
        if self.is_scattered:
            extents = [max(spans[schedule.result].extent for spans in axis.held) for axis in schedule.axes]
            found.append(Buffer("scattered", self._bytes(schedule.result, *extents), Lifetime(last, last)))
        return found

    def _bytes(self, name: TensorName, rows: int, columns: int) -> int:
        return rows * columns * self.schedule.graph[name].shape[3]

    def features(self) -> Features:
        """Patches, calls, and bytes that are moved beside them."""
        schedule = self.schedule
        rows, columns = schedule.axes
        calls = moved = copied = runs = 0
        for at, op in enumerate(schedule.stage.parts):
            (name,) = op.outputs
            if self.carried(name):
                kept = (rows.kept(patch, name) for patch in range(len(rows.held)))
                moved += sum(self._bytes(name, end - first, schedule.width(0, name)) for first, end in kept)
            read = [t.name for t in schedule.graph.activations(op) if self.is_gathered(at, t.name)]
            down = [cuts[at] for cuts in rows.cuts if cuts[at] is not None]
            along = [cuts[at] for cuts in columns.cuts if cuts[at] is not None]
            calls += len(down) * len(along)
            lines, across = (sum(cut.extent for cut in each if cut is not None) for each in (down, along))
            runs += len(read) * lines * len(along)
            copied += sum(self._bytes(each, lines, across) for each in read)
        if self.is_scattered:
            result = schedule.graph[schedule.result]
            runs, copied = runs + result.shape[1] * len(columns.held), copied + result.bytes
        patches = len(rows.held) * len(columns.held)
        counts = {"parts": calls, "moved": moved, "runs": runs, "copied": copied}
        return {"calls": 1, "patches": patches, **counts}


def _kinds(schedule: Schedule, axis: Axis) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(kind of each patch along an axis, the first patch of each kind)."""
    firsts: dict[object, int] = {}
    patterns = [_pattern(schedule, axis, patch) for patch in range(len(axis.held))]
    found = [firsts.setdefault(pattern, len(firsts)) for pattern in patterns]
    return tuple(found), tuple(found.index(kind) for kind in range(len(firsts)))


def _pattern(schedule: Schedule, axis: Axis, patch: int) -> tuple[object, ...]:
    """All that a patch is along one axis but where it begins."""
    spans = axis.held[patch]
    found: list[object] = []
    for op, cut in zip(schedule.stage.parts, axis.cuts[patch], strict=True):
        (name,) = op.outputs
        found += [spans[name].new - spans[name].first, spans[name].extent, axis.kept(patch, name)]
        if cut is not None:
            firsts = [spans[tensor.name].first for tensor in schedule.graph.activations(op)]
            found += [cut.sizes, *(cut.first - first for first in firsts)]
    return tuple(found)


@lru_cache(maxsize=1024)
def _placed(buffers: tuple[Buffer, ...]) -> MemoryPlan:
    """Asked for several times for each stage."""
    return planner.place(buffers)
