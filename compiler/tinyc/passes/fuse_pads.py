"""Moves a PAD of height and width into the convolution that reads it.

Between the PAD and the convolution of a 1-D network stands a RESHAPE that adds an axis.
"""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, DepthwiseConv2D, Op, Pad, Padding, PadV2, Reshape
from tinyc.ir.ops.common import quantization_mismatch
from tinyc.passes.remove_dead import remove_dead
from tinyc.passes.rewrite import added_axis, fresh_name, uses


def fuse_pads(graph: Graph) -> Graph:
    """Convolutions pad by themselves. A PAD that others read too stays for them."""
    graph = _behind_reshapes(graph)
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


def _behind_reshapes(graph: Graph) -> Graph:
    """A PAD read only by a RESHAPE that adds an axis of one element comes after it instead."""
    count, tensors = uses(graph), dict(graph.tensors)
    pads = {op.outputs[0]: op for op in graph.ops if isinstance(op, Pad) and count[op.outputs[0]] == 1}
    ops: list[Op] = []
    for op in graph.ops:
        pad = pads.get(op.inputs[0]) if isinstance(op, Reshape) else None
        axis = added_axis(graph[pad.outputs[0]].shape, graph[op.outputs[0]].shape) if pad else None
        if pad is None or axis is None:
            ops.append(op)
            continue
        (x,) = graph.operands(pad)
        shape = (*x.shape[:axis], 1, *x.shape[axis:])
        reshaped = x.with_(name=fresh_name(tensors, f"{pad.outputs[0]}_unpadded"), shape=shape)
        tensors[reshaped.name] = reshaped
        ops.append(Reshape(name=op.name, inputs=(x.name,), outputs=(reshaped.name,), shape=shape))
        paddings = (*pad.paddings[:axis], (0, 0), *pad.paddings[axis:])
        ops.append(pad.with_(inputs=(reshaped.name,), outputs=op.outputs, paddings=paddings))
    moved = graph.rebuilt(ops=ops, tensors=tensors)
    return remove_dead(moved)


def _is_spatial(op: Pad, graph: Graph) -> bool:
    """True when only height and width of an activation grow, filled with its own zero point."""
    if isinstance(op, PadV2) or len(op.paddings) != 4 or any(op.paddings[0]) or any(op.paddings[3]):
        return False
    (x,) = graph.operands(op)
    return not x.is_constant and not quantization_mismatch((x,), graph.results(op))
