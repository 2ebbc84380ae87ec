"""BATCH_MATMUL for ARMv7E-M: both operands as int16 in scratch, four rows by two columns at a time.

The side that wastes least of the blocks gives the rows; the output is written transposed where these are
the columns of y. Accumulators that could leave 31 bits and multipliers of 0.5 and more take the portable
kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.batch_matmul import BatchMatMul
from tinyc.ir.tensor import Tensor
from tinyc.kernels import portable_batch_matmul
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.layer_constants import round_up
from tinyc.kernels.work import FittedWork

_ACCUMULATOR_LIMIT = 2**30
# The depth is padded to what a loop of the assembly takes.
_STEP = 8


def _reach(tensor: Tensor) -> int:
    """The largest magnitude of an element less the zero point."""
    return max(127 - tensor.zero_point, 128 + tensor.zero_point)


def _is_narrow(op: Op, graph: Graph) -> bool:
    left, right = graph.operands(op)
    fields = portable_batch_matmul.lowered(op, graph).fields
    depth, multiplier, exponent = (_number(fields, name) for name in ("depth", "multiplier", "shift"))
    largest = depth * _reach(left) * _reach(right)
    return largest < _ACCUMULATOR_LIMIT and (multiplier == 0 or exponent <= -1)


def _number(fields: Mapping[str, FieldValue], name: str) -> int:
    value = fields[name]
    assert isinstance(value, int)
    return value


def _shape(op: Op, graph: Graph) -> tuple[dict[str, FieldValue], bool]:
    """(fields, whether they are swapped) with the fewest products, then the least scratch."""
    found = [(portable_batch_matmul.shape(op, graph, swapped=swapped), swapped) for swapped in (False, True)]
    return min(found, key=lambda choice: _cost(choice[0]))


def _cost(fields: Mapping[str, FieldValue]) -> tuple[int, int]:
    rows, columns = _number(fields, "rows"), _number(fields, "columns")
    extents = fields["extents"]
    assert isinstance(extents, tuple)
    return round_up(rows, 4) * round_up(columns, 2) * math.prod(extents), columns


def _lower(op: Op, graph: Graph) -> Lowered:
    lowered = portable_batch_matmul.lowered(op, graph, swapped=_shape(op, graph)[1])
    multiplier, exponent = (_number(lowered.fields, name) for name in ("multiplier", "shift"))
    right = -exponent - 1 if multiplier else 0
    return replace(lowered, fields={**lowered.fields, "shift": right})


def _scratch(op: Op, graph: Graph) -> int:
    fields, _ = _shape(op, graph)
    padded = round_up(_number(fields, "depth"), _STEP)
    return 2 * padded * (4 + round_up(_number(fields, "columns"), 2))


def _packed(vectors: int, depth: int, is_contiguous: bool, times: int) -> dict[str, int]:
    """`tinyc_matmul_pack` over so many vectors, so many times."""
    fours, rest = divmod(vectors, 4)
    padded = round_up(depth, _STEP)
    quads = depth // 4
    counts = {"packs": fours + (rest > 0)}
    if is_contiguous:
        pairs = 2 * fours + (rest + 1) // 2
        slow = (padded // 4 - quads) * vectors
        counts |= {"pairs": pairs, "pair_words": pairs * quads, "slow_words": slow}
        counts["slow_elements"] = depth % 4 * vectors
    else:
        slow = (padded // 4 - quads) * 4 * fours + padded // 4 * rest
        counts |= {"squares": fours * quads, "slow_words": slow}
        counts["slow_elements"] = depth % 4 * 4 * fours + depth * rest
    counts["slow_rows"] = (padded // 4 - quads) * fours
    counts["slow_rows"] += (padded // 4 - quads if is_contiguous else padded // 4) * (rest > 0)
    return {name: count * times for name, count in counts.items()}


def _features(op: Op, graph: Graph) -> Features:
    fields, _ = _shape(op, graph)
    rows, columns, depth = (_number(fields, name) for name in ("rows", "columns", "depth"))
    matrices = graph.results(op)[0].elements // (rows * columns)
    bands = matrices * -(-rows // 4)
    blocks = bands * -(-columns // 2)
    counts: dict[str, float] = {
        "calls": 1,
        "matrices": matrices,
        "bands": bands,
        "blocks": blocks,
        "steps": blocks * (round_up(depth, _STEP) // _STEP),
        "whole_columns": matrices * (rows // 4) * columns,
        "cut_columns": matrices * (rows % 4 > 0) * columns,
        "cut_outputs": matrices * (rows % 4) * columns,
    }
    repacked = _repacked(fields)
    sides = (
        _packed(rows, depth, fields["row_step"] == 1, matrices),
        _packed(columns, depth, fields["column_step"] == 1, repacked),
    )
    for side in sides:
        for name, count in side.items():
            counts[name] = counts.get(name, 0) + count
    return {**counts, "repacked": repacked}


def _repacked(fields: Mapping[str, FieldValue]) -> int:
    """How often the columns change: all matrices but those along the innermost loops that repeat one."""
    extents, strides = fields["extents"], fields["second_strides"]
    assert isinstance(extents, tuple) and isinstance(strides, tuple)
    inner = len(extents)
    while inner and (strides[inner - 1] == 0 or extents[inner - 1] == 1):
        inner -= 1
    return math.prod(extents[:inner])


def _kernel(name: str, accepts: Callable[[Op, Graph], bool]) -> Kernel:
    return Kernel(
        symbol=f"tinyc_batch_matmul_{name}__cortex_m4",
        op=BatchMatMul,
        source=f"cortex_m4/batch_matmul_{name}.c",
        headers=("include/tinyc_matmul_blocks.h",),
        requires=frozenset({"dsp"}),
        accepts=lambda op, graph: accepts(op, graph) and _is_narrow(op, graph),
        lower=_lower,
        scratch=_scratch,
        work=FittedWork(f"tinyc_batch_matmul_{name}__cortex_m4", _features),
    )


KERNELS = (
    _kernel("s8", portable_batch_matmul.two_activations),
    _kernel("constant_s8", portable_batch_matmul.one_constant),
)
