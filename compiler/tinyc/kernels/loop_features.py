"""How often the loops of kernels run that reduce, remember, transpose convolutions or compute in float32.

See `features.py`. What functions of float32 take depends on the values: costs are those of a normal draw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.arg_extreme import ArgExtreme
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.cumsum import Cumsum
from tinyc.ir.ops.curved import Gelu
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.svdf import Svdf
from tinyc.ir.ops.transpose_conv import TransposeConv
from tinyc.ir.ops.unidirectional_sequence_lstm import UnidirectionalSequenceLstm
from tinyc.kernels.features import Features, copied, portable_convolution


def rows(op: Op, graph: Graph) -> Features:
    """Loops over each row of the last axis."""
    (result,) = graph.results(op)
    return {"calls": 1, "rows": result.elements // result.shape[-1], "elements": result.elements}


def curve(op: Op, graph: Graph) -> Features:
    """One loop over the elements; either form of GELU has its own function."""
    form = "tanh_elements" if isinstance(op, Gelu) and op.approximate else "elements"
    return {"calls": 1, form: graph.results(op)[0].elements}


def float_cast(op: Op, graph: Graph) -> Features:
    """One loop, for each pair of types another one."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    return {"calls": 1, f"{x.dtype.value[0]}_to_{result.dtype.value[0]}": result.elements}


def nest(extents: Sequence[int]) -> Features:
    """Nested loops over elements; each time that an outer one goes on, those within begin again."""
    inner = math.prod(extents[:-1])
    return {
        "calls": 1,
        "carries": _carries(extents[:-1]),
        "lines": inner,
        "elements": inner * extents[-1],
    }


def terms(op: Op, graph: Graph) -> Features:
    """One loop over the elements, and what each of them adds up."""
    elements = graph.results(op)[0].elements
    return {"calls": 1, "elements": elements, "terms": elements * len(op.inputs)}


def _carries(extents: Sequence[int]) -> int:
    """How often an axis begins again while all positions are gone through."""
    return sum(math.prod(extents[:axis]) for axis in range(len(extents)))


def reduction(kept: Sequence[int], reduced: Sequence[int]) -> Features:
    """One pass over the reduced axes for each output."""
    outputs, taps = math.prod(kept), math.prod(reduced)
    return {
        "calls": 1,
        "outputs": outputs,
        "taps": outputs * taps,
        "carries": _carries(kept) + outputs * _carries(reduced),
    }


def along_axis(op: Op, graph: Graph) -> Features:
    """A loop along one axis for all places of the others."""
    assert isinstance(op, ArgExtreme | Cumsum)
    shape = graph.operands(op)[0].shape
    blocks, elements = math.prod(shape[: op.axis]), math.prod(shape)
    return {"calls": 1, "blocks": blocks, "lines": elements // shape[op.axis], "elements": elements}


def svdf(op: Op, graph: Graph) -> Features:
    """The features of each filter, then its entries in time; states of int8 and int16 have their own code."""
    assert isinstance(op, Svdf)
    x, _, times, _, state = graph.operands(op)
    outputs = graph.results(op)[0].elements
    filters = outputs * op.rank
    counts = {
        "calls": 1,
        "batches": x.shape[0],
        "outputs": outputs,
        "filters": filters,
        "features": filters * x.shape[1],
        "times": filters * (times.shape[1] - 1),
    }
    return {f"{name}_{state.dtype.value[0]}": count for name, count in counts.items()}


def lstm(op: Op, graph: Graph) -> Features:
    """Four gates of each unit in each step, and a copy of the hidden state."""
    assert isinstance(op, UnidirectionalSequenceLstm)
    operands = graph.operands(op)
    x, units = operands[0], operands[9].elements
    steps = x.shape[0] * x.shape[1]
    copy = {name: steps * count for name, count in copied(units * x.dtype.size).items()}
    gates = 4 * steps * units
    return {
        "calls": 1,
        "steps": steps,
        "units": steps * units,
        "inputs": gates * x.shape[2],
        "hidden": gates * units,
        **copy,
    }


def float_convolution(op: Op, graph: Graph) -> Features:
    """Either convolution by one kernel: a depthwise one has a depth of 1."""
    counts = portable_convolution(op, graph)
    return {**counts, "macs": counts["taps"]} if isinstance(op, DepthwiseConv2D) else counts


def _met(op: TransposeConv, graph: Graph, axis: int) -> tuple[int, int]:
    """How many taps of all outputs along `axis` (0, 1) meet the stride, and how many of them the input."""
    x, filters = graph.operands(op)[:2]
    (result,) = graph.results(op)
    at = np.arange(result.shape[1 + axis])[:, None] + op.pads(filters)[axis]
    ahead = at - np.arange(filters.shape[1 + axis])
    grid = ahead % op.stride[axis] == 0
    inside = grid & (ahead >= 0) & (ahead < x.shape[1 + axis] * op.stride[axis])
    return int(grid.sum()), int(inside.sum())


def transpose_conv(op: Op, graph: Graph) -> Features:
    """Each output goes through the taps of the kernel that its place meets."""
    assert isinstance(op, TransposeConv)
    filters, (result,) = graph.operands(op)[1], graph.results(op)
    batch, height, width, channels = result.shape
    images = batch * channels
    (rows_met, rows_inside), (columns_met, columns_inside) = (_met(op, graph, axis) for axis in (0, 1))
    taps = images * rows_inside * columns_inside
    return {
        "calls": 1,
        "lines": batch * height,
        "pixels": batch * height * width,
        "outputs": images * height * width,
        "rows": images * rows_met * width,
        "rows_inside": images * rows_inside * width,
        "columns": images * rows_inside * columns_met,
        "taps": taps,
        "macs": taps * filters.shape[3],
    }


def float_transpose_conv(op: Op, graph: Graph) -> Features:
    """Each output goes through all of the input to find what meets it."""
    assert isinstance(op, TransposeConv)
    x, filters = graph.operands(op)[:2]
    batch, height, width, channels = graph.results(op)[0].shape
    images = batch * channels
    (_, rows_inside), (_, columns_inside) = (_met(op, graph, axis) for axis in (0, 1))
    taps = images * rows_inside * columns_inside
    return {
        "calls": 1,
        "lines": batch * height,
        "pixels": batch * height * width,
        "outputs": images * height * width,
        "rows": images * height * width * x.shape[1],
        "rows_inside": images * rows_inside * width,
        "columns": images * rows_inside * width * x.shape[2],
        "taps": taps,
        "macs": taps * filters.shape[3],
    }
