"""PATCH_STAGE: the layers that its patches are made of, and the kernels that compute them.

A patch calls every part on what it has of the part's inputs. Where these have the same sizes in two patches,
it is the same layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.patch_stage import PatchStage
from tinyc.ir.tensor import DType, Tensor
from tinyc.kernels.kernel import Inner, Kernel, Work
from tinyc.kernels.patch_moves import Moves
from tinyc.kernels.patch_schedule import Cut, Schedule, tile_op

NOTHING = -1
# Kernels for words want their tensors at whole words.
_WORD = 4
_ANY_ADDRESS = ("portable", "scalar")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stage: its layers of every size, the kernel, and which of them each patch calls.

    `calls[row][column]` is the index of a layer, `NOTHING` where the patch leaves the part out.
    """

    op: Op
    kernel: Kernel
    layers: tuple[Inner, ...]
    calls: tuple[tuple[int, ...], ...]

    @property
    def scratch(self) -> int:
        return max(self.kernel.scratch(layer.op, layer.graph) for layer in self.layers)

    def work(self) -> Work:
        """Of all patches."""
        assert self.kernel.work is not None
        total = Work(0, 0)
        for index, count in Counter(call for row in self.calls for call in row if call != NOTHING).items():
            work = self.kernel.work(self.layers[index].op, self.layers[index].graph)
            total += Work(count * work.instructions, count * work.cycles)
        return total


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that a set of kernels computes."""

    schedule: Schedule
    parts: tuple[Part, ...]

    @property
    def moves(self) -> Moves:
        return Moves.of(self.schedule, [part.scratch for part in self.parts])


@dataclass(frozen=True, slots=True, eq=False)
class Chooser:
    """The fastest of `kernels` for the parts of a stage, on boards with `features`."""

    kernels: Sequence[Kernel]
    features: frozenset[str]

    def find(self, stage: PatchStage, graph: Graph) -> Stage | None:
        """None where patches or kernels cannot do it."""
        return _found(self, stage, _Same(graph))

    def _part(self, schedule: Schedule, index: int) -> Part | None:
        layers, calls = _layers(schedule, index)
        op = schedule.stage.parts[index]
        aligned = _is_aligned(schedule, index)
        found: list[tuple[tuple[int, int], int, Kernel]] = []
        for position, kernel in enumerate(self.kernels):
            if kernel.op is not type(op) or kernel.work is None or not kernel.suits(self.features):
                continue
            if aligned or kernel.isa in _ANY_ADDRESS:
                costs = _costs_of(kernel, layers, calls)
                if costs is not None:
                    found.append((costs, position, kernel))
        for _, _, kernel in sorted(found, key=lambda each: each[:2]):
            if all(_is_callable(kernel, layer) for layer in layers):
                inner = tuple(Inner(layer.op, layer.graph, kernel) for layer in layers)
                return Part(op, kernel, inner, calls)
        return None

    def search(self, stage: PatchStage, graph: Graph) -> Stage | None:
        """`find` without memory of earlier answers."""
        tensors = [*graph.activations(stage), *stage.between, *graph.results(stage)]
        if any(t.dtype is not DType.INT8 or len(t.shape) != 4 or t.shape[0] != 1 for t in tensors):
            return None
        try:
            schedule = Schedule.of(stage, graph)
        except ValueError:
            return None
        parts = [self._part(schedule, index) for index in range(len(stage.parts))]
        known = tuple(part for part in parts if part is not None)
        return Stage(schedule, known) if len(known) == len(parts) else None


class _Same:
    """Something that equals itself alone."""

    __slots__ = ("value",)

    def __init__(self, value: Graph | Tensor) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value


@lru_cache(maxsize=256)
def _found(chooser: Chooser, stage: PatchStage, graph: _Same) -> Stage | None:
    assert isinstance(graph.value, Graph)
    return chooser.search(stage, graph.value)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A part in patches of one size. Layers of the same `sizes` and constants are equal."""

    op: Op
    graph: Graph = field(compare=False)
    sizes: tuple[Tensor, ...]
    constants: tuple[_Same, ...]


@lru_cache(maxsize=8192)
def _costs(kernel: Kernel, layer: _Layer) -> tuple[Work, int] | None:
    """Work and bytes of scratch; None where the kernel does not take the layer."""
    if kernel.work is None or not kernel.accepts(layer.op, layer.graph):
        return None
    return kernel.work(layer.op, layer.graph), kernel.scratch(layer.op, layer.graph)


def _costs_of(
    kernel: Kernel, layers: Sequence[_Layer], calls: Sequence[Sequence[int]]
) -> tuple[int, int] | None:
    """Cycles of all calls, and bytes of scratch; None where the kernel does not take one of the layers."""
    cycles = scratch = 0
    counts = Counter(call for row in calls for call in row)
    for index, layer in enumerate(layers):
        costs = _costs(kernel, layer)
        if costs is None:
            return None
        cycles += counts[index] * costs[0].cycles
        scratch = max(scratch, costs[1])
    return cycles, scratch


@lru_cache(maxsize=1024)
def _is_callable(kernel: Kernel, layer: _Layer) -> bool:
    """Whether fixed point holds the layer's scales, and any layer may call the kernel's function."""
    try:
        kernel.lower(layer.op, layer.graph)
    except ValueError:
        return False
    return not kernel.is_specialized or "variant" in Inner(layer.op, layer.graph, kernel).view


def _layers(schedule: Schedule, index: int) -> tuple[tuple[_Layer, ...], tuple[tuple[int, ...], ...]]:
    """The layers of every size that a part has, and which one each patch calls."""
    known: dict[tuple[object, ...], int] = {}
    layers: list[_Layer] = []
    calls = []
    for rows in schedule.rows.cuts:
        row = []
        for columns in schedule.columns.cuts:
            cuts = rows[index], columns[index]
            if cuts[0] is None or cuts[1] is None:
                row.append(NOTHING)
                continue
            sizes = (cuts[0].sizes, cuts[1].sizes)
            if sizes not in known:
                known[sizes] = len(layers)
                layers.append(_layer(schedule, index, cuts[0], cuts[1]))
            row.append(known[sizes])
        calls.append(tuple(row))
    return tuple(layers), tuple(calls)


def _layer(schedule: Schedule, index: int, rows: Cut, columns: Cut) -> _Layer:
    graph, op = schedule.graph, tile_op(schedule.stage.parts[index], rows, columns)
    (result,) = graph.results(op)
    inputs = [
        tensor.with_(shape=(1, rows.extent, columns.extent, tensor.shape[3]))
        for tensor in graph.activations(op)
    ]
    output = result.with_(shape=(1, rows.outputs, columns.outputs, result.shape[3]))
    names = tuple(dict.fromkeys(tensor.name for tensor in inputs))
    tile = graph.rebuilt(ops=(op,), tensors=[*inputs, output], inputs=names, outputs=op.outputs)
    constants = tuple(_Same(tensor) for tensor in tile.operands(op) if tensor.is_constant)
    return _Layer(op, tile, (*inputs, output), constants)


def _is_aligned(schedule: Schedule, index: int) -> bool:
    """Whether all that a part reads and writes begins at whole words: rows and pixels take whole words."""
    op = schedule.stage.parts[index]
    for tensor in (*schedule.graph.activations(op), *schedule.graph.results(op)):
        depth = tensor.shape[3]
        widths = [schedule.width(patch, tensor.name) for patch in range(len(schedule.columns.held))]
        if any(extent * depth % _WORD for extent in widths):
            return False
    return True
