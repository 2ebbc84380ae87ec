"""Moves a PAD of height and width into the convolution that reads it."""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, DepthwiseConv2D, Op, Pad, Padding
from tinyc.ir.ops.common import quantization_mismatch
from tinyc.passes.remove_dead import remove_dead


def fuse_pads(graph: Graph) -> Graph:
    """Convolutions pad by themselves. A PAD that others read too stays for them."""
    pads: dict[str, Pad] = {}
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Pad) and _is_spatial(op, graph):
            pads[op.outputs[0]] = op
        if isinstance(op, Conv2D | DepthwiseConv2D) and (pad := pads.get(op.inputs[0])) is not None:
            inner = op.window(graph.operands(op)).pads
            outer = (*pad.paddings[1], *pad.paddings[2])
            top, bottom, left, right = (a + b for a, b in zip(inner, outer, strict=True))
            op = op.with_(
                inputs=(pad.inputs[0], *op.inputs[1:]),
                padding=Padding.EXPLICIT,
                pads=(top, bottom, left, right),
            )
        ops.append(op)
    return remove_dead(graph.rebuilt(ops=ops))


def _is_spatial(op: Pad, graph: Graph) -> bool:
    """True when only height and width of an activation grow, filled with its own zero point."""
    if len(op.paddings) != 4 or any(op.paddings[0]) or any(op.paddings[3]):
        return False
    (x,) = graph.operands(op)
    return not x.is_constant and not quantization_mismatch((x,), graph.results(op))
