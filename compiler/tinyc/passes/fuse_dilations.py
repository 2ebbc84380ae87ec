"""Makes SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND the dilated convolution that they stand for.

TensorFlow may write dilated convolutions so. In those over one axis a RESHAPE before the convolution adds an
axis of one element, which another takes away.
"""

from __future__ import annotations

from tinyc.ir.graph import Graph
from tinyc.ir.ops import BatchToSpaceNd, Conv2D, DepthwiseConv2D, Op, Padding, Reshape, SpaceToBatchNd
from tinyc.ir.ops.common import quantization_mismatch
from tinyc.ir.tensor import Shape, Tensor, TensorName
from tinyc.passes.remove_dead import remove_dead
from tinyc.passes.rewrite import added_axis, fresh_name, uses


def fuse_dilations(graph: Graph) -> Graph:
    """Dilated convolutions as such. Where others read what is between the ops, they stay."""
    graph = _over_two_axes(graph)
    count = uses(graph)
    makers = {op.outputs[0]: op for op in graph.ops if count[op.outputs[0]] == 1}
    ops: list[Op] = []
    for op in graph.ops:
        inner = makers.get(op.inputs[0]) if isinstance(op, BatchToSpaceNd) else None
        outer = makers.get(inner.inputs[0]) if isinstance(inner, Conv2D | DepthwiseConv2D) else None
        dilated = None
        if isinstance(op, BatchToSpaceNd) and isinstance(outer, SpaceToBatchNd):
            assert isinstance(inner, Conv2D | DepthwiseConv2D)
            dilated = _dilated(outer, inner, op, graph)
        ops.append(dilated or op)
    return remove_dead(graph.rebuilt(ops=ops))


def _dilated(
    outer: SpaceToBatchNd, op: Conv2D | DepthwiseConv2D, back: BatchToSpaceNd, graph: Graph
) -> Op | None:
    """The convolution over the whole image; None where none is equal."""
    (x,), (y,) = graph.operands(outer), graph.results(back)
    window = op.window(graph.operands(op))
    if outer.block != back.block or window.stride != (1, 1) or any(window.pads):
        return None
    if quantization_mismatch((x,), graph.results(outer)) or quantization_mismatch(graph.results(op), (y,)):
        return None
    dilation = tuple(size * own for size, own in zip(outer.block, window.dilation, strict=True))
    pads: list[int] = []
    for axis in (0, 1):
        before = outer.margins[axis][0] - back.margins[axis][0]
        reach = (window.kernel[axis] - 1) * dilation[axis] + 1
        pads += (before, y.shape[1 + axis] - 1 + reach - x.shape[1 + axis] - before)
    if min(pads) < 0:
        return None
    return op.with_(
        inputs=(x.name, *op.inputs[1:]),
        outputs=back.outputs,
        dilation=dilation,
        padding=Padding.EXPLICIT,
        pads=tuple(pads),
    )


def _over_two_axes(graph: Graph) -> Graph:
    """Brings a RESHAPE that adds an axis before SPACE_TO_BATCH_ND, its inverse behind BATCH_TO_SPACE_ND."""
    tensors, count = dict(graph.tensors), uses(graph)
    makers = {op.outputs[0]: op for op in graph.ops if count[op.outputs[0]] == 1}
    ops: list[Op] = []
    for op in graph.ops:
        maker = makers.get(op.inputs[0]) if op.inputs else None
        if isinstance(op, Reshape) and isinstance(maker, SpaceToBatchNd):
            x, between, y = graph[maker.inputs[0]], graph[op.inputs[0]], graph[op.outputs[0]]
            if axis := _spatial_axis(between.shape, y.shape):
                wide = _with_axis(x, axis, tensors)
                ops.append(op.with_(inputs=(x.name,), outputs=(wide.name,), shape=wide.shape))
                ops.append(_over(maker, axis).with_(inputs=(wide.name,), outputs=op.outputs))
                continue
        if isinstance(op, BatchToSpaceNd) and isinstance(maker, Reshape):
            x, between, y = graph[maker.inputs[0]], graph[op.inputs[0]], graph[op.outputs[0]]
            if axis := _spatial_axis(between.shape, x.shape):
                wide = _with_axis(y, axis, tensors)
                ops.append(_over(op, axis).with_(inputs=(x.name,), outputs=(wide.name,)))
                ops.append(maker.with_(inputs=(wide.name,), outputs=op.outputs, shape=y.shape))
                continue
        ops.append(op)
    return remove_dead(graph.rebuilt(ops=ops, tensors=tensors))


def _spatial_axis(narrow: Shape, wide: Shape) -> int | None:
    """1 or 2 where `wide`, of rank 4, has an axis of one element there that `narrow` has not."""
    axis = added_axis(narrow, wide)
    return axis if axis in (1, 2) and len(wide) == 4 else None


def _with_axis(tensor: Tensor, axis: int, tensors: dict[TensorName, Tensor]) -> Tensor:
    """The tensor under a shape with an axis of one element more, added to `tensors`."""
    shape = (*tensor.shape[:axis], 1, *tensor.shape[axis:])
    wide = tensor.with_(name=fresh_name(tensors, f"{tensor.name}_with_axis"), shape=shape, data=None)
    tensors[wide.name] = wide
    return wide


def _over(op: SpaceToBatchNd | BatchToSpaceNd, axis: int) -> Op:
    """The op over height and width, of which `axis` is the one of one element."""
    place = axis - 1
    return op.with_(
        block=(*op.block[:place], 1, *op.block[place:]),
        margins=(*op.margins[:place], (0, 0), *op.margins[place:]),
    )
