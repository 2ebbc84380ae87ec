"""Portable kernels of TAKE, GATHER and GATHER_ND: elements picked by tables, or by indices at run time.

Where the positions of a TAKE follow each other in even steps, or in even steps of such runs, they are axes of
a move: a repeated or enlarged tensor needs no table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import quantization_mismatch
from tinyc.ir.ops.gather import Gather, GatherNd
from tinyc.ir.ops.take import Take
from tinyc.ir.tensor import Array
from tinyc.kernels.features import Features, moved
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.kernels.movement_features import gathered
from tinyc.kernels.portable_movement import MOVE_AXES, Axis, accepts_moved, merged, move_layer, row_major
from tinyc.kernels.work import FittedWork

_GATHER_AXES = 6


def nested(positions: Sequence[int]) -> list[tuple[int, int]] | None:
    """(extent, step) of loops, outermost first, that walk `positions` from the first; None where none do."""
    if len(positions) == 1:
        return []
    at = np.array(positions)
    steps = np.diff(at)
    (breaks,) = np.nonzero(steps != steps[0])
    run = int(breaks[0]) + 1 if len(breaks) else len(at)
    if run == len(at):
        return [(run, int(steps[0]))]
    if len(at) % run:
        return None
    blocks = at.reshape(-1, run)
    if (blocks - blocks[:, :1] != blocks[0] - blocks[0, 0]).any():
        return None
    outer = nested(blocks[:, 0].tolist())
    return None if outer is None else [*outer, (run, int(steps[0]))]


def _strided(op: Op, graph: Graph) -> tuple[list[Axis], int] | None:
    """(axes, bytes of a run) of a TAKE without tables, None where it needs them."""
    assert isinstance(op, Take)
    (x,) = graph.operands(op)
    loops = [nested(positions) for positions in op.indices]
    if any(found is None for found in loops):
        return None
    pairs = [
        (extent, step * stride)
        for found, stride in zip(loops, row_major(x.shape, x.dtype.size), strict=True)
        for extent, step in found or ()
    ]
    targets = row_major(tuple(extent for extent, _ in pairs), x.dtype.size)
    axes = [(extent, source, target) for (extent, source), target in zip(pairs, targets, strict=True)]
    walk, run = merged(axes, x.dtype.size)
    return (sorted(walk), run) if len(walk) <= MOVE_AXES else None


def _accepts_strided(op: Op, graph: Graph) -> bool:
    return accepts_moved(op, graph) and _strided(op, graph) is not None


def _lower_strided(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Take)
    (x,), found = graph.operands(op), _strided(op, graph)
    assert found is not None
    strides = row_major(x.shape, x.dtype.size)
    first = sum(positions[0] * stride for positions, stride in zip(op.indices, strides, strict=True))
    return move_layer(*found, first, 0, graph.results(op)[0])


def _tables(op: Op, graph: Graph) -> tuple[list[Array], int]:
    """(offsets in bytes along each axis, outermost first, bytes of a run) of a TAKE."""
    assert isinstance(op, Take)
    (x,) = graph.operands(op)
    run = x.dtype.size
    tables = [
        np.array(positions) * stride
        for positions, stride in zip(op.indices, row_major(x.shape, x.dtype.size), strict=True)
    ]
    # Neighbours in the input that stay neighbours are a longer run.
    while tables and run == x.dtype.size * math.prod(x.shape[len(tables) :]) and _is_row(tables[-1], run):
        row = tables.pop()
        run *= len(row)
        if tables:
            tables[-1] = tables[-1] + row[0]
        else:
            tables = [row[:1]]
            break
    kept = [table for table in tables if len(table) > 1] or [np.zeros(1, np.int64)]
    kept[-1] = kept[-1] + sum(int(table[0]) for table in tables if len(table) == 1)
    return kept, run


def _is_row(table: Array, run: int) -> bool:
    return bool((np.diff(table) == run).all())


def _accepts_tables(op: Op, graph: Graph) -> bool:
    return accepts_moved(op, graph) and len(_tables(op, graph)[0]) <= MOVE_AXES


def _lower_tables(op: Op, graph: Graph) -> Lowered:
    tables, run = _tables(op, graph)
    extents = (1,) * (MOVE_AXES - len(tables)) + tuple(len(table) for table in tables)
    unused = [np.zeros(1, np.int64)] * (MOVE_AXES - len(tables))
    offsets = np.concatenate([*unused, *tables]).astype(np.int32)
    return Lowered("tinyc_take", {"extents": extents, "run": run, "offsets": offsets})


def _accepts_gather(*, constant: bool) -> Callable[[Op, Graph], bool]:
    def accepts(op: Op, graph: Graph) -> bool:
        data, indices = graph.operands(op)
        if data.is_constant is not constant or indices.is_constant or data.name == indices.name:
            return False
        return not quantization_mismatch((data,), graph.results(op)) and _place(op, graph)[0] <= _GATHER_AXES

    return accepts


def _place(op: Op, graph: Graph) -> tuple[int, int, int]:
    """(indices that name a slice, batches, the first axis that they name)."""
    data, indices = graph.operands(op)
    if isinstance(op, Gather):
        return 1, math.prod(data.shape[: op.batch_dims]), op.axis
    return indices.shape[-1], 1, 0


def _lower_gather(op: Op, graph: Graph) -> Lowered:
    data, indices = graph.operands(op)
    depth, batch, axis = _place(op, graph)
    named = slice(axis, axis + depth)
    unused = (_GATHER_AXES - depth) * (0,)
    fields: dict[str, int | tuple[int, ...] | Array] = {
        "batches": batch,
        "planes": math.prod(data.shape[:axis]) // batch,
        "count": indices.elements // (batch * depth),
        "depth": depth,
        "extents": data.shape[named] + unused,
        "strides": tuple(row_major(data.shape, data.dtype.size)[named]) + unused,
        "plane_bytes": data.dtype.size * math.prod(data.shape[axis:]),
        "slice": data.dtype.size * math.prod(data.shape[axis + depth :]),
    }
    fields["data"] = data.constant if data.is_constant else np.zeros(0, data.dtype.numpy)
    return Lowered("tinyc_gather_layer", fields)


def _strided_features(op: Op, graph: Graph) -> Features:
    found = _strided(op, graph)
    assert found is not None
    return moved(tuple(extent for extent, _, _ in found[0]) or (1,), found[1], 0)


def _table_features(op: Op, graph: Graph) -> Features:
    tables, run = _tables(op, graph)
    counts = moved(tuple(map(len, tables)), run, 0)
    runs = counts["runs"]
    return {**counts, "byte_loops": runs * (run % 4 > 0), "word_loops": runs * (run % 16 > 3)}


def _gather_features(op: Op, graph: Graph) -> Features:
    data, indices = graph.operands(op)
    depth, batch, axis = _place(op, graph)
    size = data.dtype.size * math.prod(data.shape[axis + depth :])
    return gathered(math.prod(data.shape[:axis]), indices.elements // (batch * depth), depth, size)


KERNELS = (
    Kernel(
        symbol="tinyc_take_x8__portable",
        op=Take,
        source="portable/take_x8.c",
        headers=("include/move.h",),
        accepts=_accepts_strided,
        lower=_lower_strided,
        work=FittedWork("tinyc_take_x8__portable", _strided_features),
    ),
    Kernel(
        symbol="tinyc_take_x8_tables__portable",
        op=Take,
        source="portable/take_x8_tables.c",
        headers=("include/take.h",),
        accepts=_accepts_tables,
        lower=_lower_tables,
        work=FittedWork("tinyc_take_x8_tables__portable", _table_features),
    ),
    *(
        Kernel(
            symbol=f"tinyc_gather{suffix}_x8__portable",
            op=op,
            source=f"portable/gather{suffix}_x8.c",
            headers=("include/gather.h",),
            accepts=_accepts_gather(constant=bool(suffix)),
            lower=_lower_gather,
            work=FittedWork(f"tinyc_gather{suffix}_x8__portable", _gather_features),
        )
        for op in (Gather, GatherNd)
        for suffix in ("", "_constant")
    ),
)
