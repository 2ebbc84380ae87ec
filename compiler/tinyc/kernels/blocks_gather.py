"""How `cortex_m4_blocks` cuts a convolution into blocks and gathers their windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.tensor import Array

# FPU registers that hold the weights of a pair of channels.
_REGISTERS = 32
# So many that code for any number of words takes at a time.
SHARED_PART = 16


@dataclass(frozen=True, slots=True)
class Gather:
    """How a window becomes panel words: `rows` times `runs` runs of `pixels` neighbours each.

    `order` gives for each int16 of the panel the product it belongs to, -1 for none. `words` of 32 bits a
    pixel, in `chunks` parts of `part` words that the FPU registers can hold. `pitch` is the length of a
    padded input row in bytes.
    """

    rows: int
    runs: int
    pixels: int
    channels: int
    row_step: int
    pixel_step: int
    is_padded: int
    pitch: int
    order: Array
    part: int
    chunks: int

    @property
    def words(self) -> int:
        return self.part * self.chunks

    @property
    def driver(self) -> str:
        """Border pixels are gathered one by one where each has words of its own."""
        return "rows" if self.is_padded and self.channels % 4 else "windows"

    @property
    def scratch(self) -> int:
        """Bytes of the panel, and of the padded rows where they are wanted."""
        return 16 * self.words + (self.rows * self.pitch if self.driver == "rows" else 0)

    @classmethod
    def of(cls, op: Op, graph: Graph, *, shared: bool = False) -> Gather:
        """`shared`: for code that serves any depth; its first part is as long as need be."""
        assert isinstance(op, Conv2D)
        operands = graph.operands(op)
        window, (_, _, extent, channels) = op.window(operands), operands[0].shape
        rows, width = window.kernel
        joined = window.dilation[1] == 1
        pixels, runs = (width, 1) if joined else (1, width)
        starts = np.arange(rows * runs)[:, None] * pixels * channels
        one = _run_order(pixels * channels)
        order = np.where(one >= 0, one + starts, -1).reshape(-1)
        least = len(order) // 2
        chunks = 1 if shared else -(-least // _REGISTERS)
        part = -(-least // chunks)
        order = np.concatenate([order, np.full(2 * part * chunks - len(order), -1)])
        reach = (_result_width(op, graph) - 1) * window.stride[1] + (width - 1) * window.dilation[1] + 1
        pitch = max(reach, window.pads[2] + extent) * channels
        steps = window.dilation
        padded = int(any(window.pads))
        return cls(rows, runs, pixels, channels, *steps, padded, pitch, order, part, chunks)


def _result_width(op: Op, graph: Graph) -> int:
    return graph.results(op)[0].shape[2]


def _run_order(run: int) -> Array:
    """Bytes of a run in the order in which `tinyc_gather_run` writes them."""
    fours = np.arange(run // 4 * 4).reshape(-1, 4)[:, (0, 2, 1, 3)].reshape(-1)
    rest = np.arange(run // 4 * 4, run)
    return np.concatenate([fours, rest, np.full(len(rest) % 2, -1)])


def slots_of(channels: int) -> tuple[Array, Array]:
    """(low, high) channel of each record; an odd number begins with a pair that overlaps the next.

    A single channel is a pair with itself.
    """
    if channels == 1:
        return np.zeros(1, int), np.zeros(1, int)
    low = np.arange(channels % 2, channels, 2)
    if channels % 2:
        low = np.concatenate([[0], low])
    return low, low + 1


def first_pixels(op: Op, graph: Graph) -> list[int]:
    """The first pixel of each block."""
    (result,) = graph.results(op)
    pixels = result.elements // result.shape[3]
    return [*range(0, pixels - 4, 4), pixels - 4]
