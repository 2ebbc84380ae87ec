"""How the axes of an ONNX tensor lie in memory.

ONNX tensors are channels-first, tinyc's kernels take channels-last. A value of the file keeps the order of
its axes beside it, so that a change of layout is an operator only where it cannot be avoided.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from tinyc.ir.tensor import Array, Shape

# Entry i is the axis of the ONNX tensor that lies at place i; ADDED is an axis of extent 1 that ONNX has not.
Order: TypeAlias = tuple[int, ...]
ADDED = -1


def plain(rank: int) -> Order:
    """The order of the file itself."""
    return tuple(range(rank))


def channels_last(rank: int) -> Order:
    """[batch, channels, ...] with the channels last."""
    return (0, *range(2, rank), 1)


def image(rank: int) -> Order:
    """Channels-last with height and width: a sequence [batch, channels, length] gets a height of 1."""
    return (0, ADDED, 2, 1) if rank == 3 else channels_last(rank)


def stored_shape(shape: Shape, order: Order) -> Shape:
    """The extents in memory of an ONNX tensor of `shape`."""
    return tuple(1 if axis == ADDED else shape[axis] for axis in order)


def onnx_shape(stored: Shape, order: Order) -> Shape:
    """The ONNX shape of what lies in memory as `stored`."""
    extents = {axis: extent for axis, extent in zip(order, stored, strict=True) if axis != ADDED}
    return tuple(extents[axis] for axis in range(len(extents)))


def own_axes(order: Order) -> Order:
    """The order without added axes."""
    return tuple(axis for axis in order if axis != ADDED)


def same_elements(shape: Shape, left: Order, right: Order) -> bool:
    """True when both orders put the elements of an ONNX tensor of `shape` into the same sequence."""
    a, b = ([axis for axis in order if axis != ADDED and shape[axis] != 1] for order in (left, right))
    return a == b


def without_axes(order: Order, removed: tuple[int, ...]) -> Order:
    """The order after some axes are gone, the others renumbered; added axes stay."""
    kept = [axis for axis in sorted(own_axes(order)) if axis not in removed]
    number = {axis: place for place, axis in enumerate(kept)}
    return tuple(number.get(axis, ADDED) for axis in order if axis == ADDED or axis in number)


def arranged(data: Array, order: Order, wanted: Order) -> Array:
    """`data` that lies in `order`, moved into `wanted`."""
    plain_axes = own_axes(order)
    bare = data.reshape([extent for axis, extent in zip(order, data.shape, strict=True) if axis != ADDED])
    moved = bare.transpose([plain_axes.index(axis) for axis in own_axes(wanted)])
    return np.asarray(moved.reshape(stored_shape(onnx_shape(data.shape, order), wanted)), order="C")


def groups(old: Shape, new: Shape) -> list[tuple[Order, Order]]:
    """Which axes of a shape become which of another one with as many elements, in the smallest groups."""
    found: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) and j < len(new):
        left, right, a, b = [i], [j], old[i], new[j]
        i, j = i + 1, j + 1
        while a != b:
            if a < b:
                left.append(i)
                a, i = a * old[i], i + 1
            else:
                right.append(j)
                b, j = b * new[j], j + 1
        found.append((left, right))
    if not found:
        found.append(([], []))
    # Only axes of extent 1 are left over.
    found[-1][0].extend(range(i, len(old)))
    found[-1][1].extend(range(j, len(new)))
    return [(tuple(left), tuple(right)) for left, right in found]


def first_place(shape: Shape, order: Order, axes: Order) -> int:
    """Where in memory the first of `axes` lies that has more than one element, else the first at all."""
    places = [order.index(axis) for axis in axes if shape[axis] != 1] or [order.index(axis) for axis in axes]
    return min(places, default=-1)
