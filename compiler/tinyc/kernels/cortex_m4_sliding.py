"""DEPTHWISE_CONV_2D as in `cortex_m4_depthwise`, on planes of all channels that slide down the image.

No row goes to planes twice, and the output may lie where the input does: a tile has read what it writes
over. What that takes is scratch for all channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.kernels import portable_convolution
from tinyc.kernels.cortex_m4_depthwise import (
    PlanarLayer,
    fill_fields,
    filling,
    filling_some,
    records,
    requantization_of,
)
from tinyc.kernels.depthwise_geometry import FOUR, geometries
from tinyc.kernels.depthwise_routine import add_up, repeat
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import Kernel, Lowered, Overlap, Work
from tinyc.kernels.sliding_planes import Tiles, best_tiles
from tinyc.kernels.work import FittedWork

# The function around the assembly.
_DRIVER_CODE = 80


@dataclass(frozen=True, slots=True)
class _Sliding:
    """A kernel whose tiles are made for `limit` bytes of scratch."""

    name: str
    limit: int

    def find(self, op: Op, graph: Graph) -> tuple[Tiles, PlanarLayer] | None:
        """None where the kernel cannot compute the layer, or would do so in one tile."""
        assert isinstance(op, DepthwiseConv2D)
        x, filters = graph.operands(op)[:2]
        if not portable_convolution.accepts(op, graph) or filters.shape[3] != x.shape[3]:
            return None
        geometry = next(geometries(op, graph))
        tiles, scalars = best_tiles(geometry, 0, self.limit), requantization_of(op, graph)
        if tiles is None or scalars is None or not geometry.fits_halfwords or len(tiles.heights) == 1:
            return None
        routine = tiles.routine(scalars)
        return None if routine is None else (tiles, PlanarLayer(geometry, routine, scalars))

    def known(self, op: Op, graph: Graph) -> tuple[Tiles, PlanarLayer]:
        found = self.find(op, graph)
        assert found is not None
        return found

    def accepts(self, op: Op, graph: Graph) -> bool:
        return self.find(op, graph) is not None

    def lower(self, op: Op, graph: Graph) -> Lowered:
        tiles, layer = self.known(op, graph)
        geometry = tiles.geometry
        x, filters = graph.operands(op)[:2]
        fill = {
            **fill_fields(geometry, tiles.plane, tiles.pitch // 4, x.zero_point),
            "row_step": geometry.row_step,
            "columns": geometry.columns,
            "pitch": tiles.pitch // 4,
        }
        return Lowered(
            "tinyc_planar_sliding",
            {
                **{f"fill.{name}": value for name, value in fill.items()},
                **tiles.fields(geometry.channels, x.zero_point),
                "weights": records(layer, filters.constant).reshape(-1),
            },
            4 * geometry.channels * layer.routine.scalars,
        )

    def scratch(self, op: Op, graph: Graph) -> int:
        return self.known(op, graph)[0].buffer

    def overlaps(self, op: Op, graph: Graph) -> tuple[Overlap, ...]:
        tiles, _ = self.known(op, graph)
        size, row = tiles.geometry.size, tiles.geometry.row_step
        return (Overlap(0, "output", tiles.lead(size, lambda first: first * row)),)

    def features(self, op: Op, graph: Graph) -> Features:
        tiles, _ = self.known(op, graph)
        return {"calls": 1, **tiles.features()}

    def assembly(self, op: Op, graph: Graph) -> Work:
        """What fills the planes and computes outputs, counted as it is."""
        tiles, layer = self.known(op, graph)
        geometry = tiles.geometry
        fours, others = divmod(geometry.channels, FOUR)
        works = [tiles.work(layer.routine)]
        for first, last in tiles.fills():
            rows = last - first if geometry.columns else 0
            some = add_up(repeat(filling(geometry, rows), fours), filling_some(geometry, rows, others))
            works.append(repeat(some, geometry.batches))
        return add_up(*works)

    def code(self, op: Op, graph: Graph) -> int:
        """Code bytes of one variant."""
        return 4 * self.known(op, graph)[1].routine.code + _DRIVER_CODE

    def specialize(self, op: Op, graph: Graph) -> Mapping[str, object]:
        tiles, layer = self.known(op, graph)
        view = layer.view(tiles.plane)
        return {**view, "variant": layer.variant(repr(view))}

    def kernel(self) -> Kernel:
        symbol = f"tinyc_depthwise_conv_2d_s8_{self.name}__cortex_m4"
        return Kernel(
            symbol=symbol,
            op=DepthwiseConv2D,
            source="cortex_m4/depthwise_conv_2d_s8_sliding.c.j2",
            headers=("include/tinyc_planar_sliding.h",),
            requires=frozenset({"dsp", "fpu"}),
            accepts=self.accepts,
            lower=self.lower,
            scratch=self.scratch,
            overlaps=self.overlaps,
            specialize=self.specialize,
            code=self.code,
            work=FittedWork(symbol, self.features, self.assembly),
        )


KERNELS = (_Sliding("sliding", 8 * 1024).kernel(),)
