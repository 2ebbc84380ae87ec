"""A depthwise layer as the planar kernel sees it: rows and columns, tiles, groups of channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tinyc.ir.graph import Graph
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.kernels.depthwise_routine import Shape

FOUR = 4
"""Channels that are moved to planes together."""

# Bytes of scratch: up to the first a layer is one tile, tiles are that large, and up to the second when
# two rows need more. While there is less than the last, more than four channels are taken at a time.
_SCRATCH, LARGEST_SCRATCH, _SMALL_SCRATCH = 4096, 8192, 512


@dataclass(frozen=True)
class Geometry:
    """A layer as the kernel sees it, rows and columns changed where that is better.

    `row_step`, `column_step` and `size` are bytes of the input, `line`, `pixel` and `output_size` of
    the output: to the next row, column and batch.
    """

    swapped: bool
    batches: int
    channels: int
    input: tuple[int, int]
    output: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    top: int
    left: int
    row_step: int
    column_step: int
    size: int
    line: int
    pixel: int
    output_size: int

    @property
    def pitch(self) -> int:
        """Words of a row of a plane."""
        reach = (self.kernel[1] - 1) * self.dilation[1] + 1
        return ((self.output[1] - 1) * self.stride[1] + reach + 1) // 2

    @property
    def reach(self) -> int:
        """Input rows of one output row."""
        return (self.kernel[0] - 1) * self.dilation[0] + 1

    @property
    def columns(self) -> int:
        """Columns of the input that outputs depend on."""
        return max(0, min(self.input[1], 2 * self.pitch - self.left))

    @property
    def fewest(self) -> int:
        """Planes that are filled together."""
        return min(self.channels, FOUR)

    @property
    def group(self) -> int:
        """Channels at a time: four, or as many fours as stay small."""
        fours = max(1, _SMALL_SCRATCH // self.plane(self.tile) // FOUR)
        return min(self.channels, fours * FOUR)

    def plane(self, tile: int) -> int:
        """Bytes of a plane for `tile` output rows."""
        return 4 * self.pitch * ((tile - 1) * self.stride[0] + self.reach)

    @cached_property
    def tile(self) -> int:
        """Output rows at a time: all of them where the planes stay small, else an even number."""
        rows = self.output[0]
        if self.plane(rows) * self.fewest <= _SCRATCH:
            return rows
        largest = max(n for n in range(1, rows + 1) if n <= 2 or self.plane(n) * self.fewest <= _SCRATCH)
        even = -(-rows // -(-rows // largest) // 2) * 2
        return min(rows, max(even if even <= largest else largest // 2 * 2, min(rows, 2)))

    @property
    def fits_halfwords(self) -> bool:
        """Whether the counts of the C struct fit 16 bits."""
        largest = max(self.batches, self.channels, *self.input, *self.output, *self.stride, self.reach)
        return max(largest, self.pitch) < 2**16 and max(self.top, self.left) < 2**15

    @cached_property
    def tiles(self) -> tuple[int, ...]:
        """Output rows of each tile of a batch."""
        full, rest = divmod(self.output[0], self.tile)
        return (self.tile,) * full + (rest,) * (rest > 0)

    def shape(self, *, strided: bool) -> Shape:
        places = (0, 0) if strided else (self.pixel, self.line)
        return Shape(self.kernel, self.stride, self.dilation, 4 * self.pitch, *places)

    def input_rows(self, tile: int) -> tuple[int, int]:
        """[first, last) rows of the input that a tile reads."""
        start = tile * self.tile * self.stride[0] - self.top
        count = (self.tiles[tile] - 1) * self.stride[0] + self.reach
        return max(0, start), min(self.input[0], start + count)


def geometries(op: DepthwiseConv2D, graph: Graph) -> Iterator[Geometry]:
    """The layer as it is, and with rows and columns changed."""
    operands = graph.operands(op)
    x, (result,) = operands[0], graph.results(op)
    window = op.window(operands)
    batches, height, width, channels = x.shape
    places = ((height * width * channels), result.elements // batches)
    steps = ((width * channels, channels), (result.shape[2] * channels, channels))
    for first, second in ((0, 1), (1, 0)):
        yield Geometry(
            first == 1,
            batches,
            channels,
            (x.shape[1 + first], x.shape[1 + second]),
            (window.output[first], window.output[second]),
            (window.kernel[first], window.kernel[second]),
            (window.stride[first], window.stride[second]),
            (window.dilation[first], window.dilation[second]),
            window.pads[2 * first],
            window.pads[2 * second],
            steps[0][first],
            steps[0][second],
            places[0],
            steps[1][first],
            steps[1][second],
            places[1],
        )


def lead_of(geometry: Geometry) -> int:
    """Bytes by which the output has to start before the input, when both share memory.

    A group of channels reads its rows of a tile, then writes its outputs of the tile. No byte may be
    written at or above one that a later group still reads.
    """
    last_pixel = (geometry.output[1] - 1) * geometry.pixel
    lead, written = -geometry.batches * geometry.size, -1
    for batch in range(geometry.batches):
        done = 0
        for tile, rows in enumerate(geometry.tiles):
            done += rows
            first, last = geometry.input_rows(tile)
            for channel in range(0, geometry.channels, geometry.group):
                if first < last and geometry.columns and written >= 0:
                    read = batch * geometry.size + first * geometry.row_step + channel
                    lead = max(lead, written - read + 1)
                end = min(channel + geometry.group, geometry.channels) - 1
                write = batch * geometry.output_size + (done - 1) * geometry.line + last_pixel + end
                written = max(written, write)
    return lead
