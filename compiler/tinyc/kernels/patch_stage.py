"""PATCH_STAGE: a loop over patches that calls a kernel for each part.

What lies between two parts needs room for one patch only. The function is rendered once for all stages that
make the same calls.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.patch_stage import PatchStage
from tinyc.ir.tensor import TensorName
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Inner, Kernel, Lowered, Overlap, Work
from tinyc.kernels.patch_parts import Chooser, Stage
from tinyc.kernels.patch_schedule import COLUMNS, ROWS, Axis
from tinyc.kernels.patch_view import Table, part_views
from tinyc.kernels.work import FittedWork

_DSP, _FPU, _SCALAR = frozenset({"dsp"}), frozenset({"dsp", "fpu"}), frozenset({"scalar"})
# Instruction set, features that it needs, and those where another one does the same better.
_SETS: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("cortex_m4", _FPU, frozenset()),
    ("cortex_m4_no_fpu", _DSP, frozenset({"fpu"})),
    ("scalar", _SCALAR, frozenset()),
    ("portable", frozenset(), _DSP | _SCALAR),
)
_COSTS = "tinyc_patch_stage"
# Code bytes of the function: its loops, and each part's call. Builds for the nRF52840 have 108 to 202 for two
# to four parts.
_CODE, _CODE_PER_PART = 70, 32


@dataclass(frozen=True, slots=True)
class _StageKernel:
    """The kernel of a set of kernels of parts."""

    isa: str
    requires: frozenset[str]
    superseded: frozenset[str]
    chooser: Chooser

    def known(self, op: Op, graph: Graph) -> Stage:
        assert isinstance(op, PatchStage)
        stage = self.chooser.find(op, graph)
        assert stage is not None
        return stage

    def accepts(self, op: Op, graph: Graph) -> bool:
        assert isinstance(op, PatchStage)
        return self.chooser.find(op, graph) is not None

    def lower(self, op: Op, graph: Graph) -> Lowered:
        fields: dict[str, FieldValue] = {}
        channel_bytes = 0
        for at, part in enumerate(self.known(op, graph).parts):
            for size, layer in enumerate(part.layers):
                lowered = part.kernel.lower(layer.op, layer.graph)
                fields |= {f"part_{at}[{size}].{name}": value for name, value in lowered.fields.items()}
                channel_bytes += lowered.channel_bytes if size == 0 else 0
        return Lowered(str(self.view(op, graph)["struct"]), fields, channel_bytes)

    def scratch(self, op: Op, graph: Graph) -> int:
        return self.known(op, graph).moves.plan().arena_size

    def overlaps(self, op: Op, graph: Graph) -> tuple[Overlap, ...]:
        """The output may follow the rows of the input that no patch needs any more."""
        return (Overlap(0, "output", self.known(op, graph).schedule.lead()),)

    def inner(self, op: Op, graph: Graph) -> tuple[Inner, ...]:
        return tuple(layer for part in self.known(op, graph).parts for layer in part.layers)

    def features(self, op: Op, graph: Graph) -> Features:
        return self.known(op, graph).moves.features()

    def part_work(self, op: Op, graph: Graph) -> Work:
        return sum((part.work() for part in self.known(op, graph).parts), Work(0, 0))

    def code(self, op: Op, graph: Graph) -> int:
        """Of the function with its tables, without the kernels that it calls."""
        stage = self.known(op, graph)
        moves = stage.moves
        table = Table(len(moves.pairs))
        parts = part_views(stage, table)
        starts = 4 * (len(moves.row_kinds) + len(moves.column_kinds))
        return _CODE + _CODE_PER_PART * len(parts) + table.bytes + starts

    def view(self, op: Op, graph: Graph) -> dict[str, object]:
        """What the template prints; it depends on shapes and kernels, not on the layer."""
        stage = self.known(op, graph)
        schedule, moves = stage.schedule, stage.moves
        x, y = schedule.graph[schedule.source], schedule.graph[schedule.result]
        table = Table(len(moves.pairs))
        columns = min(schedule.stage.columns, y.shape[COLUMNS])
        view: dict[str, object] = {
            "parts": part_views(stage, table),
            "table": table,
            "rows": min(schedule.stage.rows, y.shape[ROWS]),
            "columns": columns,
            "rolling": schedule.stage.rolling,
            "row_starts": _starts(schedule.rows, schedule.source, moves.row_kinds),
            "column_starts": _starts(schedule.columns, schedule.source, moves.column_kinds),
            "column_kinds": len(moves.column_firsts),
            "input_row": x.bytes // x.shape[ROWS],
            "input_pixel": x.shape[3],
            "output_patch_row": schedule.stage.rows * (y.bytes // y.shape[ROWS]),
            "output_patch": columns * y.shape[3],
        }
        variant = hashlib.sha256(repr(view).encode()).hexdigest()[:8]
        files = ("include/tinyc_patch.h",)
        return {**view, "variant": variant, "struct": f"tinyc_patch_stage_{variant}", "files": files}

    def kernel(self) -> Kernel:
        return Kernel(
            symbol=f"tinyc_patch_stage_s8__{self.isa}",
            op=PatchStage,
            source="patches/patch_stage.c.j2",
            requires=self.requires,
            superseded=self.superseded,
            accepts=self.accepts,
            lower=self.lower,
            scratch=self.scratch,
            overlaps=self.overlaps,
            work=FittedWork(_COSTS, self.features, self.part_work),
            code=self.code,
            specialize=self.view,
            inner=self.inner,
        )


def _starts(axis: Axis, source: TensorName, kinds: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(where it begins in the input, kind) of every patch along an axis."""
    return tuple((spans[source].first, kind) for spans, kind in zip(axis.held, kinds, strict=True))


def kernels(parts: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """The kernels of stages whose parts these compute, for each set of features that decides between them."""
    return tuple(
        _StageKernel(isa, requires, superseded, Chooser(parts, requires)).kernel()
        for isa, requires, superseded in _SETS
    )
