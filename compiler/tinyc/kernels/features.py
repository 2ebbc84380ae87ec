"""What the work of the C kernels is proportional to: how often each of their loops runs for one layer.

Every function gives {feature: count} of a layer from its shapes alone. `work.toml` says what one of
each costs; `benchmarks/fit_work.py` fits those figures. A count is never negative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.common import activation_range
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.convolution import Window
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import Array, Tensor

Features = Mapping[str, float]


def elements(op: Op, graph: Graph) -> Features:
    """One loop over the elements of the result."""
    return {"calls": 1, "elements": graph.results(op)[0].elements}


def softmax(op: Op, graph: Graph, reached: float = 1) -> Features:
    """Several loops over each row of the last axis.

    What an element costs depends on its value: `reached` is the part of all elements that, over
    uniformly random inputs, are near enough to the largest of their row to have an exponential.
    """
    count = graph.results(op)[0].elements
    return {
        "calls": 1,
        "rows": count // graph.results(op)[0].shape[-1],
        "elements": count,
        "exponentials": count * reached,
    }


def _positions(window: Window, axis: int) -> Array:
    """int [output, kernel]: where along `axis` (0, 1) of the input every element of the window lies."""
    first = np.arange(window.output[axis]) * window.stride[axis] - window.pads[2 * axis]
    at: Array = first[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
    return at


def positions_inside(window: Window, shape: tuple[int, ...], axis: int) -> Array:
    """bool [output, kernel]: which positions of the window lie inside the input along `axis` (0, 1)."""
    at = _positions(window, axis)
    inside: Array = (at >= 0) & (at < shape[1 + axis])
    return inside


def portable_convolution(op: Op, graph: Graph) -> Features:
    """Either convolution, plain loops: rows and columns of the window that are skipped cost as well."""
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    operands, (result,) = graph.operands(op), graph.results(op)
    x, filters = operands[0], operands[1]
    window = op.window(operands)
    batch, height, width, channels = result.shape
    images = batch * channels
    counts: dict[str, float] = {
        "calls": 1,
        "lines": batch * height,
        "pixels": batch * height * width,
        "outputs": images * height * width,
    }
    rows, columns = (
        {
            "before": int((_positions(window, axis) < 0).sum()),
            "behind": int((_positions(window, axis) >= x.shape[1 + axis]).sum()),
            "inside": int(positions_inside(window, x.shape, axis).sum()),
        }
        for axis in (0, 1)
    )
    counts |= {f"rows_{where}": images * width * count for where, count in rows.items()}
    taken = images * rows["inside"]
    counts |= {f"columns_{where}": taken * columns[where] for where in ("before", "behind")}
    taps = taken * columns["inside"]
    depth = filters.shape[3] if isinstance(op, Conv2D) else 1
    return counts | {"taps": taps} | ({"macs": taps * depth} if isinstance(op, Conv2D) else {})


def fully_connected(op: Op, graph: Graph) -> Features:
    """Plain loops over rows, units and depth."""
    assert isinstance(op, FullyConnected)
    units, depth = graph.operands(op)[1].shape
    count = graph.operands(op)[0].elements // depth
    return {"calls": 1, "rows": count, "outputs": count * units, "macs": count * units * depth}


def _panels(vectors: int, channels: int, depth: int) -> dict[str, float]:
    """`tinyc_panel_two_rows` and `tinyc_panel_row` over `vectors` rows, two channels at a time."""
    words, pairs = math.ceil(depth / 4), math.ceil(channels / 2)
    return {
        "double_rows": vectors // 2,
        "double_pairs": vectors // 2 * (channels // 2),
        "double_last_channels": vectors // 2 * (channels % 2),
        "double_words": vectors // 2 * pairs * words,
        "single_rows": vectors % 2,
        "single_pairs": vectors % 2 * (channels // 2),
        "single_last_channels": vectors % 2 * (channels % 2),
        "single_words": vectors % 2 * pairs * words,
    }


def _widened(depth: int, times: int) -> dict[str, float]:
    """`tinyc_widen` of `depth` bytes, so many times: words, bytes behind them, and loops entered."""
    words, rest = depth // 4, depth % 4
    return {
        "widened_words": times * words,
        "widened_bytes": times * rest,
        "word_loops": times * (words > 0),
        "byte_loops": times * (rest > 0),
    }


def _clamped(op: Conv2D | DepthwiseConv2D | FullyConnected, graph: Graph) -> dict[str, float]:
    """The second pass over the result that a narrow fused activation takes."""
    (result,) = graph.results(op)
    narrow = activation_range(op.activation, result) != (-128, 127)
    return {"clamped": result.elements if narrow else 0}


def panel_fully_connected(op: Op, graph: Graph) -> Features:
    """Rows are widened, then multiplied two by two."""
    assert isinstance(op, FullyConnected)
    units, depth = graph.operands(op)[1].shape
    count = graph.operands(op)[0].elements // depth
    return {
        "calls": 1,
        **_panels(count, units, depth),
        **_widened(depth, count),
        **_clamped(op, graph),
    }


def four_units(op: Op, graph: Graph) -> Features:
    """One row, four units and four inputs at a time."""
    assert isinstance(op, FullyConnected)
    units, depth = graph.operands(op)[1].shape
    fours = math.ceil(units / 4)
    return {
        "calls": 1,
        "fours": fours,
        "outputs": units,
        "words": fours * (depth // 4),
        "rests": fours * (depth % 4 > 0),
        "rest_inputs": depth % 4,
        **_clamped(op, graph),
    }


def panel_1x1(op: Op, graph: Graph) -> Features:
    """As `panel_fully_connected`, over the pixels."""
    assert isinstance(op, Conv2D)
    x, (result,) = graph.operands(op)[0], graph.results(op)
    depth, channels = x.shape[3], result.shape[3]
    pixels = result.elements // channels
    return {
        "calls": 1,
        **_panels(pixels, channels, depth),
        **_widened(depth, pixels),
        **_clamped(op, graph),
    }


def panel_convolution(op: Op, graph: Graph) -> Features:
    """im2col of every window, then panels, group after group (`tinyc_window_row`)."""
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    operands, (result,) = graph.operands(op), graph.results(op)
    x, filters = operands[0], operands[1]
    depth = filters.shape[3] if isinstance(op, Conv2D) else 1
    groups, channels = x.shape[3] // depth, result.shape[3]
    window = op.window(operands)
    vertical, horizontal = (positions_inside(window, x.shape, axis) for axis in (0, 1))
    batch, height, width, _ = result.shape
    pixels = batch * height * width
    panels = _panels(pixels, channels // groups, window.kernel[0] * window.kernel[1] * depth)
    counts: dict[str, float] = {
        "calls": 1,
        "groups": groups,
        "lines": groups * batch * height,
        **_clamped(op, graph),
    }
    counts |= {name: count * groups for name, count in panels.items()}
    times = groups * batch
    met = int(vertical.sum()) * times
    if groups == 1 and window.dilation[1] == 1:
        _add(counts, {"pixels": pixels})
        pitch = window.kernel[1] * depth
        outside = (height * window.kernel[0] - int(vertical.sum())) * width * times
        for columns in horizontal:
            taken = int(columns.sum()) * depth
            if taken == 0:
                outside += met
                continue
            _add(counts, _widened(taken, met))
            before = int(columns.argmax())
            fills = (before > 0) + (before * depth + taken < pitch)
            _add(counts, {"cut_rows" if fills else "whole_rows": met, "filled": met * (pitch - taken)})
            _add(counts, {"fill_loops": met * fills})
        _add(counts, {"empty_rows": outside, "filled": outside * pitch})
    else:
        met *= int(horizontal.sum())
        taps = pixels * groups * window.kernel[0] * window.kernel[1]
        _add(counts, {"tap_pixels": pixels * groups, "tap_rows": pixels * groups * window.kernel[0]})
        _add(counts, {"taps_inside": met, "taps_outside": taps - met})
        _add(counts, {"filled": (taps - met) * depth, **_widened(depth, met)})
    return counts


def _add(counts: dict[str, float], more: Features) -> None:
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count


def four_channel_depthwise(op: Op, graph: Graph) -> Features:
    """Pointers to the taps of every pixel, then four channels and two taps at a time."""
    assert isinstance(op, DepthwiseConv2D)
    operands, (result,) = graph.operands(op), graph.results(op)
    window = op.window(operands)
    batch, height, width, channels = result.shape
    pixels, fours = batch * height * width, math.ceil(channels / 4)
    taps = window.kernel[0] * window.kernel[1]
    return {
        "calls": 1,
        "lines": batch * height,
        "pixels": pixels,
        "window_rows": pixels * window.kernel[0],
        "taps": pixels * taps,
        "fours": pixels * fours,
        "tap_pairs": pixels * fours * math.ceil(taps / 2),
        **_clamped(op, graph),
    }


def pooling(op: Op, graph: Graph) -> Features:
    """Four channels share the loops over a window, the rest have their own."""
    return _pooling(op, graph, graph.results(op)[0].shape[3] // 4)


def plain_pooling(op: Op, graph: Graph) -> Features:
    """Every channel has its own loops over a window."""
    return _pooling(op, graph, 0)


def pool_window(op: Pool2D, x: Tensor, result: Tensor) -> Window:
    """The windows of a pool, as those of a convolution."""
    top, left = op.before(x.shape)
    return Window(
        (op.filter_height, op.filter_width),
        (op.stride_height, op.stride_width),
        (1, 1),
        (top, 0, left, 0),
        (result.shape[1], result.shape[2]),
    )


def _pooling(op: Op, graph: Graph, fours: int) -> Features:
    assert isinstance(op, Pool2D)
    (x,), (result,) = graph.operands(op), graph.results(op)
    batch, height, width, channels = result.shape
    window = pool_window(op, x, result)
    vertical, horizontal = (int(positions_inside(window, x.shape, axis).sum()) for axis in (0, 1))
    window_rows, taps = batch * vertical * width, batch * vertical * horizontal
    pixels, counts = batch * height * width, {"calls": 1.0}
    for name, blocks in (("four", fours), ("one", channels - 4 * fours)):
        counts |= {
            f"{name}_pixels": pixels * (blocks > 0),
            f"{name}s": pixels * blocks,
            f"{name}_rows": window_rows * blocks,
            f"{name}_taps": taps * blocks,
        }
    return {**counts, "pixels": pixels, "lines": batch * height}


def sums(outer: int, reduced: int, middle: int, inner_reduced: int, inner: int) -> Features:
    """One sum per output, over two reduced extents (`struct tinyc_mean`)."""
    outputs = outer * middle * inner
    return {
        "calls": 1,
        "lines": outer * middle,
        "outputs": outputs,
        "runs": outputs * reduced,
        "taps": outputs * reduced * inner_reduced,
    }


def moved(extents: tuple[int, ...], run: int, filled: int) -> Features:
    """`tinyc_move_bytes` over `extents`, runs of `run` bytes, and a fill of `filled` bytes before."""
    runs, lines = math.prod(extents), math.prod(extents[:-1])
    single = run == 1
    return {
        "calls": 1,
        "lines": lines,
        "carries": sum(math.prod(extents[:axis]) for axis in range(len(extents) - 1)),
        "single_bytes": runs if single else 0,
        "runs": 0 if single else runs,
        **{name: 0 if single else runs * count for name, count in copied(run).items()},
        "filled_blocks": filled // 16,
        "filled_bytes": filled % 16,
    }


def copied(size: int) -> dict[str, int]:
    """The loops of `memcpy` (runtime/memory.c) over `size` bytes."""
    return {
        "blocks": size // 32,
        "half_blocks": size % 32 // 16,
        "words": size % 16 // 4,
        "bytes": size % 4,
    }


def joined(parts: list[int], count: int) -> Features:
    """Rows cut into parts of so many bytes: one copy per part and row."""
    counts: dict[str, float] = {"calls": 1, "parts": len(parts)}
    for part in parts:
        # The sizes are in the text: compilers unroll short copies.
        kind = "short_" if part <= 16 else ""
        sizes = {"words": part // 4, "bytes": part % 4} if kind else copied(part)
        _add(counts, {kind + name: count * size for name, size in {"copies": 1, **sizes}.items()})
    return counts


def reshape(op: Op, graph: Graph) -> Features:
    """A copy, unless the planner lets the result take the place of the input."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    dies = graph.consumers(x.name)[-1] is op and x.name not in graph.outputs
    return {"calls": 1, "copies": 1 - dies, **copied(0 if dies else result.bytes)}


def loops(extents: tuple[int, ...]) -> Features:
    """Four nested loops over elements that broadcast."""
    return {"calls": 1, "lines": math.prod(extents[:-1]), "elements": math.prod(extents)}
