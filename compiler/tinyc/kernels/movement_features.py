"""How often the loops of the kernels run that pick, resize and convert elements: see `features.py`."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import DType
from tinyc.kernels.features import Features, copied


def gathered(planes: int, count: int, depth: int, size: int) -> Features:
    """`count` slices of `size` bytes out of each plane, found by `depth` indices each."""
    slices = planes * count
    return {
        "calls": 1,
        "planes": planes,
        "slices": slices,
        "indices": slices * depth,
        **{name: slices * times for name, times in copied(size).items()},
    }


def resized(op: Op, graph: Graph) -> Features:
    """Loops over the rows, pixels and elements of the result."""
    batch, height, width, channels = graph.results(op)[0].shape
    pixels = batch * height * width
    return {"calls": 1, "lines": batch * height, "pixels": pixels, "elements": pixels * channels}


def cast(op: Op, graph: Graph) -> Features:
    """One loop, which compilers write in another way for each pair of sizes; to bool it compares."""
    (x,), (result,) = graph.operands(op), graph.results(op)
    target = "bool" if result.dtype is DType.BOOL else f"{result.dtype.size}"
    return {"calls": 1, f"from_{x.dtype.size}_to_{target}": result.elements}


def blocks(images: int, height: int, width: int, run: int, filled: int) -> Features:
    """A copy of `run` bytes per pixel, after a fill of so many bytes."""
    pixels = images * height * width
    return {
        "calls": 1,
        "images": images,
        "lines": images * height,
        "pixels": pixels,
        **{name: pixels * times for name, times in copied(run).items()},
        "filled_blocks": filled // 16,
        "filled_bytes": filled % 16,
    }
