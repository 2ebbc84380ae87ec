"""A pointwise CONV_2D and the DEPTHWISE_CONV_2D after it in one kernel for ARMv7E-M with an FPU.

The convolution is that of `cortex_m4_blocks`, but stores into planes of int16; the depthwise layer is that
of `cortex_m4_depthwise` over all channels of some rows. The tensor between them does not exist. Kernels
differ in their scratch alone, which decides how many rows are computed together.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.kernels import cortex_m4_blocks, portable_convolution
from tinyc.kernels.blocks_work import pixel_features
from tinyc.kernels.cortex_m4_depthwise import PlanarLayer, records, requantization_of
from tinyc.kernels.cortex_m4_sliding import routine_view
from tinyc.kernels.depthwise_geometry import geometries
from tinyc.kernels.features import Features
from tinyc.kernels.kernel import FieldValue, Kernel, Lowered, Overlap, Work
from tinyc.kernels.sliding_planes import Tiles, best_tiles
from tinyc.kernels.work import FittedWork

POINTWISE = next(k for k in cortex_m4_blocks.KERNELS if k.symbol == "tinyc_conv_2d_s8_1x1_2x4__cortex_m4")
# The kernels run the same code.
_COSTS = "tinyc_conv_depthwise_2d_s8__cortex_m4"
# The function around the assembly, and one block's gathering.
_DRIVER_CODE = 240


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both layers, in the graph of them alone."""

    graph: Graph
    first: Conv2D
    second: DepthwiseConv2D
    tiles: Tiles
    layer: PlanarLayer

    @property
    def scattered(self) -> bool:
        """Whether the pixels of a block may lie in two rows."""
        return self.tiles.geometry.input[1] % 4 != 0

    @property
    def panel(self) -> int:
        return _panel(self.first, self.graph)

    @property
    def view(self) -> Mapping[str, object]:
        """What the convolution's template needs."""
        assert POINTWISE.specialize is not None
        return POINTWISE.specialize(self.first, self.graph)


def _panel(first: Op, graph: Graph) -> int:
    return POINTWISE.scratch(first, graph)


def _tiles(op: Op, graph: Graph, limit: int) -> tuple[Graph, Tiles] | None:
    """The graph of both layers and their tiles, where the tiles are all that could be in the way."""
    assert isinstance(op, ConvDepthwise2D)
    first, second = op.parts
    pair = graph.rebuilt(ops=op.parts, tensors=[op.intermediate], inputs=first.inputs[:1], outputs=op.outputs)
    x, filters = pair.operands(second)[:2]
    if not POINTWISE.accepts(first, pair) or not portable_convolution.accepts(second, pair):
        return None
    # A single channel would be a pair with itself, in one plane.
    if filters.shape[3] != x.shape[3] or x.shape[3] == 1:
        return None
    tiles = best_tiles(next(geometries(second, pair)), _panel(first, pair), limit)
    if tiles is None or any(0 < (last - start) * x.shape[2] < 4 for start, last in tiles.fills()):
        return None
    return pair, tiles


def _pair(op: Op, graph: Graph, limit: int) -> _Pair | None:
    """None where the kernel cannot compute it."""
    found = _tiles(op, graph, limit)
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
    return _Pair(pair, first, second, tiles, PlanarLayer(tiles.geometry, routine, scalars))


def _accepts(op: Op, graph: Graph, *, limit: int, smaller: int | None) -> bool:
    """Only where more scratch than that of the `smaller` kernel makes a difference."""
    found = _tiles(op, graph, limit)
    if found is None or (smaller is not None and _tiles(op, graph, smaller) == found):
        return False
    return _pair(op, graph, limit) is not None


def _known(op: Op, graph: Graph, limit: int) -> _Pair:
    pair = _pair(op, graph, limit)
    assert pair is not None
    return pair


def _lower(op: Op, graph: Graph, *, limit: int) -> Lowered:
    pair = _known(op, graph, limit)
    tiles, layer = pair.tiles, pair.layer
    first = POINTWISE.lower(pair.first, pair.graph)
    x, filters = pair.graph.operands(pair.second)[:2]
    depth = pair.graph.operands(pair.first)[0].shape[3]
    fields: dict[str, FieldValue] = {
        **tiles.fields(depth, x.zero_point),
        "words": first.fields["words"],
        "record": first.fields["record"],
        "weights": first.fields["weights"],
        "depthwise_weights": records(layer, filters.constant).reshape(-1),
    }
    scalars = 4 * tiles.geometry.channels * layer.routine.scalars
    return Lowered("tinyc_conv_depthwise", fields, first.channel_bytes + scalars)


