"""Decoders of the operators that pick or repeat elements, by constant positions or by indices at run time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyc.frontends.tflite_chain import Steps
from tinyc.frontends.tflite_movement import paddings_of
from tinyc.frontends.tflite_node import Chain, Decoder, Node, Reject, bounded, normal_axis, present
from tinyc.ir.ops import Gather, GatherNd, Op, Reshape, Take
from tinyc.ir.tensor import Array, Shape, Tensor


def _mirror_pad(node: Node) -> Op:
    """A border that repeats the elements next to it, without those at the edge or with them."""
    x = present(node, 2, 2)[0]
    symmetric = bool(node.option("MirrorPadOptions", "Mode", 0))
    indices = []
    for axis, (extent, pair) in enumerate(zip(x.shape, paddings_of(node, x), strict=True)):
        most = extent if symmetric else extent - 1
        if not 0 <= min(pair) <= max(pair) <= most:
            raise Reject(f"paddings {list(pair)} of axis {axis}", f"0 .. {most}")
        indices.append(np.pad(places(extent), pair, mode="symmetric" if symmetric else "reflect"))
    return Take(**node.common(x), indices=positions(indices))


def places(extent: int) -> Array:
    """0, 1, ... along an axis. Rejects one that is too long to be written down."""
    return np.arange(bounded(extent, "an extent"))


def positions(indices: Sequence[Array]) -> tuple[tuple[int, ...], ...]:
    """The field of a TAKE: one tuple per axis."""
    return tuple(tuple(map(int, along)) for along in indices)


def _broadcast_to(node: Node) -> Op | Chain:
    x, shape, steps = present(node, 2, 2)[0], node.results[0].shape, Steps(node)
    if len(shape) < len(x.shape):
        raise Reject(f"shape {list(x.shape)} does not broadcast to {list(shape)}")
    return _repeated(steps, x, shape)


def _repeated(steps: Steps, x: Tensor, shape: Shape) -> Op | Chain:
    """`x` broadcast to `shape`, whose rank is at least its own."""
    full = (1,) * (len(shape) - len(x.shape)) + x.shape
    if any(extent not in (1, target) for extent, target in zip(full, shape, strict=True)):
        raise Reject(f"shape {list(x.shape)} does not broadcast to {list(shape)}")
    indices = [places(t) % extent for extent, t in zip(full, shape, strict=True)]
    return steps.last(Take, steps.viewed(x, full), indices=positions(indices))


def _tile(node: Node) -> Op:
    x, times = present(node, 2, 2)[0], node.integers(1, "multiples")
    if len(times) != len(x.shape):
        raise Reject(f"{len(times)} multiples of an input of rank {len(x.shape)}")
    indices = [places(extent * count) % extent for extent, count in zip(x.shape, times, strict=True)]
    return Take(**node.common(x), indices=positions(indices))


def _fill(node: Node) -> Op | Chain:
    """One value everywhere, which may be known at run time only."""
    value = present(node, 2, 2)[1]
    if value.elements != 1:
        raise Reject(f"fills with {value.elements} values", "one")
    return _repeated(Steps(node), value, node.results[0].shape)


def _zeros_like(node: Node) -> Op | Chain:
    steps, (result,) = Steps(node), node.results
    zero = steps.constant(result.with_(shape=(), data=np.zeros((), result.dtype.numpy)))
    return _repeated(steps, zero, result.shape)


def _gather(node: Node) -> Op | Chain:
    x, indices = present(node, 2, 2)
    kind = "GatherOptions"
    axis = normal_axis(int(node.option(kind, "Axis", 0)), len(x.shape))
    batch_dims = int(node.option(kind, "BatchDims", 0))
    if batch_dims < 0:
        batch_dims += len(indices.shape)
    if indices.data is None or x.is_constant:
        return Gather(**node.common(x, indices), axis=axis, batch_dims=batch_dims)
    if not 0 <= batch_dims <= min(axis, len(indices.shape)):
        raise Reject(f"{batch_dims} batch axes before axis {axis}")
    # Every batch and plane has its own rows in one long axis.
    batches, extent = math.prod(x.shape[:batch_dims]), x.shape[axis]
    planes = math.prod(x.shape[batch_dims:axis]) if batch_dims else 1
    rows = indices.data.reshape(batches, 1, -1)
    _check_inside(rows, extent)
    bounded(planes * rows.size, "the number of slices")
    rows = rows + extent * places(batches * planes).reshape(batches, planes, 1)
    before = () if batch_dims else x.shape[:axis]
    return _rows_taken(node, x, before, rows.reshape(-1), x.shape[axis + 1 :])


def _gather_nd(node: Node) -> Op | Chain:
    x, indices = present(node, 2, 2)
    if indices.data is None or x.is_constant:
        return GatherNd(**node.common(x, indices))
    depth = indices.shape[-1] if indices.shape else 0
    if not 1 <= depth <= len(x.shape):
        raise Reject(f"indices of shape {list(indices.shape)} for an input of rank {len(x.shape)}")
    _check_inside(indices.data, x.shape[:depth])
    rows = np.ravel_multi_index(tuple(np.moveaxis(indices.data, -1, 0)), x.shape[:depth])
    return _rows_taken(node, x, (), rows.reshape(-1), x.shape[depth:])


def _check_inside(indices: Array, extent: int | Shape) -> None:
    if (indices < 0).any() or (indices >= np.array(extent)).any():
        raise Reject(f"an index is outside of {extent}", "indices that count from 0")


def _rows_taken(node: Node, x: Tensor, before: Shape, rows: Array, after: Shape) -> Op | Chain:
    """The rows of `x`, seen as [before, all rows, after]."""
    steps = Steps(node)
    count = x.elements // math.prod((*before, *after))
    seen = steps.viewed(x, (*before, count, *after))
    whole = [places(extent) for extent in (*before, *after)]
    whole.insert(len(before), rows)
    indices = positions(whole)
    if (shape := node.results[0].shape) == tuple(map(len, indices)):
        return steps.last(Take, seen, indices=indices)
    return steps.last(Reshape, steps.add(Take, seen, indices=indices), shape=shape)


def _embedding_lookup(node: Node) -> Op:
    ids, table = present(node, 2, 2)
    return Gather(**node.common(table, ids), axis=0)


DECODERS: dict[str, Decoder] = {
    "BROADCAST_TO": _broadcast_to,
    "EMBEDDING_LOOKUP": _embedding_lookup,
    "FILL": _fill,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "MIRROR_PAD": _mirror_pad,
    "TILE": _tile,
    "ZEROS_LIKE": _zeros_like,
}
