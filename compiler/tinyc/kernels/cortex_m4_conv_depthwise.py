"""A CONV_2D and the DEPTHWISE_CONV_2D after it in one kernel for ARMv7E-M with an FPU.

The first is pointwise, or one of few channels with padding, as first layers are.

The convolution is that of `cortex_m4_blocks`, but stores into planes of int16; the depthwise layer is that
of `cortex_m4_depthwise` over all channels of some rows. The tensor between them does not exist. Kernels
differ in their scratch alone, which decides how many rows are computed together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.kernels import cortex_m4_blocks, portable_convolution
from tinyc.kernels.blocks_work import pixel_features, row_features
from tinyc.kernels.cortex_m4_depthwise import PlanarLayer, records, requantization_of
from tinyc.kernels.depthwise_geometry import geometries
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Overlap, Work
from tinyc.kernels.layer_constants import round_up
from tinyc.kernels.sliding_planes import Tiles, best_tiles
from tinyc.kernels.work import FittedWork


@dataclass(frozen=True, slots=True)
class _First:
    """How the first layer is computed: the kernel that would compute it alone, and what is its own here."""

    base: Kernel
    struct: str
    header: str
    code: int
    costs: str
    by_rows: bool


def _first(symbol: str, **rest: Any) -> _First:
    base = next(kernel for kernel in cortex_m4_blocks.KERNELS if kernel.symbol == symbol)
    return _First(base, f"tinyc_{rest['header']}", **rest)


# `code`: bytes of the function around the assembly, and of one block's gathering.
_POINTWISE = _first(
    "tinyc_conv_2d_s8_1x1_2x4__cortex_m4",
    header="conv_depthwise",
    code=340,
    costs="tinyc_conv_depthwise_2d_s8__cortex_m4",
    by_rows=False,
)
_ROWS = _first(
    "tinyc_conv_2d_s8_2x4_rows__cortex_m4",
    header="rows_depthwise",
    code=520,
    costs="tinyc_conv_depthwise_2d_s8_rows__cortex_m4",
    by_rows=True,
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both layers, in the graph of them alone. `planes`: bytes of scratch before the planes."""

    graph: Graph
    first: Conv2D
    second: DepthwiseConv2D
    tiles: Tiles
    layer: PlanarLayer
    planes: int

    @property
    def scattered(self) -> bool:
        """Whether the pixels of a block may lie in two rows."""
        return self.tiles.geometry.input[1] % 4 != 0


