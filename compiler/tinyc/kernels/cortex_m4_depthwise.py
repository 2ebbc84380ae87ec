"""DEPTHWISE_CONV_2D on planes of int16 columns for ARMv7E-M. With an FPU its registers hold loop state.

Some channels at a time are moved from the input to planes in scratch (`depthwise_geometry.py`), then an
assembly routine made for the layer's shape runs over each plane (`depthwise_routine.py`, found by
`depthwise_schedule.py`). Layers that agree in all that the assembly depends on share it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.tensor import Array
from tinyc.kernels import portable_convolution
from tinyc.kernels.depthwise_geometry import FOUR, LARGEST_SCRATCH, Geometry, geometries, lead_of
from tinyc.kernels.depthwise_routine import Routine, Shape, add_up, repeat
from tinyc.kernels.depthwise_schedule import best_routine
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Overlap, Work
from tinyc.kernels.layer_constants import round_up
from tinyc.kernels.requantization import Accumulators, one_step, two_steps


@dataclass(frozen=True, slots=True)
class PlanarLayer:
    """All that the kernel needs to know of a layer."""

    geometry: Geometry
    routine: Routine
    scalars: Scalars

    def view(self, plane: int) -> dict[str, object]:
        """What the template of the routine needs, for planes of so many bytes."""
        return {
            "routine": self.routine,
            "shift": self.scalars.shift,
            "line": self.routine.shape.line,
            "plane": plane,
            "record_bytes": 4 * (self.routine.scalars + self.routine.packed),
        }

    def variant(self, text: str) -> str:
        """A name for the code that `text` tells apart."""
        kernel, stride, width = self.geometry.kernel, self.geometry.stride, self.geometry.output[1]
        return f"{kernel[0]}x{kernel[1]}_s{stride[1]}_w{width}_{zlib.crc32(text.encode()):08x}"

    @property
    def work(self) -> Work:
        """Of all batches; assembly is counted as it is, the C around it as compilers make it."""
        geometry, works = self.geometry, []
        fours, others = divmod(geometry.channels, FOUR)
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
            works.append(repeat(filling(geometry, read), fours))
            works.append(filling_some(geometry, read, others))
        return add_up(repeat(add_up(*works), geometry.batches), Work(70, 100))


def filling(geometry: Geometry, rows: int) -> Work:
    """Four channels of some rows to planes."""
    alone = geometry.left % 2
    quads, others = divmod(geometry.columns - alone, 4)
    pair, last = divmod(others, 2)
    words = alone + pair + last
    moved = 4 * (geometry.pitch > 2 * quads + words)
    row = Work(13 + moved + 13 * words + 27 * quads, 18 + moved + 14 * words + 29 * quads)
    return add_up(repeat(row, rows), Work(17, 48)) if rows else Work(0, 0)


def filling_some(geometry: Geometry, rows: int, channels: int) -> Work:
    """The same for fewer."""
    if rows == 0 or channels == 0:
        return Work(0, 0)
    words = -(-geometry.columns // 2)
    channel = Work(14 + 8 * words, 17 + 11 * words)
    return add_up(repeat(add_up(repeat(channel, channels), Work(7, 9)), rows), Work(22, 44))


@dataclass(frozen=True, slots=True, eq=False)
class Scalars:
    """Requantization by channel. `words` [channels, n] int64: the bias in the lower and the constant in the
    upper half of a word where they fit, and the multiplier; else bias, multiplier, constant, and shift.

    `shift` is that of all channels, 0 where each has its own; `sign` that of the weights.
    """

    words: Array
    shift: int
    sign: int

    @property
    def rounding(self) -> int:
        """1 for `one_step`, 2 for `two_steps`."""
        return 2 if self.words.shape[1] == 4 else 1

    @property
    def packed(self) -> bool:
        return bool(self.words.shape[1] == 2)


def requantization_of(op: Op, graph: Graph) -> Scalars | None:
    """None where neither form of rounding is proved."""
    sums = Accumulators.of(op, graph)
    if sums.low < sums.high:
        ones = np.ones(len(sums.rows), np.int64)
        if (narrow := one_step(sums, ones, 2**15)) is not None:
            halves = narrow.constant * 2**16 + narrow.bias % 2**16
            return Scalars(np.stack([halves, narrow.multiplier], axis=1), narrow.shift, 1)
        if (one := one_step(sums, ones)) is not None:
            words = np.stack([one.bias, one.multiplier, one.constant], axis=1)
            return Scalars(words, one.shift, 1)
    two = two_steps(sums)
    if two is None or sums.rows.min() < -127:
        return None
    # Weights, bias and multiplier are negated: the carry of twice the sum then says what to add.
    half = np.where(sums.is_constant, 1 << two.right >> 1, 0)
    words = np.stack([-two.bias, -two.multiplier, two.constant + half, two.right], axis=1)
    return Scalars(words, 0, -1)


@lru_cache(maxsize=1024)
def routine_for(
    shape: Shape, width: int, tiles: tuple[int, ...], rounding: int, packed: bool, fpu: bool = True
) -> Routine | None:
    return best_routine(shape, width, rounding, packed, tiles, fpu)


def planar_layer(op: Op, graph: Graph, *, strided: bool, fpu: bool) -> PlanarLayer | None:
    """The layer in its better geometry, or None where the kernel cannot compute it or does not pay."""
    assert isinstance(op, DepthwiseConv2D)
    x, filters = graph.operands(op)[:2]
    if not portable_convolution.accepts(op, graph) or filters.shape[3] != x.shape[3]:
        return None
    scalars = requantization_of(op, graph)
    if scalars is None:
        return None
    layers = []
    for geometry in geometries(op, graph):
        if geometry.plane(geometry.tile) * geometry.fewest > LARGEST_SCRATCH or not geometry.fits_halfwords:
            continue
        shape, width = geometry.shape(strided=strided), geometry.output[1]
        routine = routine_for(shape, width, geometry.tiles, scalars.rounding, scalars.packed, fpu)
        if routine is not None:
            layers.append(PlanarLayer(geometry, routine, scalars))
    return min(filter(_pays, layers), key=_price, default=None)


def _pays(layer: PlanarLayer) -> bool:
    """Whether it beats the kernel that goes from pixel to pixel (`cortex_m4.py`), as that was counted."""
    geometry = layer.geometry
    taps = geometry.kernel[0] * geometry.kernel[1]
    fours = -(-geometry.channels // FOUR)
    pixel = fours * (21 * -(-taps // 2) + 60) + 14 * taps + 35
    pixels = geometry.batches * geometry.output[0] * geometry.output[1]
    return geometry.channels < FOUR or layer.work.instructions <= pixels * pixel


def _price(layer: PlanarLayer) -> float:
    """Tiles of columns of an image keep nearly all of it alive while they are written."""
    geometry, work = layer.geometry, layer.work
    apart = geometry.swapped and len(geometry.tiles) > 1
    return (work.instructions + work.cycles) * (1.1 if apart else 1)


def records(layer: PlanarLayer, filters: Array) -> Array:
    """[channels, scalars and words of weights] int32: two weight words in the bytes of one."""
    if layer.geometry.swapped:
        filters = filters.transpose(0, 2, 1, 3)
    words = layer.routine.words
    halves = np.zeros((filters.shape[3], 2 * layer.routine.packed, 2), np.int8)
    for index, taps in enumerate(words):
        for half, tap in enumerate(taps):
            if tap is not None:
                halves[:, index, half] = layer.scalars.sign * filters[0, tap[0], tap[1]]
    # [channel, packed word, word of it, half] to bytes that SXTB16 takes apart: even ones first.
    packed = halves.reshape(len(halves), -1, 2, 2).transpose(0, 1, 3, 2)
    weights = np.ascontiguousarray(packed).reshape(len(halves), -1).view("<i4")
    return np.concatenate([layer.scalars.words.astype(np.int32), weights.astype(np.int32)], axis=1)


def fill_fields(geometry: Geometry, plane: int, pitch: int, zero_point: int) -> dict[str, FieldValue]:
    """The fields that the assembly which fills planes reads. `plane` in bytes, `pitch` in words."""
    alone = geometry.left % 2 if geometry.columns else 0
    pairs, last = divmod(geometry.columns - alone, 2)
    return {
        "column_step": geometry.column_step,
        "plane": plane,
        "quads": pairs // 2,
        "others": alone + 2 * (pairs % 2) + 4 * last,
        "next_row": geometry.row_step - geometry.columns * geometry.column_step,
        "next_plane": 4 * (pitch - alone - pairs - last),
        "outside": zero_point % 256 * 0x01010101,
    }


@dataclass(frozen=True, slots=True)
class _Planar:
    """A kernel. `tiled`: for layers of several tiles, else for those of one.

    `strided`: the places of outputs are arguments, so that layers of other channel counts have the same
    code. `fpu`: its registers hold numbers, else the stack does.
    """

    name: str
    tiled: bool
    strided: bool = False
    fpu: bool = True

    def find(self, op: Op, graph: Graph) -> PlanarLayer | None:
        return planar_layer(op, graph, strided=self.strided, fpu=self.fpu)

    def known(self, op: Op, graph: Graph) -> PlanarLayer:
        layer = self.find(op, graph)
        assert layer is not None
        return layer

    def accepts(self, op: Op, graph: Graph) -> bool:
        layer = self.find(op, graph)
        return layer is not None and (len(layer.geometry.tiles) > 1) == self.tiled

    def lower(self, op: Op, graph: Graph) -> Lowered:
        layer = self.known(op, graph)
        geometry = layer.geometry
        x, filters = graph.operands(op)[:2]
        return Lowered(
            "tinyc_planar",
            {
                **fill_fields(geometry, geometry.plane(geometry.tile), geometry.pitch, x.zero_point),
                "row_step": geometry.row_step,
                "size": geometry.size,
                "output_pixel": geometry.pixel,
                "output_step": geometry.line,
                "output_size": geometry.output_size,
                "batches": geometry.batches,
                "channels": geometry.channels,
                "group": geometry.group,
                "rows": geometry.input[0],
                "columns": geometry.columns,
                "top": geometry.top,
                "left": geometry.left,
                "outputs": geometry.output[0],
                "tile": geometry.tile,
                "stride": geometry.stride[0],
                "reach": geometry.reach,
                "pitch": geometry.pitch,
                "record": layer.routine.scalars + layer.routine.packed,
                "weights": records(layer, filters.constant).reshape(-1),
            },
            4 * geometry.channels * layer.routine.scalars,
        )

    def scratch(self, op: Op, graph: Graph) -> int:
        geometry = self.known(op, graph).geometry
        return round_up(geometry.group * geometry.plane(geometry.tile), 16)

    def overlaps(self, op: Op, graph: Graph) -> tuple[Overlap, ...]:
        return (Overlap(0, "output", lead_of(self.known(op, graph).geometry)),)

    def work(self, op: Op, graph: Graph) -> Work:
        return self.known(op, graph).work

    def code(self, op: Op, graph: Graph) -> int:
        """Code bytes of one variant."""
        return 4 * self.known(op, graph).routine.code

    def specialize(self, op: Op, graph: Graph) -> Mapping[str, object]:
        layer = self.known(op, graph)
        view = layer.view(layer.geometry.plane(layer.geometry.tile))
        return {**view, "variant": layer.variant(repr(view))}

    def kernel(self) -> Kernel:
        """With one tile, a group of channels writes over what only itself has read."""
        return Kernel(
            symbol=f"tinyc_depthwise_conv_2d_s8_{self.name}__cortex_m4",
            op=DepthwiseConv2D,
            source="cortex_m4/depthwise_conv_2d_s8_planar.c.j2",
            headers=("include/tinyc_planar.h",),
            requires=frozenset({"dsp", "fpu"} if self.fpu else {"dsp"}),
            superseded=frozenset() if self.fpu else frozenset({"fpu"}),
            accepts=self.accepts,
            lower=self.lower,
            scratch=self.scratch,
            in_place=() if self.tiled else (0,),
            overlaps=self.overlaps,
            work=self.work,
            code=self.code,
            specialize=self.specialize,
        )


KERNELS = tuple(
    _Planar(name, tiled, strided, fpu).kernel()
    for name, tiled, strided, fpu in (
        ("planar", False, False, True),
        ("planar_tiled", True, False, True),
        ("planar_shared", False, True, True),
        ("planar_tiled_shared", True, True, True),
        ("planar_core", False, False, False),
        ("planar_tiled_core", True, False, False),
    )
)
