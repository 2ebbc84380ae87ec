"""CONV_2D 3x3 at stride 1 for ARMv7E-M by Winograd's F(2x2, 3x3), exact in integers.

16 products take the place of 36. The transform of the weights is scaled by 2 in each dimension, which
makes it integer; the outputs before requantization are then 4 times the accumulators. Weights take 32/9
of their bytes. Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.tensor import Array
from tinyc.kernels import portable_convolution
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Overlap
from tinyc.kernels.requantization import Accumulators, OneStep, TwoSteps, one_step, two_steps
from tinyc.kernels.work import FittedWork

# Twice the transform of the weights, so that it is integer; the outputs are 4 times too large.
_TRANSFORM = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
_FACTOR = 4
# The products of one position are unrolled over the channels.
_MOST_CHANNELS = 128


def _rounding(op: Op, graph: Graph) -> OneStep | TwoSteps | None:
    sums = Accumulators.of(op, graph)
    found: OneStep | TwoSteps | None = one_step(sums, np.full(len(sums.bias), _FACTOR))
    if found is None:
        largest = np.maximum(np.abs(sums.lowest), np.abs(sums.highest))[~sums.is_constant]
        found = two_steps(sums) if largest.max(initial=0) < 2**29 else None
    return found


def _accepts(op: Op, graph: Graph) -> bool:
    """Input channels in fours, output channels in twos, an even output of four tiles at least."""
    assert isinstance(op, Conv2D)
    operands = graph.operands(op)
    window, channels = op.window(operands), operands[0].shape[3]
    (result,) = graph.results(op)
    batches, height, width, units = result.shape
    return (
        window.kernel == (3, 3)
        and window.stride == window.dilation == (1, 1)
        and operands[1].shape[3] == channels
        and channels % 4 == units % 2 == height % 2 == width % 2 == 0
        and channels <= _MOST_CHANNELS
        and batches * height * width >= 16
        and (width + 1) * units < 8192
        and portable_convolution.accepts(op, graph)
        and _rounding(op, graph) is not None
    )


def _weights(op: Op, graph: Graph) -> Array:
    """int32 [pairs, words of a pair], as tinyc_winograd.h describes them."""
    filters = graph.operands(op)[1].constant.astype(np.int64)
    units, _, _, channels = filters.shape
    transformed = np.einsum("iy,oyxc,jx->ojic", _TRANSFORM, filters, _TRANSFORM)
    # [unit, position, four channels, word, half]: channels 0 and 2 share a word, then 1 and 3.
    halves = transformed.reshape(units, 16, channels // 4, 2, 2).swapaxes(3, 4).astype(np.int16)
    words = np.ascontiguousarray(halves).view(np.int32).reshape(units // 2, 2, -1)
    products = words.swapaxes(1, 2).reshape(units // 2, -1)
    rounding = _rounding(op, graph)
    assert rounding is not None
    fields = [_FACTOR * rounding.bias, rounding.multiplier, rounding.constant]
    if isinstance(rounding, TwoSteps):
        fields.append(rounding.right)
    constants = np.stack(fields, axis=1).reshape(units // 2, -1)
    return np.concatenate([products, constants], axis=1).astype(np.int32)


def _lower(op: Op, graph: Graph) -> Lowered:
    assert isinstance(op, Conv2D)
    geometry, weights = portable_convolution.geometry(op, graph), _weights(op, graph)
    kept = ("batches", "input_height", "input_width", "output_height", "output_width", "pad_top", "pad_left")
    fields: dict[str, FieldValue] = {
        **{name: geometry[name] for name in kept},
        "padding": graph.operands(op)[0].zero_point,
        "weights": weights.reshape(-1),
    }
    products = 16 * graph.operands(op)[0].shape[3]
    return Lowered("tinyc_conv_2d_winograd", fields, 4 * len(weights) * (weights.shape[1] - products))


def _specialize(op: Op, graph: Graph) -> Mapping[str, object]:
    channels, (_, _, width, units) = graph.operands(op)[0].shape[3], graph.results(op)[0].shape
    rounding, row = _rounding(op, graph), width * units
    shift = rounding.shift if isinstance(rounding, OneStep) else -1
    constants = 3 if shift >= 0 else 4
    return {
        "variant": f"{channels}_c{units}_w{width}_" + (f"s{shift}" if shift >= 0 else "double"),
        "channels": channels,
        "output_channels": units,
        "row": row,
        "shift": shift,
        # Register and offset of each output of a tile.
        "places": ((2, 0), (3, units), (0, row), (1, row + units)),
        "weight_words": units // 2 * (16 * channels + 2 * constants),
    }


def _scratch(op: Op, graph: Graph) -> int:
    """Four transformed tiles, 128 sums and, where there is padding, one tile."""
    assert isinstance(op, Conv2D)
    channels = graph.operands(op)[0].shape[3]
    padded = any(op.window(graph.operands(op)).pads)
    return 128 * channels + 512 + (16 * channels if padded else 0)


def _overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    """The output may follow the input: a block's tiles are transformed before its outputs are written."""
    assert isinstance(op, Conv2D)
    operands = graph.operands(op)
    window, (_, height, width, channels) = op.window(operands), operands[0].shape
    batches, out_height, out_width, units = graph.results(op)[0].shape
    lines, columns = out_height // 2, out_width // 2
    tile = np.arange(batches * lines * columns)
    line, x = tile // columns, tile % columns
    top = np.maximum(line % lines * 2 - window.pads[0], 0)
    left = np.maximum(x * 2 - window.pads[2], 0)
    first = ((line // lines * height + top) * width + left) * channels
    later = np.minimum.accumulate(first[::-1])[::-1]
    written = ((line * 2 + 1) * out_width + 2 * x + 2) * units
    starts = _starts(len(tile))
    leads = (int(written[before : before + 4].max() - later[start]) for before, start in pairwise(starts))
    return (Overlap(0, "output", max(leads, default=-operands[0].bytes)),)


def _features(op: Op, graph: Graph) -> Features:
    """Tiles to transform, in fours of channels, and for each block pairs of channels and their words."""
    assert isinstance(op, Conv2D)
    operands = graph.operands(op)
    window, (_, height, width, channels) = op.window(operands), operands[0].shape
    batches, out_height, out_width, units = graph.results(op)[0].shape
    lines, columns = out_height // 2, out_width // 2
    count = batches * lines * columns
    tile = np.concatenate([np.arange(start, start + 4) for start in _starts(count)])
    top = tile // columns % lines * 2 - window.pads[0]
    left = tile % columns * 2 - window.pads[2]
    border = (top < 0) | (left < 0) | (top + 4 > height) | (left + 4 > width)
    # Rows of border tiles that are copied, and their bytes.
    inside = np.clip(np.minimum(top + 4, height) - np.maximum(top, 0), 0, 4)[border]
    across = np.clip(np.minimum(left + 4, width) - np.maximum(left, 0), 0, 4)[border]
    rows, copied = int(inside[across > 0].sum()), int((inside * across).sum()) * channels
    blocks, pairs = len(_starts(count)), units // 2
    rounding = _rounding(op, graph)
    return {
        "calls": 1,
        "blocks": blocks,
        "fours": blocks * channels,
        "border_tiles": int(border.sum()),
        "border_rows": rows,
        "border_bytes": int(border.sum()) * 16 * channels,
        "copied_bytes": copied,
        "pairs" if isinstance(rounding, OneStep) else "double_pairs": blocks * pairs,
        "words": blocks * pairs * 8 * channels,
    }


def _starts(count: int) -> list[int]:
    """The first tile of each block."""
    return [*range(0, count - 4, 4), count - 4]


def _code(op: Op, graph: Graph) -> int:
    """Code bytes of one variant, its assembly; the walk over the tiles is shared by all."""
    return 22 * graph.operands(op)[0].shape[3] + 440 + 60


KERNELS = (
    Kernel(
        symbol="tinyc_conv_2d_s8_winograd__cortex_m4",
        op=Conv2D,
        source="cortex_m4/conv_2d_s8_winograd.c.j2",
        headers=("include/tinyc_winograd.h",),
        requires=frozenset({"dsp"}),
        accepts=_accepts,
        lower=_lower,
        scratch=_scratch,
        specialize=_specialize,
        overlaps=_overlaps,
        work=FittedWork("tinyc_conv_2d_s8_winograd__cortex_m4", _features),
        code=_code,
    ),
)
