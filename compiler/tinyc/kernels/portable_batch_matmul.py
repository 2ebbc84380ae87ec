"""Portable kernels of BATCH_MATMUL, int8 and int16: one template."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.batch_matmul import BatchMatMul, output_multiplier
from tinyc.ir.ops.elementwise import limits
from tinyc.ir.tensor import DType
from tinyc.kernels.broadcast import Walk, walk
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered
from tinyc.kernels.portable_int16 import SUM_VIEWS
from tinyc.kernels.work import FittedWork
from tinyc.quantize.fixed_point import reduced_multiplier


def _accepts(op: Op, graph: Graph, constants: int, dtype: DType = DType.INT8) -> bool:
    operands = graph.operands(op)
    return (
        all(tensor.dtype is dtype for tensor in (*operands, *graph.results(op)))
        and sum(tensor.is_constant for tensor in operands) == constants
        and can_walk(op, graph)
    )


def two_activations(op: Op, graph: Graph) -> bool:
    return _accepts(op, graph, 0)


def one_constant(op: Op, graph: Graph) -> bool:
    return _accepts(op, graph, 1)


def _matrices(op: Op, graph: Graph) -> Walk | None:
    left, right = graph.operands(op)
    return walk(left.shape[:-2], right.shape[:-2])


def can_walk(op: Op, graph: Graph) -> bool:
    """Whether the batch axes fit into the loops."""
    return _matrices(op, graph) is not None


def shape(op: Op, graph: Graph, *, swapped: bool = False) -> dict[str, FieldValue]:
    """The fields of the C struct up to `output_column`.

    `swapped`: the rows are columns of y, the columns are rows of x, and the output is written transposed.
    """
    assert isinstance(op, BatchMatMul)
    operands = graph.operands(op)
    rows, depth, columns = op.extents(operands)
    loops = _matrices(op, graph)
    assert loops is not None
    extents, left, right = loops.extents, loops.left_strides, loops.right_strides
    vectors = [(1, rows) if op.adj_x else (depth, 1), (depth, 1) if op.adj_y else (1, columns)]
    outputs = [columns, 1]
    counts = [rows, columns]
    # Matrices that all meet the same one are one matrix of more rows.
    if right[-1] == 0 and not op.adj_x and not swapped:
        counts[0] *= extents[-1]
        extents = (*extents[:-1], 1)
    strides = [
        tuple(step * math.prod(tensor.shape[-2:]) for step in steps)
        for tensor, steps in zip(operands, (left, right), strict=True)
    ]
    if swapped:
        for values in (vectors, outputs, counts, strides):
            values.reverse()
    return {
        "extents": extents,
        "first_strides": strides[0],
        "second_strides": strides[1],
        "rows": counts[0],
        "columns": counts[1],
        "depth": depth,
        "row_stride": vectors[0][0],
        "row_step": vectors[0][1],
        "column_stride": vectors[1][0],
        "column_step": vectors[1][1],
        "output_row": outputs[0],
        "output_column": outputs[1],
    }


def lowered(op: Op, graph: Graph, *, swapped: bool = False) -> Lowered:
    """C parameters."""
    left, right = graph.operands(op)
    (result,) = graph.results(op)
    multiplier, exponent = output_multiplier(left, right, result)
    if result.dtype is DType.INT16:
        multiplier, exponent = int(reduced_multiplier(multiplier)), 15 - exponent
    first, second = (right, left) if swapped else (left, right)
    constants = [tensor.constant.reshape(-1) for tensor in (left, right) if tensor.is_constant]
    return Lowered(
        "tinyc_batch_matmul",
        {
            **shape(op, graph, swapped=swapped),
            "first_offset": -first.zero_point,
            "second_offset": -second.zero_point,
            "output_offset": result.zero_point,
            "multiplier": multiplier,
            "shift": exponent,
            # For the kernel of constants: whether the rows are the constant.
            "swapped": int(first.is_constant if constants else swapped),
            "constant": constants[0] if constants else np.zeros(0, np.int8),
        },
    )


def _lower(op: Op, graph: Graph) -> Lowered:
    return lowered(op, graph)


def loop_counts(op: Op, graph: Graph) -> Features:
    fields = shape(op, graph)
    rows, columns, depth = (fields[name] for name in ("rows", "columns", "depth"))
    assert isinstance(rows, int) and isinstance(columns, int) and isinstance(depth, int)
    outputs = graph.results(op)[0].elements
    return {
        "calls": 1,
        "matrices": outputs // (rows * columns),
        "rows": outputs // columns,
        "outputs": outputs,
        "macs": outputs * depth,
    }


def _specialize(op: Op, graph: Graph) -> Mapping[str, object]:
    dtype = graph.results(op)[0].dtype
    low, high = limits(dtype)
    constant = any(tensor.is_constant for tensor in graph.operands(op))
    view = {"variant": dtype.value[0], "low": low, "high": high, "constant": constant}
    return {**SUM_VIEWS[dtype], **view}


KERNELS = tuple(
    Kernel(
        symbol=f"tinyc_batch_matmul_{name}__portable",
        op=BatchMatMul,
        source="portable/batch_matmul.c.j2",
        headers=("include/batch_matmul.h", "include/sums_s16.h"),
        accepts=partial(_accepts, constants=constants, dtype=dtype),
        lower=_lower,
        work=FittedWork(f"tinyc_batch_matmul_{name}__portable", loop_counts),
        specialize=_specialize,
    )
    for name, constants, dtype in (
        ("s8", 0, DType.INT8),
        ("constant_s8", 1, DType.INT8),
        ("s16", 0, DType.INT16),
        ("constant_s16", 1, DType.INT16),
    )
)