@dataclass(frozen=True, slots=True)
class _Fused:
    """A kernel whose tiles are made for `limit` bytes of scratch.

    It accepts only where that makes a difference to the `smaller` one.
    """

    name: str
    first: _First
    limit: int
    smaller: int | None = None

    def tiles(self, op: Op, graph: Graph, limit: int) -> tuple[Graph, Tiles] | None:
        """The graph of both layers and their tiles, where the tiles are all that could be in the way."""
        assert isinstance(op, ConvDepthwise2D)
        first, second = op.parts
        pair = graph.rebuilt(
            ops=op.parts, tensors=[op.intermediate], inputs=first.inputs[:1], outputs=op.outputs
        )
        x, filters = pair.operands(second)[:2]
        if not self.first.base.accepts(first, pair) or not portable_convolution.accepts(second, pair):
            return None
        # A single channel would be a pair with itself, in one plane.
        if filters.shape[3] != x.shape[3] or x.shape[3] == 1:
            return None
        tiles = best_tiles(next(geometries(second, pair)), self.first.base.scratch(first, pair), limit)
        if tiles is None or any(0 < (last - start) * x.shape[2] < 4 for start, last in tiles.fills()):
            return None
        return pair, tiles

    def find(self, op: Op, graph: Graph) -> _Pair | None:
        """None where the kernel cannot compute it."""
        found = self.tiles(op, graph, self.limit)
        if found is None:
            return None
        pair, tiles = found
        first, second = pair.ops
        assert isinstance(first, Conv2D) and isinstance(second, DepthwiseConv2D)
        scalars = requantization_of(second, pair)
        if scalars is None or not tiles.geometry.fits_halfwords:
            return None
        routine = tiles.routine(scalars)
        if routine is None:
            return None
        planes = round_up(self.first.base.scratch(first, pair), 16)
        return _Pair(pair, first, second, tiles, PlanarLayer(tiles.geometry, routine, scalars), planes)

    def known(self, op: Op, graph: Graph) -> _Pair:
        pair = self.find(op, graph)
        assert pair is not None
        return pair

    def view_of_first(self, pair: _Pair) -> Mapping[str, object]:
        """What the convolution's template needs."""
        assert self.first.base.specialize is not None
        return self.first.base.specialize(pair.first, pair.graph)

    def accepts(self, op: Op, graph: Graph) -> bool:
        found = self.tiles(op, graph, self.limit)
        if found is None:
            return False
        if self.smaller is not None and self.tiles(op, graph, self.smaller) == found:
            return False
        return self.find(op, graph) is not None

    def lower(self, op: Op, graph: Graph) -> Lowered:
        pair = self.known(op, graph)
        tiles, layer = pair.tiles, pair.layer
        first = self.first.base.lower(pair.first, pair.graph)
        x, filters = pair.graph.operands(pair.second)[:2]
        weights = records(layer, filters.constant).reshape(-1)
        fields: dict[str, FieldValue]
        if self.first.by_rows:
            fields = {f"conv.{name}": value for name, value in first.fields.items()}
            fields |= tiles.fields(0, x.zero_point)
        else:
            depth = pair.graph.operands(pair.first)[0].shape[3]
            kept = {name: first.fields[name] for name in ("words", "record", "weights")}
            fields = {**tiles.fields(depth, x.zero_point), **kept}
        scalars = 4 * tiles.geometry.channels * layer.routine.scalars
        return Lowered(
            self.first.struct, {**fields, "depthwise_weights": weights}, first.channel_bytes + scalars
        )

    def scratch(self, op: Op, graph: Graph) -> int:
        """What the convolution needs, then the planes."""
        pair = self.known(op, graph)
        return pair.planes + pair.tiles.buffer

    def overlaps(self, op: Op, graph: Graph) -> tuple[Overlap, ...]:
        pair = self.known(op, graph)
        operands = pair.graph.operands(pair.first)
        window, (_, height, width, depth) = pair.first.window(operands), operands[0].shape

        def first_byte(row: int) -> int:
            top = row * window.stride[0] - window.pads[0]
            return min(max(top, 0), height) * width * depth

        return (Overlap(0, "output", pair.tiles.lead(height * width * depth, first_byte)),)

    def features(self, op: Op, graph: Graph) -> Features:
        """Blocks, their pairs of channels and gathering; tiles and what they clear and move."""
        pair = self.known(op, graph)
        tiles, geometry = pair.tiles, pair.tiles.geometry
        height, width = geometry.input
        runs = [(first * width, (last - first) * width) for first, last in tiles.fills() if last > first]
        one_step = int(str(self.view_of_first(pair)["shift"])) >= 0
        found: dict[str, float]
        if self.first.by_rows:
            starts = [
                batch * height * width + first + at
                for batch in range(geometry.batches)
                for first, pixels in runs
                for at in (*range(0, pixels - 4, 4), pixels - 4)
            ]
            found, blocks = row_features(pair.first, pair.graph, starts, one_step=one_step), len(starts)
        else:
            blocks = geometry.batches * sum(-(-pixels // 4) for _, pixels in runs)
            found = pixel_features(pair.first, pair.graph, blocks, one_step=one_step)
        if pair.scattered:
            pairs = "pairs" if one_step else "double_pairs"
            found |= {"scattered_blocks": blocks, f"scattered_{pairs}": found[pairs]}
            del found[pairs]
        return {**found, **tiles.features(), "fills": geometry.batches * len(runs)}

    def routine_work(self, op: Op, graph: Graph) -> Work:
        """Of the depthwise routine, which is counted as it is."""
        pair = self.known(op, graph)
        return pair.tiles.work(pair.layer.routine)

    def code(self, op: Op, graph: Graph) -> int:
        """Code bytes of one variant: two routines and what calls them."""
        pair = self.known(op, graph)
        part = int(str(self.view_of_first(pair)["part"]))
        return 44 * part + 250 + 28 * pair.scattered + 4 * pair.layer.routine.code + self.first.code

    def specialize(self, op: Op, graph: Graph) -> Mapping[str, object]:
        pair = self.known(op, graph)
        layer, first = pair.layer, self.view_of_first(pair)
        view: dict[str, object] = {
            "conv": {name: first[name] for name in ("words", "part", "chunks", "shift")},
            "depth": pair.graph.operands(pair.first)[0].shape[3],
            "planes": "scattered" if pair.scattered else "row",
            "buffer": pair.planes,
            "depthwise": layer.view(pair.tiles.plane),
            "window": None,
        }
        text = repr(view)
        if self.first.by_rows:
            view["window"] = first["window"]
            text += str(first["variant"])
        return {**view, "variant": f"d{view['depth']}_{layer.variant(text)}"}

    def kernel(self) -> Kernel:
        return Kernel(
            symbol=f"tinyc_conv_depthwise_2d_s8_{self.name}__cortex_m4",
            op=ConvDepthwise2D,
            source="cortex_m4/conv_depthwise_2d_s8.c.j2",
            headers=(f"include/tinyc_{self.first.header}.h",),
            requires=frozenset({"dsp", "fpu"}),
            accepts=self.accepts,
            lower=self.lower,
            scratch=self.scratch,
            overlaps=self.overlaps,
            specialize=self.specialize,
            code=self.code,
            work=FittedWork(self.first.costs, self.features, self.routine_work),
        )


# `limit`: bytes of scratch that the tiles are made for.
KERNELS = (
    _Fused("least", _POINTWISE, 0).kernel(),
    _Fused("16k", _POINTWISE, 16 * 1024, 0).kernel(),
    _Fused("rows_least", _ROWS, 0).kernel(),
    _Fused("rows_16k", _ROWS, 16 * 1024, 0).kernel(),
)
