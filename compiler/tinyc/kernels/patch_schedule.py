"""PATCH_STAGE: which part of every tensor a patch needs, and what of it is there already.

Both axes of an image are treated alike and apart: along one axis a patch needs spans of rows (or columns).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op, Padding
from tinyc.ir.ops.convolution import Convolution
from tinyc.ir.ops.elementwise import Binary, Unary
from tinyc.ir.ops.pad import Pad
from tinyc.ir.ops.patch_stage import PatchStage
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import TensorName

ROWS, COLUMNS = 1, 2


@dataclass(frozen=True, slots=True)
class Reach:
    """Along one axis output `i` reads `size` positions from `i * stride - before` on.

    `before` and `after` are the padding of the whole image.
    """

    size: int
    stride: int
    before: int
    after: int

    def needs(self, first: int, end: int) -> tuple[int, int]:
        """The positions that outputs from `first` to `end` read, some perhaps outside of the image."""
        return first * self.stride - self.before, (end - 1) * self.stride - self.before + self.size


_EACH = Reach(1, 1, 0, 0)


def reach(op: Op, graph: Graph, axis: int) -> Reach | None:
    """None for an op that patches do not do."""
    operands, (result,) = graph.operands(op), graph.results(op)
    x, at = operands[0], axis - ROWS
    if isinstance(op, Convolution):
        window = op.window(operands)
        size = (window.kernel[at] - 1) * window.dilation[at] + 1
        return Reach(size, window.stride[at], *window.pads[2 * at : 2 * at + 2])
    if isinstance(op, Pool2D):
        sizes = ((op.filter_height, op.stride_height), (op.filter_width, op.stride_width))
        (size, stride), before = sizes[at], op.before(x.shape)[at]
        end = (result.shape[axis] - 1) * stride - before + size
        return Reach(size, stride, before, max(0, end - x.shape[axis]))
    if isinstance(op, Pad):
        return None if any((*op.paddings[0], *op.paddings[3])) else Reach(1, 1, *op.paddings[axis])
    alike = all(tensor.shape == result.shape and not tensor.is_constant for tensor in operands)
    return _EACH if isinstance(op, Unary | Binary) and alike else None


@dataclass(frozen=True, slots=True)
class Held:
    """A span of a tensor during a patch: from `first` to `end`; the patch makes what is from `new` on."""

    first: int
    new: int
    end: int

    @property
    def extent(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Cut:
    """What a part does along one axis in a patch: the span of the input, its padding, and outputs."""

    first: int
    end: int
    before: int
    after: int
    outputs: int

    @property
    def extent(self) -> int:
        return self.end - self.first

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """All but where it begins."""
        return self.extent, self.before, self.after, self.outputs


Spans: TypeAlias = Mapping[TensorName, Held]


@dataclass(frozen=True, slots=True)
class Axis:
    """The patches along one axis: what each holds of every tensor, and what each part does, if anything."""

    held: tuple[Spans, ...]
    cuts: tuple[tuple[Cut | None, ...], ...]

    def kept(self, patch: int, name: TensorName) -> tuple[int, int]:
        """(first, end) of what a patch takes over from the one before, from where that one's span began."""
        if patch == 0:
            return 0, 0
        now, before = self.held[patch][name], self.held[patch - 1][name]
        return now.first - before.first, max(now.first, now.new) - before.first

    def largest(self, part: int) -> int:
        """The most that a part reads in a patch."""
        return max(cuts[part].extent for cuts in self.cuts if cuts[part] is not None)  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Schedule:
    """The patches of a stage, in the graph of its parts. Raises ValueError where patches cannot do it."""

    stage: PatchStage
    graph: Graph
    rows: Axis
    columns: Axis

    @classmethod
    def of(cls, stage: PatchStage, graph: Graph) -> Schedule:
        (result,) = graph.results(stage)
        inner = graph.rebuilt(
            ops=stage.parts, tensors=stage.between, inputs=stage.inputs[:1], outputs=stage.outputs
        )
        if stage.rolling and stage.columns < result.shape[COLUMNS]:
            raise ValueError("rows roll only in patches as wide as the image")
        rows = _axis(stage.parts, inner, ROWS, stage.rows, rolling=stage.rolling)
        return cls(stage, inner, rows, _axis(stage.parts, inner, COLUMNS, stage.columns, rolling=False))

    @property
    def source(self) -> TensorName:
        return self.stage.inputs[0]

    @property
    def result(self) -> TensorName:
        return self.stage.outputs[0]

    @property
    def axes(self) -> tuple[Axis, Axis]:
        return self.rows, self.columns

    def width(self, patch: int, name: TensorName) -> int:
        """Columns of a tensor as it lies in memory during a patch; input and output are there as a whole."""
        if name in (self.source, self.result):
            return self.graph[name].shape[COLUMNS]
        return self.columns.held[patch][name].extent

    def lead(self) -> int:
        """How far before the input the output has to start, so that nothing is overwritten that is needed."""
        x, y = self.graph[self.source], self.graph[self.result]
        x_row, y_row = x.bytes // x.shape[ROWS], y.bytes // y.shape[ROWS]
        by_column = len(self.columns.held) > 1
        found = []
        for patch, spans in enumerate(self.rows.held):
            later = self.rows.held[patch + 1 :]
            needed = [later[0][self.source].first] if later else [x.shape[ROWS]]
            last = self.rows.cuts[patch][-1]
            if self.source in self.stage.parts[-1].inputs and last is not None:
                needed.append(last.first)
            if by_column:
                needed.append(spans[self.source].first)
            found.append(spans[self.result].end * y_row - min(needed) * x_row)
        return max(found)