def _scratch(op: Op, graph: Graph, *, limit: int) -> int:
    """The panel, then the planes."""
    pair = _known(op, graph, limit)
    return pair.panel + pair.tiles.buffer


def _overlaps(op: Op, graph: Graph, *, limit: int) -> tuple[Overlap, ...]:
    pair = _known(op, graph, limit)
    (x,) = pair.graph.activations(pair.first)
    return (Overlap(0, "output", pair.tiles.lead(x.shape[2] * x.shape[3])),)


def _features(op: Op, graph: Graph, *, limit: int) -> Features:
    """Blocks, their pairs of channels and gathering; tiles and what they clear and move."""
    pair = _known(op, graph, limit)
    tiles, geometry = pair.tiles, pair.tiles.geometry
    runs = [(last - first) * geometry.input[1] for first, last in tiles.fills()]
    blocks = geometry.batches * sum(-(-pixels // 4) for pixels in runs)
    one_step = int(str(pair.view["shift"])) >= 0
    found = pixel_features(pair.first, pair.graph, blocks, one_step=one_step)
    if pair.scattered:
        pairs = "pairs" if one_step else "double_pairs"
        found |= {"scattered_blocks": blocks, f"scattered_{pairs}": found[pairs]}
        del found[pairs]
    return {**found, **tiles.features(), "fills": geometry.batches * sum(pixels > 0 for pixels in runs)}


def _routine_work(op: Op, graph: Graph, *, limit: int) -> Work:
    """Of the depthwise routine, which is counted as it is."""
    pair = _known(op, graph, limit)
    return pair.tiles.work(pair.layer.routine)


def _code(op: Op, graph: Graph, *, limit: int) -> int:
    """Code bytes of one variant: two routines and what calls them."""
    pair = _known(op, graph, limit)
    assert POINTWISE.code is not None
    blocks = POINTWISE.code(pair.first, pair.graph) + (28 if pair.scattered else 8)
    return blocks + 4 * pair.layer.routine.code + _DRIVER_CODE


def _specialize(op: Op, graph: Graph, *, limit: int) -> Mapping[str, object]:
    pair = _known(op, graph, limit)
    layer = pair.layer
    view: dict[str, object] = {
        "conv": {name: pair.view[name] for name in ("words", "part", "chunks", "shift")},
        "depth": pair.graph.operands(pair.first)[0].shape[3],
        "planes": "scattered" if pair.scattered else "row",
        "depthwise": routine_view(pair.tiles, layer),
    }
    kernel, stride = layer.geometry.kernel, layer.geometry.stride
    names = (f"d{view['depth']}", f"{kernel[0]}x{kernel[1]}", f"s{stride[1]}", f"w{layer.geometry.output[1]}")
    return {**view, "variant": "_".join((*names, f"{zlib.crc32(repr(view).encode()):08x}"))}


def _kernel(name: str, limit: int, smaller: int | None = None) -> Kernel:
    return Kernel(
        symbol=f"tinyc_conv_depthwise_2d_s8_{name}__cortex_m4",
        op=ConvDepthwise2D,
        source="cortex_m4/conv_depthwise_2d_s8.c.j2",
        headers=("include/tinyc_conv_depthwise.h",),
        requires=frozenset({"dsp", "fpu"}),
        accepts=partial(_accepts, limit=limit, smaller=smaller),
        lower=partial(_lower, limit=limit),
        scratch=partial(_scratch, limit=limit),
        overlaps=partial(_overlaps, limit=limit),
        specialize=partial(_specialize, limit=limit),
        code=partial(_code, limit=limit),
        work=FittedWork(_COSTS, partial(_features, limit=limit), partial(_routine_work, limit=limit)),
    )


# Bytes of scratch that the tiles are made for.
KERNELS = (_kernel("least", 0), _kernel("16k", 16 * 1024, 0))
