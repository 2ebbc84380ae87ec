"""FULLY_CONNECTED and CONV_2D of int8 for vectors of Armv8.1-M (MVE): see `tinyc_mve_matrix.h`."""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.kernels import portable_convolution, portable_fully_connected
from tinyc.kernels.helium_rounding import Rounding, rounding
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Work
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


def _at_least_four(values: Array) -> Array:
    """With rows of zeros behind the last, where there are fewer."""
    missing = max(0, _LEAST_CHANNELS - len(values))
    return np.pad(values, ((0, missing), *((0, 0) for _ in values.shape[1:])))


def _matrix(op: Op, graph: Graph) -> dict[str, FieldValue]:
    """The fields of both structs from `weights` on."""
    found = required(op, graph)
    weights = np.ascontiguousarray(_at_least_four(weight_rows(op, graph)))
    return {"weights": weights.reshape(-1), "bias": _at_least_four(found.bias), **found.fields()}


def _rows(op: Op, graph: Graph) -> int:
    (result,) = graph.results(op)
    return result.elements // len(weight_rows(op, graph))


def _lower_rows(op: Op, graph: Graph) -> Lowered:
    channels, depth = weight_rows(op, graph).shape
    shape: dict[str, FieldValue] = {"rows": _rows(op, graph), "depth": depth}
    shape |= {"channels": max(channels, _LEAST_CHANNELS), "outputs": channels}
    return _lowered("tinyc_mve_matrix", {**shape, **_matrix(op, graph)})


def _lower_conv_2d(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Conv2D)
    geometry = portable_convolution.geometry(op, graph)
    del geometry["depth"]
    channels = max(len(weight_rows(op, graph)), _LEAST_CHANNELS)
    padding = graph.operands(op)[0].zero_point
    fields = {**geometry, "padding": padding, "channels": channels, **_matrix(op, graph)}
    return _lowered("tinyc_mve_conv_2d", fields)


def _lowered(struct: str, fields: dict[str, FieldValue]) -> Lowered:
    numbers = ("bias", "multiplier", "constant", "right")
    arrays = (fields[name] for name in numbers)
    return Lowered(struct, fields, sum(a.nbytes for a in arrays if isinstance(a, np.ndarray)))


def _accepts_fully_connected(op: Op, graph: Graph) -> bool:
    return portable_fully_connected.accepts(op, graph) and rounding(op, graph) is not None


def _accepts_conv_2d(op: Op, graph: Graph) -> bool:
    return (
        portable_convolution.accepts(op, graph)
        and portable_convolution.groups(op, graph) == 1
        and rounding(op, graph) is not None
    )


def _accepts_rows(op: Op, graph: Graph) -> bool:
    """A convolution whose windows are inputs one behind the other: pixels, or all of an image."""
    assert isinstance(op, Conv2D)
    operands = graph.operands(op)
    x, window = operands[0], op.window(operands)
    is_whole = window.kernel == x.shape[1:3] and window.output == (1, 1) and not any(window.pads)
    return _accepts_conv_2d(op, graph) and (is_whole or portable_convolution.is_pointwise(op, graph))


def _sums_bytes(op: Op, graph: Graph) -> int:
    channels = max(len(weight_rows(op, graph)), _LEAST_CHANNELS)
    return _HEAD + 2 * _PITCH + 4 * round_up(min(channels, _PART), 2)


def _conv_2d_scratch(op: Op, graph: Graph) -> int:
    return _sums_bytes(op, graph) + _ROWS * weight_rows(op, graph).shape[1]


# Instructions of core registers and of vectors; the latter take two cycles where they do not overlap.


def vector_work(scalar: float, vector: float) -> Work:
    return Work(round(scalar + vector), round(scalar + 2 * vector))


def _product(op: Op, graph: Graph) -> tuple[float, float]:
    channels, depth = weight_rows(op, graph).shape
    channels, steps = max(channels, _LEAST_CHANNELS), math.ceil(depth / 16)
    threes, ones = divmod(_rows(op, graph), _ROWS)
    is_one = required(op, graph).right is None
    parts = math.ceil(channels / _PART)
    pairs, fours = math.ceil(channels / 2), math.ceil(channels / 4)
    scalar = threes * (parts * 110 + (channels % 2) * 30 + pairs * (16 + steps) + fours * 1)
    vector = threes * (pairs * 11 * steps + fours * (23 if is_one else 30))
    scalar += ones * (parts * 90 + (channels % 4 > 0) * 30 + fours * (10 + steps) + fours * 1)
    vector += ones * (fours * 9 * steps + fours * (9 if is_one else 12))
    return scalar, vector


def _rows_work(op: Op, graph: Graph) -> Work:
    scalar, vector = _product(op, graph)
    return vector_work(20 + scalar, vector)


def _conv_2d_work(op: Op, graph: Graph) -> Work:
    assert isinstance(op, Conv2D)
    operands = graph.operands(op)
    window, channels = op.window(operands), operands[0].shape[3]
    joined = window.dilation[1] == 1
    runs = window.kernel[0] * (1 if joined else window.kernel[1])
    run = channels * (window.kernel[1] if joined else 1)
    pixels, steps = _rows(op, graph), math.ceil(run / 16)
    scalar, vector = _product(op, graph)
    scalar += 60 + pixels * (30 + runs * (14 + steps))
    return vector_work(scalar, vector + pixels * runs * 2 * steps)


_HEADERS = ("include/tinyc_mve_matrix.h",)

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
            work=_rows_work,
        )
        for op, accepts in ((FullyConnected, _accepts_fully_connected), (Conv2D, _accepts_rows))
    ),
    Kernel(
        symbol="tinyc_conv_2d_s8__helium",
        op=Conv2D,
        source="helium/conv_2d_s8.c",
        headers=("include/tinyc_mve_conv_2d.h",),
        requires=REQUIRES,
        accepts=_accepts_conv_2d,
        lower=_lower_conv_2d,
        scratch=_conv_2d_scratch,
        work=_conv_2d_work,
    ),
)