def tile_op(op: Op, rows: Cut, columns: Cut) -> Op:
    """The op on what a patch has of its inputs."""
    if isinstance(op, Convolution | Pool2D):
        pads = (rows.before, rows.after, columns.before, columns.after)
        return op.with_(padding=Padding.EXPLICIT, pads=pads)
    if isinstance(op, Pad):
        sides = ((rows.before, rows.after), (columns.before, columns.after))
        return op.with_(paddings=((0, 0), *sides, (0, 0)))
    return op


def _axis(parts: Sequence[Op], graph: Graph, axis: int, step: int, *, rolling: bool) -> Axis:
    reaches = [reach(op, graph, axis) for op in parts]
    known = [found for found in reaches if found is not None]
    if len(known) < len(parts):
        raise ValueError("a layer that patches do not do")
    extent = graph[parts[-1].outputs[0]].shape[axis]
    if step >= extent:
        return _whole(parts, graph, axis, known)
    ends: dict[TensorName, int] = {}
    held, cuts = [], []
    for first in range(0, extent, step):
        spans, made = _patch(parts, graph, axis, known, (first, min(extent, first + step)), ends)
        held.append(spans)
        cuts.append(made)
        if rolling:
            ends = {name: span.end for name, span in spans.items()}
    return Axis(tuple(held), tuple(cuts))


def _whole(parts: Sequence[Op], graph: Graph, axis: int, reaches: Sequence[Reach]) -> Axis:
    """One patch with all of every tensor."""
    spans, cuts = {}, []
    for op, each in zip(parts, reaches, strict=True):
        (result,) = graph.results(op)
        for tensor in (*graph.activations(op), result):
            spans[tensor.name] = Held(0, 0, tensor.shape[axis])
        extent = graph.operands(op)[0].shape[axis]
        cuts.append(Cut(0, extent, each.before, each.after, result.shape[axis]))
    return Axis((spans,), (tuple(cuts),))


def _patch(
    parts: Sequence[Op],
    graph: Graph,
    axis: int,
    reaches: Sequence[Reach],
    outputs: tuple[int, int],
    ends: Mapping[TensorName, int],
) -> tuple[Spans, tuple[Cut | None, ...]]:
    """One patch, from its outputs back to the input; `ends` are those of what is there already."""
    result = parts[-1].outputs[0]
    spans = {result: Held(outputs[0], outputs[0], outputs[1])}
    needs: dict[TensorName, list[tuple[int, int]]] = {}
    cuts: list[Cut | None] = []

    def settle(name: TensorName) -> Held:
        there = ends.get(name, 0)
        first = min(low for low, _ in needs[name])
        return Held(first, max(there, first), max(there, first, *(high for _, high in needs[name])))

    for op, each in zip(reversed(parts), reversed(reaches), strict=True):
        (name,) = op.outputs
        if name != result:
            spans[name] = settle(name)
        span, extent = spans[name], graph.operands(op)[0].shape[axis]
        count = span.end - span.new
        low, high = each.needs(span.new, span.end)
        inside = (min(max(low, 0), extent), min(max(high, 0), extent))
        if count > 0 and inside[0] >= inside[1]:
            raise ValueError("a window outside of the image")
        for tensor in graph.activations(op):
            # What is not made now may need as much later on.
            needs.setdefault(tensor.name, []).append((inside[0], inside[1] if count > 0 else inside[0]))
        cuts.append(Cut(*inside, max(0, -low), max(0, high - extent), count) if count > 0 else None)
    source = parts[0].inputs[0]
    spans[source] = settle(source)
    return spans, tuple(reversed(cuts))
