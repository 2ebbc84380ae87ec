"""DEPTHWISE_CONV_2D on planes of int16 columns for ARMv7E-M with an FPU, whose registers hold loop state.

Four channels at a time are moved from the input to planes in scratch, then an assembly routine made for
the layer's shape runs over each plane (`depthwise_schedule.py`). Where the kernel is one column wide, rows
and columns change places. Layers that agree in all that the assembly depends on share it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import ClassVar

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.tensor import Array
from tinyc.kernels import portable_convolution
from tinyc.kernels.depthwise_routine import Routine, Shape, add_up, repeat
from tinyc.kernels.depthwise_schedule import best_routine
from tinyc.kernels.kernel import Kernel, Lowered, Overlap, Work
from tinyc.kernels.requantization import Accumulators, one_step, two_steps

_FOUR = 4
# Bytes of scratch: up to the first a layer is one tile, tiles are that large, and up to the second when
# two rows need more. While there is less than the last, more than four channels are taken at a time.
_SCRATCH, _LARGEST_SCRATCH, _SMALL_SCRATCH = 4096, 8192, 512


@dataclass(frozen=True, slots=True)
class _Geometry:
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
        return min(self.channels, _FOUR)

    @property
    def group(self) -> int:
        """Channels at a time: four, or as many fours as stay small."""
        fours = max(1, _SMALL_SCRATCH // self.plane(self.tile) // _FOUR)
        return min(self.channels, fours * _FOUR)

    def plane(self, tile: int) -> int:
        """Bytes of a plane for `tile` output rows."""
        return 4 * self.pitch * ((tile - 1) * self.stride[0] + self.reach)

    @property
    def tile(self) -> int:
        """Output rows at a time: all of them where the planes stay small, else an even number."""
        rows = self.output[0]
        if self.plane(rows) * self.fewest <= _SCRATCH:
            return rows
        largest = max(n for n in range(1, rows + 1) if n <= 2 or self.plane(n) * self.fewest <= _SCRATCH)
        even = -(-rows // -(-rows // largest) // 2) * 2
        return min(rows, max(even if even <= largest else largest // 2 * 2, min(rows, 2)))

    @property
    def tiles(self) -> tuple[int, ...]:
        """Output rows of each tile of a batch."""
        full, rest = divmod(self.output[0], self.tile)
        return (self.tile,) * full + (rest,) * (rest > 0)

    @property
    def shape(self) -> Shape:
        return Shape(self.kernel, self.stride, self.dilation, 4 * self.pitch, self.pixel, self.line)

    def input_rows(self, tile: int) -> tuple[int, int]:
        """[first, last) rows of the input that a tile reads."""
        start = tile * self.tile * self.stride[0] - self.top
        count = (self.tiles[tile] - 1) * self.stride[0] + self.reach
        return max(0, start), min(self.input[0], start + count)


def _geometries(op: DepthwiseConv2D, graph: Graph) -> Iterator[_Geometry]:
    """The layer as it is, and with rows and columns changed."""
    operands = graph.operands(op)
    x, (result,) = operands[0], graph.results(op)
    window = op.window(operands)
    batches, height, width, channels = x.shape
    places = ((height * width * channels), result.elements // batches)
    steps = ((width * channels, channels), (result.shape[2] * channels, channels))
    for first, second in ((0, 1), (1, 0)):
        yield _Geometry(
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


@dataclass(frozen=True, slots=True)
class _Layer:
    """All that the kernel needs to know of a layer. `scalars` [channels, 3 or 4] int64 are bias,
    multiplier, constant and shift by channel, `sign` is that of the weights."""

    geometry: _Geometry
    routine: Routine
    scalars: Array
    shift: int
    sign: int

    @property
    def work(self) -> Work:
        """Of all batches; assembly is counted as it is, the C around it as compilers make it."""
        geometry, works = self.geometry, []
        fours, others = divmod(geometry.channels, _FOUR)
        groups = -(-geometry.channels // geometry.group)
        for tile, rows in enumerate(geometry.tiles):
            first, last = geometry.input_rows(tile)
            count = (geometry.tiles[tile] - 1) * geometry.stride[0] + geometry.reach
            read = max(0, last - first) if geometry.columns else 0
            works.append(Work(40, 60))
            if tile == 0 or read < count:
                works.append(repeat(Work(7, 8), geometry.plane(geometry.tile) * geometry.group // 16))
            works.append(repeat(self.routine.work(rows), geometry.channels))
            works.append(repeat(Work(60, 122), groups))
            works.append(repeat(_filling(geometry, read), fours))
            works.append(_filling_some(geometry, read, others))
        return add_up(repeat(add_up(*works), geometry.batches), Work(70, 100))


def _filling(geometry: _Geometry, rows: int) -> Work:
    """Four channels of some rows to planes."""
    alone = geometry.left % 2
    quads, others = divmod(geometry.columns - alone, 4)
    pair, last = divmod(others, 2)
    row = Work(17 + 13 * (alone + pair + last) + 27 * quads, 22 + 14 * (alone + pair + last) + 29 * quads)
    return add_up(repeat(row, rows), Work(17, 48)) if rows else Work(0, 0)


def _filling_some(geometry: _Geometry, rows: int, channels: int) -> Work:
    """The same for fewer."""
    if rows == 0 or channels == 0:
        return Work(0, 0)
    words = -(-geometry.columns // 2)
    channel = Work(14 + 8 * words, 17 + 11 * words)
    return add_up(repeat(add_up(repeat(channel, channels), Work(7, 9)), rows), Work(22, 44))


class _Sums:
    """Accumulators that can be looked up: requantization is searched for once per layer."""

    __slots__ = ("key", "sums")
    _FIELDS: ClassVar = tuple(field.name for field in fields(Accumulators))

    def __init__(self, sums: Accumulators) -> None:
        self.sums = sums
        values = (getattr(sums, name) for name in self._FIELDS)
        self.key = tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in values)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sums) and self.key == other.key


@lru_cache(maxsize=128)
def _scalars(wrapped: _Sums) -> tuple[Array, int, int] | None:
    """(scalars [channels, 3 or 4], shift shared by all channels or 0, sign of the weights)."""
    sums = wrapped.sums
    steps = sums.low < sums.high
    one = one_step(sums, np.ones(len(sums.rows), np.int64)) if steps else None
    if one is not None:
        return np.stack([one.bias, one.multiplier, one.constant], axis=1), one.shift, 1
    two = two_steps(sums)
    if two is None or sums.rows.min() < -127:
        return None
    # Weights, bias and multiplier are negated: the carry of twice the sum then says what to add.
    half = np.where(sums.is_constant, 1 << two.right >> 1, 0)
    return np.stack([-two.bias, -two.multiplier, two.constant + half, two.right], axis=1), 0, -1


@lru_cache(maxsize=128)
def _routine(geometry: _Geometry, rounding: int) -> Routine | None:
    if geometry.plane(geometry.tile) * geometry.fewest > _LARGEST_SCRATCH:
        return None
    return best_routine(geometry.shape, geometry.output[1], rounding, geometry.tiles)


def _layer(op: Op, graph: Graph) -> _Layer | None:
    """The layer in its better geometry, or None where the kernel cannot compute it."""
    assert isinstance(op, DepthwiseConv2D)
    x, filters = graph.operands(op)[:2]
    if not portable_convolution.accepts(op, graph) or filters.shape[3] != x.shape[3]:
        return None
    numbers = _scalars(_Sums(Accumulators.of(op, graph)))
    if numbers is None:
        return None
    layers = []
    for geometry in _geometries(op, graph):
        routine = _routine(geometry, numbers[0].shape[1] - 2)
        if routine is not None:
            layers.append(_Layer(geometry, routine, *numbers))
    return min(layers, key=lambda layer: layer.work.instructions + layer.work.cycles, default=None)


def _known(op: Op, graph: Graph) -> _Layer:
    layer = _layer(op, graph)
    assert layer is not None
    return layer


def _accepts_whole(op: Op, graph: Graph) -> bool:
    layer = _layer(op, graph)
    return layer is not None and len(layer.geometry.tiles) == 1


def _accepts_tiles(op: Op, graph: Graph) -> bool:
    layer = _layer(op, graph)
    return layer is not None and len(layer.geometry.tiles) > 1


def _records(layer: _Layer, filters: Array) -> Array:
    """[channels, scalars and words of weights] int32: two weight words in the bytes of one."""
    if layer.geometry.swapped:
        filters = filters.transpose(0, 2, 1, 3)
    words = layer.routine.words
    halves = np.zeros((filters.shape[3], 2 * layer.routine.packed, 2), np.int8)
    for index, taps in enumerate(words):
        for half, tap in enumerate(taps):
            if tap is not None:
                halves[:, index, half] = layer.sign * filters[0, tap[0], tap[1]]
    # [channel, packed word, word of it, half] to bytes that SXTB16 takes apart: even ones first.
    packed = halves.reshape(len(halves), -1, 2, 2).transpose(0, 1, 3, 2)
    weights = np.ascontiguousarray(packed).reshape(len(halves), -1).view("<i4")
    return np.concatenate([layer.scalars.astype(np.int32), weights.astype(np.int32)], axis=1)


def _lower(op: Op, graph: Graph) -> Lowered:
    layer = _known(op, graph)
    geometry = layer.geometry
    x, filters = graph.operands(op)[:2]
    alone = geometry.left % 2 if geometry.columns else 0
    pairs, last = divmod(geometry.columns - alone, 2)
    return Lowered(
        "tinyc_planar",
        {
            "column_step": geometry.column_step,
            "plane": geometry.plane(geometry.tile),
            "quads": pairs // 2,
            "others": alone + 2 * (pairs % 2) + 4 * last,
            "next_row": geometry.row_step - geometry.columns * geometry.column_step,
            "next_plane": 4 * (geometry.pitch - alone - pairs - last),
            "outside": x.zero_point % 256 * 0x01010101,
            "batches": geometry.batches,
            "channels": geometry.channels,
            "group": geometry.group,
            "rows": geometry.input[0],
            "columns": geometry.columns,
            "row_step": geometry.row_step,
            "size": geometry.size,
            "top": geometry.top,
            "left": geometry.left,
            "outputs": geometry.output[0],
            "tile": geometry.tile,
            "stride": geometry.stride[0],
            "reach": geometry.reach,
            "output_step": geometry.line,
            "output_size": geometry.output_size,
            "pitch": geometry.pitch,
            "record": layer.routine.scalars + layer.routine.packed,
            "weights": _records(layer, filters.constant).reshape(-1),
        },
    )


def _scratch(op: Op, graph: Graph) -> int:
    geometry = _known(op, graph).geometry
    return -(-geometry.group * geometry.plane(geometry.tile) // 16) * 16


def _overlaps(op: Op, graph: Graph) -> tuple[Overlap, ...]:
    return (Overlap(0, "output", _lead(_known(op, graph).geometry)),)


def _lead(geometry: _Geometry) -> int:
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


def _work(op: Op, graph: Graph) -> Work:
    return _known(op, graph).work


def _code(op: Op, graph: Graph) -> int:
    """Code bytes of one variant."""
    return 4 * _known(op, graph).routine.code


def _specialize(op: Op, graph: Graph) -> Mapping[str, object]:
    layer = _known(op, graph)
    geometry, routine = layer.geometry, layer.routine
    view: dict[str, object] = {
        "routine": routine,
        "shift": layer.shift,
        "line": geometry.line,
        "plane": geometry.plane(geometry.tile),
        "record_bytes": 4 * (routine.scalars + routine.packed),
    }
    kernel, stride = geometry.kernel, geometry.stride
    names = (f"{kernel[0]}x{kernel[1]}", f"s{stride[1]}", f"w{geometry.output[1]}")
    return {**view, "variant": "_".join((*names, f"{zlib.crc32(repr(view).encode()):08x}"))}


def _kernel(name: str, **differences: object) -> Kernel:
    return Kernel(
        symbol=f"tinyc_depthwise_conv_2d_s8_{name}__cortex_m4",
        op=DepthwiseConv2D,
        source="cortex_m4/depthwise_conv_2d_s8_planar.c.j2",
        headers=("include/tinyc_planar.h",),
        requires=frozenset({"dsp", "fpu"}),
        lower=_lower,
        scratch=_scratch,
        overlaps=_overlaps,
        work=_work,
        code=_code,
        specialize=_specialize,
        **differences,  # type: ignore[arg-type]
    )


# With one tile, a group of channels writes over what only itself has read: pixels stay where they are.
KERNELS = (
    _kernel("planar", accepts=_accepts_whole, in_place=(0,)),
    _kernel("planar_tiled", accepts=_accepts_tiles),
)
