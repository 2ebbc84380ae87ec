"""SMLAD kernels for ARMv7E-M that keep two weights in a byte: those of `cortex_m4`, for weights of four bits.

Nothing extends the sign of four bits in two halves at once, so a weight is stored plus 8: an AND takes two of
the eight in a word, and what the 8 adds to the sums, the same for all channels, is taken from the inputs of a
row once. See `tinyc_nibble_words.h`.
"""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.tensor import Array
from tinyc.kernels import cortex_m4, portable_convolution
from tinyc.kernels.features import Features
from tinyc.kernels.int4 import narrowed
from tinyc.kernels.kernel import Kernel
from tinyc.kernels.layer_constants import round_up, weight_rows

# The numbers in a word from its lowest bits on, as (channel of two, input of four).
_HALVES_IN_ORDER = ((0, 0), (0, 2), (1, 0), (1, 2), (0, 1), (0, 3), (1, 1), (1, 3))
_HALVES_EVEN_AND_ODD = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (0, 3), (1, 2), (1, 3))


def _words(rows: Array, channels: int, order: tuple[tuple[int, int], ...]) -> Array:
    """int8 of [units, depth]: `channels` after `channels`, words of two of them and four inputs, plus 8."""
    units, depth = rows.shape
    padded = np.zeros((round_up(units, channels), round_up(depth, 4)), np.int64)
    padded[:units, :depth] = rows
    groups = padded.reshape(-1, channels // 2, 2, padded.shape[1] // 4, 4).transpose(0, 3, 1, 2, 4)
    numbers = np.stack([groups[..., channel, at] for channel, at in order], axis=-1)
    words = ((numbers + 8) << 4 * np.arange(8)).sum(-1)
    return np.ascontiguousarray(words.reshape(-1).astype("<u4")).view(np.int8)


def _pack_row(op: Op, graph: Graph) -> Array:
    return _words(weight_rows(op, graph), 4, _HALVES_EVEN_AND_ODD)


def _pack_panels(op: Op, graph: Graph) -> Array:
    """Group after group."""
    rows = weight_rows(op, graph)
    groups = portable_convolution.groups(op, graph) if isinstance(op, Conv2D) else 1
    return np.concatenate([_words(part, 2, _HALVES_IN_ORDER) for part in np.split(rows, groups)])


def _row_sums(op: Op, graph: Graph) -> Features:
    return {"summed_words": graph.operands(op)[1].shape[1] // 4}


def _panel_sums(op: Op, graph: Graph) -> Features:
    """Every row of a panel is summed before its products."""
    channels, depth = weight_rows(op, graph).shape
    groups = portable_convolution.groups(op, graph) if isinstance(op, Conv2D) else 1
    return {"summed_words": graph.results(op)[0].elements // channels * groups * math.ceil(depth / 4)}


def _narrowed(base: Kernel) -> Kernel:
    products, *others = base.headers
    if products == "include/tinyc_panel.h":
        headers = ("include/tinyc_panel_s4.h", *others)
        return narrowed(base, headers, _pack_panels, _panel_sums, panel="tinyc_panel_s4")
    return narrowed(base, ("include/tinyc_nibble_words.h", *others), _pack_row, _row_sums)


KERNELS = tuple(_narrowed(base) for base in cortex_m4.KERNELS if base.op in (Conv2D, FullyConnected))
