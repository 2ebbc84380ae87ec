"""What the work of `cortex_m4_blocks` is proportional to: see `features.py`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.tensor import Array
from tinyc.kernels.blocks_gather import SHARED_PART, Gather, first_pixels, slots_of
from tinyc.kernels.features import Features, copied

_SMALL_FILL = 16


def block_features(op: Op, graph: Graph, *, one_step: bool, driver: str, shared: bool = False) -> Features:
    """Blocks and what each gathers, pairs of channels in a block, parts and words of a pair."""
    assert isinstance(op, Conv2D)
    gather = Gather.of(op, graph, shared=shared)
    starts = first_pixels(op, graph)
    blocks, run = len(starts), gather.pixels * gather.channels
    found = _blocks(op, graph, gather, blocks, one_step, shared)
    if driver in ("pointwise", "pixels"):
        return {**found, **_gathered(run, 4 * blocks)}
    pixels = np.concatenate([np.arange(start, start + 4) for start in starts])
    if gather.driver == "rows":
        return {**found, **_by_rows(op, graph, gather, pixels)}
    runs = gather.rows * gather.runs
    inside = _inside(op, graph, pixels)
    border = inside.prod(1) < gather.rows * gather.runs * gather.pixels
    whole = (4 * blocks - int(border.sum())) * runs
    found |= {"runs": whole, "border_pixels": int(border.sum()), **_gathered(run, whole)}
    return {**found, **_of_border(gather, inside[border])}


def unpacked_features(op: Op, graph: Graph, *, one_step: bool) -> Features:
    """`tinyc_unpack_records`, once a layer."""
    records, words = len(slots_of(graph.results(op)[0].shape[3])[0]), Gather.of(op, graph).words
    return {
        "records": records,
        "double_records": 0 if one_step else records,
        "unpacked_words": records * (words // 2),
        "odd_words": records * (words % 2),
    }


def pixel_features(op: Op, graph: Graph, blocks: int, *, one_step: bool) -> dict[str, float]:
    """The same for so many blocks over the pixels themselves."""
    assert isinstance(op, Conv2D)
    gather = Gather.of(op, graph)
    found = _blocks(op, graph, gather, blocks, one_step, False)
    return {**found, **_gathered(gather.channels, 4 * blocks)}


def row_features(op: Op, graph: Graph, starts: Sequence[int], *, one_step: bool) -> dict[str, float]:
    """The same for blocks that begin at these pixels, over rows that are copied with their padding."""
    assert isinstance(op, Conv2D)
    gather = Gather.of(op, graph)
    found = _blocks(op, graph, gather, len(starts), one_step, False)
    pixels = np.concatenate([np.arange(start, start + 4) for start in starts])
    return {**found, **_by_rows(op, graph, gather, pixels)}


def _by_rows(op: Conv2D, graph: Graph, gather: Gather, pixels: Array) -> Features:
    """What the pixels of all blocks gather from rows, and the copies of these."""
    runs = len(pixels) * gather.rows * gather.runs
    gathered = {"runs": runs, **_gathered(gather.pixels * gather.channels, runs)}
    return {**_padded(op, graph, pixels), **{f"row_{name}": n for name, n in gathered.items()}}


def _blocks(
    op: Op, graph: Graph, gather: Gather, blocks: int, one_step: bool, shared: bool
) -> dict[str, float]:
    channels = graph.results(op)[0].shape[3]
    pairs = len(slots_of(channels)[0])
    parts = -(-gather.words // SHARED_PART) if shared else gather.chunks
    return {
        "calls": 1,
        "blocks": blocks,
        "pairs" if one_step else "double_pairs": blocks * pairs,
        "parts": blocks * pairs * (parts if shared or parts > 1 else 0),
        "words": blocks * pairs * gather.words,
        "odd_blocks": blocks * (channels % 2 if channels > 1 else 0),
    }


def _of_border(gather: Gather, inside: Array) -> Features:
    """Windows that reach beyond the image, of which [pixels, 2] rows and columns lie inside."""
    found: dict[str, float] = {"border_runs": len(inside) * gather.rows * gather.runs}
    # Rows inside are joined runs, or single pixels where the window is dilated.
    joined = gather.runs == 1
    lengths = inside[:, 1] * gather.channels if joined else np.full(len(inside), gather.channels)
    times = inside[:, 0] * (1 if joined else inside[:, 1])
    for name, count in (("sixteens", 16), ("eights", 8), ("fours", 4)):
        pieces = lengths // 16 if count == 16 else lengths // count % 2
        found[f"border_{name}"] = int((pieces * times).sum())
    found["border_parts"] = int(((lengths > 0) * times).sum())
    run = gather.pixels * gather.channels
    found["padding"] = len(inside) * gather.rows * gather.runs * run - int((lengths * times).sum())
    found["paddings"] = int((times[lengths < run]).sum()) if joined else 0
    return found


def _padded(op: Conv2D, graph: Graph, pixels: Array) -> Features:
    """Lines of outputs whose input rows are copied: the fills and copies of `tinyc_pad_rows`."""
    gather, operands = Gather.of(op, graph), graph.operands(op)
    _, extent, width, channels = operands[0].shape
    _, height, columns, _ = graph.results(op)[0].shape
    window, line = op.window(operands), pixels // columns
    lines = line[np.concatenate([[True], line[1:] != line[:-1]])] % height
    first = lines * window.stride[0] - window.pads[0]
    places = first[:, None] + np.arange(window.kernel[0]) * window.dilation[0]
    copies = int(((places >= 0) & (places < extent)).sum())
    found = {"rows": places.size, "copies": copies}
    # The size of the fill is a constant; compilers do small ones themselves.
    filled = gather.rows * gather.pitch
    if filled <= _SMALL_FILL:
        found |= {"small_lines": len(lines), "small_words": len(lines) * (filled // 4)}
    else:
        found |= {"lines": len(lines)}
        found |= {f"set_{name}": len(lines) * n for name, n in copied(filled).items()}
    return {**found, **{f"copied_{name}": copies * n for name, n in copied(width * channels).items()}}


def _gathered(run: int, times: int) -> Features:
    """`tinyc_gather_run` of `run` bytes, so many times, piece by piece."""
    pieces = {
        "sixteens": run // 16,
        "eights": run // 8 % 2,
        "fours": run // 4 % 2,
        "ones": int(run % 4 == 1),
        "twos": int(run % 4 == 2),
        "threes": int(run % 4 == 3),
    }
    kinds = sum(count > 0 for count in pieces.values())
    return {**{name: count * times for name, count in pieces.items()}, "kinds": (kinds - 1) * times}


def _inside(op: Conv2D, graph: Graph, pixels: Array) -> Array:
    """[output pixels, 2]: how many rows and columns of the window lie inside the image."""
    operands, (_, height, width, _) = graph.operands(op), graph.results(op)[0].shape
    window, area = op.window(operands), height * width
    counts = []
    for axis, at in ((0, pixels % area // width), (1, pixels % width)):
        first = at * window.stride[axis] - window.pads[2 * axis]
        places = first[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
        counts.append(((places >= 0) & (places < operands[0].shape[1 + axis])).sum(1))
    return np.stack(counts, axis=1)
