"""Extents that a file leaves open, as converters do with the batch.

TensorFlow Lite computes them when it runs. The shapes that the file stores guess 1 there, also where the
batch has become another: behind SPACE_TO_BATCH_ND, or where axes were joined with it.
"""

from __future__ import annotations

import math

from tinyc.frontends.tflite_node import Node
from tinyc.ir.tensor import DType, Shape, Tensor


def fits(shape: Shape, declared: Shape, open_axes: frozenset[int]) -> bool:
    """Whether `shape` is the declared one but for open axes."""
    return len(shape) == len(declared) and all(
        extent == stored or (axis in open_axes and extent > 0)
        for axis, (extent, stored) in enumerate(zip(shape, declared, strict=True))
    )


def reshaped(node: Node, x: Tensor) -> Shape:
    """The shape of the result of RESHAPE, SQUEEZE or EXPAND_DIMS.

    That is the declared one where it has as many elements, which already knows what the shape input or option
    may leave out as -1. Else an open axis takes the elements, or the constant shape input says it.
    """
    declared, (open_axes, *_) = node.results[0].shape, (*node.open_axes, frozenset())
    if math.prod(declared) == x.elements or not open_axes:
        return declared
    wanted = _wanted(node, x.elements) if node.kind == "RESHAPE" else None
    if wanted is not None and fits(wanted, declared, open_axes):
        return wanted
    if len(open_axes) == 1:
        return _filled(declared, min(open_axes), x.elements)
    return declared


def _wanted(node: Node, elements: int) -> Shape | None:
    """The constant shape input, its one -1 filled in."""
    shape = node.inputs[1] if len(node.inputs) > 1 else None
    if shape is None or shape.data is None or shape.dtype not in (DType.INT32, DType.INT64):
        return None
    extents = tuple(int(extent) for extent in shape.data.reshape(-1))
    return _filled(extents, extents.index(-1), elements) if extents.count(-1) == 1 else extents


def _filled(shape: Shape, axis: int, elements: int) -> Shape:
    others = math.prod(extent for other, extent in enumerate(shape) if other != axis)
    extent = elements // others if others > 0 else 0
    return (*shape[:axis], extent, *shape[axis + 1 :])
