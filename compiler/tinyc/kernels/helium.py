"""FULLY_CONNECTED and CONV_2D of int8 for vectors of Armv8.1-M (MVE): see `tinyc_mve_matrix.h`.

A DEPTHWISE_CONV_2D is a CONV_2D in groups of one channel, which pays for several filters a channel.
"""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array, Tensor
from tinyc.kernels import features, portable_convolution, portable_fully_connected
from tinyc.kernels.helium_rounding import Rounding, rounding
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Overlap, Work
from tinyc.kernels.layer_constants import round_up, weight_rows

REQUIRES = frozenset({"helium"})
# As in tinyc_mve_matrix.h.
_PART, _PITCH, _HEAD = 124, 496, 16
_LEAST_CHANNELS = 4
_ROWS = 3


def required(op: Op, graph: Graph) -> Rounding:
    found = rounding(op, graph)
    assert found is not None
    return found


def _groups(op: Op, graph: Graph) -> int:
    """Groups of channels that are matrices of their own."""
    return 1 if isinstance(op, FullyConnected) else portable_convolution.groups(op, graph)


def _channels(op: Op, graph: Graph) -> int:
    """Rows of a group's weights."""
    return max(_LEAST_CHANNELS, len(weight_rows(op, graph)) // _groups(op, graph))


def _at_least_four(values: Array, groups: int) -> Array:
    """Each group with rows of zeros behind the last, where there are fewer."""
    shape = values.shape[1:]
    split = values.reshape(groups, -1, *shape)
    missing = max(0, _LEAST_CHANNELS - split.shape[1])
    return np.pad(split, ((0, 0), (0, missing), *((0, 0) for _ in shape))).reshape(-1, *shape)


def _matrix(op: Op, graph: Graph, rows: Array | None = None) -> dict[str, FieldValue]:
    """The fields of both structs from `weights` on; `rows` are the weights in another order."""
    found, groups = required(op, graph), _groups(op, graph)
    rows = weight_rows(op, graph) if rows is None else rows
    weights = np.ascontiguousarray(_at_least_four(rows, groups))
    return {"weights": weights.reshape(-1), "bias": _at_least_four(found.bias, groups), **found.fields()}


def _rows(op: Op, graph: Graph) -> int:
    return graph.results(op)[0].elements // int(weight_rows(op, graph).shape[0])


def _lower_rows(op: Op, graph: Graph) -> Lowered:
    channels, depth = weight_rows(op, graph).shape
    shape: dict[str, FieldValue] = {"rows": _rows(op, graph), "depth": depth}
    shape |= {"channels": max(channels, _LEAST_CHANNELS), "outputs": channels, "pitch": channels}
    fields = _matrix(op, graph)
    tables = [name for name in ("multiplier", "constant", "right") if np.size(fields[name]) > 0]
    is_shared = _rows(op, graph) < _ROWS and all(len(np.unique(fields[name])) == 1 for name in tables)
    if is_shared:
        fields |= {name: np.repeat(fields[name], _LEAST_CHANNELS)[:_LEAST_CHANNELS] for name in tables}
    return Lowered("tinyc_mve_matrix", {**shape, **fields, "step": 0 if is_shared else 4})


def _lower_conv_2d(op: Op, graph: Graph) -> Lowered:
    return _lowered(op, graph, weight_rows(op, graph))


def _lower_strips(op: Op, graph: Graph) -> Lowered:
    filters = graph.operands(op)[1].constant
    return _lowered(op, graph, filters.transpose(0, 2, 1, 3).reshape(len(filters), -1))


def _lowered(op: Op, graph: Graph, rows: Array) -> Lowered:
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    depth = graph.operands(op)[0].shape[3] // _groups(op, graph)
    fields = {**portable_convolution.geometry(op, graph), "depth": depth}
    fields |= {"padding": graph.operands(op)[0].zero_point, "channels": _channels(op, graph)}
    fields |= _matrix(op, graph, rows)
    return Lowered("tinyc_mve_conv_2d", fields)


def _accepts_fully_connected(op: Op, graph: Graph) -> bool:
    return portable_fully_connected.accepts(op, graph) and rounding(op, graph) is not None


def _accepts_conv_2d(op: Op, graph: Graph) -> bool:
    return portable_convolution.accepts(op, graph) and rounding(op, graph) is not None


def _accepts_rows(op: Op, graph: Graph) -> bool:
    """A convolution whose windows are inputs one behind the other: pixels, or all of an image."""
    assert isinstance(op, Conv2D)
    operands = graph.operands(op)
    x, window = operands[0], op.window(operands)
    is_whole = window.kernel == x.shape[1:3] and window.output == (1, 1) and not any(window.pads)
    is_pointwise = portable_convolution.is_pointwise(op, graph)
    return _groups(op, graph) == 1 and (is_whole or is_pointwise) and _accepts_conv_2d(op, graph)


def _accepts_strips(op: Op, graph: Graph) -> bool:
    """Windows of several columns, of which there are three or more in a row."""
    assert isinstance(op, Conv2D)
    window = op.window(graph.operands(op))
    return (
        window.kernel[1] > 1
        and window.dilation == (1, 1)
        and window.output[1] >= _ROWS
        and _groups(op, graph) == 1
        and _accepts_conv_2d(op, graph)
    )


def _sums_bytes(op: Op, graph: Graph) -> int:
    """Of three rows, or of one where there are no three."""
    before = 2 * _PITCH if _rows(op, graph) >= _ROWS else 0
    return _HEAD + before + 4 * round_up(min(_channels(op, graph), _PART), 2)


def _conv_2d_scratch(op: Op, graph: Graph) -> int:
    sums = _HEAD + 2 * _PITCH + 4 * round_up(min(_channels(op, graph), _PART), 2)
    return sums + min(_ROWS, _rows(op, graph)) * int(weight_rows(op, graph).shape[1])


def _columns(op: Op, graph: Graph) -> int:
    """Columns of the input with its padding under all windows of a row."""
    assert isinstance(op, Conv2D)
    window = op.window(graph.operands(op))
    return (window.output[1] - 1) * window.stride[1] + window.kernel[1]


def _strips_scratch(op: Op, graph: Graph) -> int:
    _, height, _, depth = graph.operands(op)[1].shape
    sums = _HEAD + 2 * _PITCH + 4 * round_up(min(_channels(op, graph), _PART), 2)
    return sums + _columns(op, graph) * height * depth + depth


def _overlap(first: Array, starts: Array, channels: int, x: Tensor) -> tuple[Overlap, ...]:
    """Outputs from one of `starts` to the next are written when their inputs have been read."""
    behind = starts[1:] * channels - first[starts[1:]]
    return (Overlap(0, "output", int(behind.max(initial=-x.bytes))),)


def _conv_2d_overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """Three windows are copied before their outputs are written, as are those left over."""
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    if _groups(op, graph) > 1:
        return ()
    first, channels = portable_convolution.first_inputs(op, graph), len(weight_rows(op, graph))
    return _overlap(first, np.arange(0, len(first), _ROWS), channels, graph.operands(op)[0])


def _strips_overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """The input rows under a row of outputs are copied before it is written."""
    assert isinstance(op, Conv2D)
    x, (result,) = graph.operands(op)[0], graph.results(op)
    line = x.shape[2] * x.shape[3]
    first = portable_convolution.first_inputs(op, graph)[:: result.shape[2]] // line * line
    written = np.arange(len(first)) * result.shape[2] * result.shape[3]
    return (Overlap(0, "output", int((written - first)[1:].max(initial=-x.bytes))),)


def _rows_overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    channels, depth = weight_rows(op, graph).shape
    rows, x = _rows(op, graph), graph.operands(op)[0]
    threes = rows // _ROWS * _ROWS
    starts = np.concatenate([np.arange(0, threes, _ROWS), np.arange(threes, rows)])
    first = np.arange(rows) * depth
    if channels > _PART:  # rows are read once more for each part of the channels
        ends = np.append(starts[1:], rows)
        return (Overlap(0, "output", int((ends * channels - first[starts]).max())),)
    return _overlap(first, starts, channels, x)


def vector_work(scalar: float, paired: float, vector: float) -> Work:
    """So many instructions of core registers, loads and multiplications of vectors, and others of vectors.

    A Cortex-M55 works two cycles on a vector; a load and a multiplication that follow each other overlap.
    """
    return Work(round(scalar + paired + vector), round(scalar + paired + 2 * vector))


def _product(op: Op, graph: Graph, threes: int | None = None, ones: int = 0) -> tuple[float, float, float]:
    """Of one group; three rows at a time and single ones, by default as many as there are."""
    channels, steps = _channels(op, graph), math.ceil(weight_rows(op, graph).shape[1] / 16)
    if threes is None:
        threes, ones = divmod(_rows(op, graph), _ROWS)
    is_one = required(op, graph).right is None
    parts, pairs, fours = math.ceil(channels / _PART), math.ceil(channels / 2), math.ceil(channels / 4)
    is_simple = parts == 1 and channels % 2 == 0
    once = 68 if is_simple else parts * 115 + (channels % 2) * 35
    # Rows of one or two vectors stay in registers.
    pair = {1: (6, 9), 2: (7, 16)}.get(steps, (10 + steps, 11 * steps))
    scalar = threes * (once + pairs * pair[0] + fours)
    scalar += ones * (parts * 90 + (channels % 4 > 0) * 30 + fours * (13 + steps))
    paired = threes * (pairs * pair[1] + fours * (9 if is_one else 10))
    paired += ones * fours * (9 * steps + (4 if is_one else 5))
    vector = (threes * 3 + ones) * fours * (5 if is_one else 7) + threes * 3 * fours
    return 70 + scalar, paired, vector


def _rows_work(op: Op, graph: Graph) -> Work:
    return vector_work(*_product(op, graph))


def _conv_2d_work(op: Op, graph: Graph) -> Work:
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    operands = graph.operands(op)
    x, window, groups = operands[0], op.window(operands), _groups(op, graph)
    joined = window.dilation[1] == 1 and groups == 1
    runs = window.kernel[0] * (1 if joined else window.kernel[1])
    run = x.shape[3] // groups * (window.kernel[1] if joined else 1)
    steps = math.ceil(run / 16)
    rows, columns = (int(features.positions_inside(window, x.shape, a).all(axis=1).sum()) for a in (0, 1))
    pixels = _rows(op, graph)
    whole = x.shape[0] * rows * columns if joined else 0
    scalar, paired, vector = _product(op, graph)
    scalar += whole * (40 + runs * (7 + steps)) + (pixels - whole) * (50 + runs * (28 + 2 * steps))
    vector += (whole * 2 + (pixels - whole) * (3 if joined else 2)) * runs * steps
    return vector_work(60 + groups * scalar, groups * paired, groups * vector)


def _strips_work(op: Op, graph: Graph) -> Work:
    assert isinstance(op, Conv2D)
    (result,), (_, height, _, depth) = graph.results(op), graph.operands(op)[1].shape
    rows = result.shape[0] * result.shape[1]
    copies, steps = rows * height * _columns(op, graph), math.ceil(depth / 16)
    scalar, paired, vector = _product(op, graph, rows * math.ceil(result.shape[2] / _ROWS))
    scalar += 60 + rows * (20 + 30 * height) + copies * (4 if steps == 1 else 7 + steps)
    return vector_work(scalar, paired, vector + copies * 2 * steps)


_HEADERS = ("include/tinyc_mve_matrix.h", "include/tinyc_mve_row.h")

KERNELS = (
    *(
        Kernel(
            symbol="tinyc_fully_connected_s8__helium",
            op=op,
            source="helium/fully_connected_s8.c",
            headers=_HEADERS,
            requires=REQUIRES,
            accepts=accepts,
            lower=_lower_rows,
            scratch=_sums_bytes,
            overlaps=_rows_overlaps,
            work=_rows_work,
        )
        for op, accepts in ((FullyConnected, _accepts_fully_connected), (Conv2D, _accepts_rows))
    ),
    *(
        Kernel(
            symbol="tinyc_conv_2d_s8__helium",
            op=op,
            source="helium/conv_2d_s8.c",
            headers=(*_HEADERS, "include/tinyc_mve_conv_2d.h"),
            requires=REQUIRES,
            accepts=_accepts_conv_2d,
            lower=_lower_conv_2d,
            scratch=_conv_2d_scratch,
            overlaps=_conv_2d_overlaps,
            work=_conv_2d_work,
        )
        for op in (Conv2D, DepthwiseConv2D)
    ),
    Kernel(
        symbol="tinyc_conv_2d_s8_strips__helium",
        op=Conv2D,
        source="helium/conv_2d_s8_strips.c",
        headers=("include/tinyc_mve_matrix.h", "include/tinyc_mve_conv_2d.h"),
        requires=REQUIRES,
        accepts=_accepts_strips,
        lower=_lower_strips,
        scratch=_strips_scratch,
        overlaps=_strips_overlaps,
        work=_strips_work,
    ),
)
