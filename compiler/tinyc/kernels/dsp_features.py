"""As `features.py`, for the kernels that take four int8 elements to the word."""

from __future__ import annotations

import math

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.pooling import Pool2D
from tinyc.kernels.features import Features, pool_window, positions_inside


def words(op: Op, graph: Graph) -> Features:
    """The elements of the result four at a time, then those that are left."""
    count = graph.results(op)[0].elements
    return {"calls": 1, "words": count // 4, "bytes": count % 4}


def word_runs(runs: int, run: int, clamped: bool) -> Features:
    """Runs of elements four at a time; a narrow fused activation takes a second pass."""
    return {
        "calls": 1,
        "runs": runs,
        "words": runs * (run // 4),
        "bytes": runs * (run % 4),
        "clamped": runs * run if clamped else 0,
    }


def word_pooling(op: Op, graph: Graph) -> Features:
    """Four channels of a window at a time, pixels in pairs; a window in one piece is a single row."""
    assert isinstance(op, Pool2D)
    (x,), (result,) = graph.operands(op), graph.results(op)
    batch, height, width, channels = result.shape
    window = pool_window(op, x, result)
    rows, columns = (positions_inside(window, x.shape, axis).sum(1) for axis in (0, 1))
    fours = batch * math.ceil(channels / 4)
    solid = columns == x.shape[2]
    pairs = odd = lines = 0
    for count, whole in zip(columns.tolist(), solid.tolist(), strict=True):
        for extent in rows.tolist():
            line, run = (1, extent * count) if whole else (extent, count)
            lines, pairs, odd = lines + line, pairs + line * (run // 2), odd + line * (run % 2)
    return {
        "calls": 1,
        "pixels": batch * height * width,
        "fours": fours * height * width,
        "rows": fours * lines,
        "tap_pairs": fours * pairs,
        "odd_taps": fours * odd,
    }


def word_sums(outer: int, reduced: int, middle: int, inner_reduced: int, inner: int) -> Features:
    """`sums` with four inner elements at a time, or with none, along the reduced ones."""
    lanes = math.ceil(inner / 4)
    lines = outer * middle
    runs = lines * reduced * (lanes if inner > 1 else 1)
    return {
        "calls": 1,
        "lines": lines,
        "fours": lines * lanes,
        "runs": runs,
        "tap_pairs": runs * (inner_reduced // (2 if inner > 1 else 4)),
        "odd_taps": runs * (inner_reduced % (2 if inner > 1 else 4)),
    }
