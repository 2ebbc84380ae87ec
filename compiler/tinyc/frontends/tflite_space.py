"""Decoders of the operators that resize images, or trade height and width for channels or batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyc.frontends.tflite_chain import Steps
from tinyc.frontends.tflite_node import Chain, Decoder, Node, Reject, bounded, present
from tinyc.frontends.tflite_take import places, positions
from tinyc.ir.ops import BatchToSpaceNd, Op, Reshape, ResizeBilinear, SpaceToBatchNd, Take, Transpose
from tinyc.ir.tensor import Array


def _block(node: Node, options_type: str) -> int:
    size = int(node.option(options_type, "BlockSize", 0))
    if size < 1 or len(node.operand(0).shape) != 4:
        raise Reject(f"block {size}, input of rank {len(node.operand(0).shape)}", "a positive block, rank 4")
    return size


def _space_to_depth(node: Node) -> Op | Chain:
    size, (x,), steps = _block(node, "SpaceToDepthOptions"), present(node, 1, 1), Steps(node)
    batch, height, width, channels = x.shape
    if height % size or width % size:
        raise Reject(f"blocks of {size} in {height}x{width} pixels", "whole blocks")
    seen = steps.viewed(x, (batch, height // size, size, width // size, size, channels))
    moved = steps.add(Transpose, seen, permutation=(0, 1, 3, 2, 4, 5))
    return steps.last(Reshape, moved, shape=node.results[0].shape)


def _depth_to_space(node: Node) -> Op | Chain:
    size, (x,), steps = _block(node, "DepthToSpaceOptions"), present(node, 1, 1), Steps(node)
    batch, height, width, channels = x.shape
    if channels % size**2:
        raise Reject(f"blocks of {size} from {channels} channels", "whole blocks")
    seen = steps.viewed(x, (batch, height, width, size, size, channels // size**2))
    moved = steps.add(Transpose, seen, permutation=(0, 1, 3, 2, 4, 5))
    return steps.last(Reshape, moved, shape=node.results[0].shape)


def _blocks(op: Callable[..., Op], margins: str) -> Decoder:
    def decode(node: Node) -> Op:
        x, block = present(node, 3, 3)[0], node.integers(1, "block")
        values = node.integers(2, margins)
        pairs = tuple(zip(values[::2], values[1::2], strict=True))
        return op(**node.common(x), block=block, margins=pairs)

    return decode


def _size(node: Node) -> tuple[int, int]:
    x, size = present(node, 2, 2)[0], node.integers(1, "size")
    if len(size) != 2 or len(x.shape) != 4:
        raise Reject(f"size {list(size)} of an input of rank {len(x.shape)}", "height and width, rank 4")
    return bounded(size[0], "the height"), bounded(size[1], "the width")


def _resize_bilinear(node: Node) -> Op:
    kind = "ResizeBilinearOptions"
    return ResizeBilinear(
        size=_size(node),
        align_corners=bool(node.option(kind, "AlignCorners", False)),
        half_pixel_centers=bool(node.option(kind, "HalfPixelCenters", False)),
        **node.common(node.operand(0)),
    )


def _resize_nearest(node: Node) -> Op:
    kind, x = "ResizeNearestNeighborOptions", node.operand(0)
    corners, centers = (bool(node.option(kind, f, False)) for f in ("AlignCorners", "HalfPixelCenters"))
    size = _size(node)
    indices = [places(extent) for extent in x.shape]
    for axis in (0, 1):
        indices[1 + axis] = _nearest(x.shape[1 + axis], size[axis], corners, centers)
    return Take(**node.common(x), indices=positions(indices))


def _nearest(source: int, target: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    """Positions along one axis, in float32 as TensorFlow Lite's `GetNearestNeighbor` computes them."""
    scale = np.float32(source) / np.float32(target)
    if align_corners and target > 1:
        scale = np.float32(source - 1) / np.float32(target - 1)
    at = (np.arange(target, dtype=np.float32) + np.float32(0.5 if half_pixel_centers else 0)) * scale
    # Halves round up, exactly: the sum is in float64.
    whole = np.floor(at.astype(np.float64) + 0.5) if align_corners else np.floor(at)
    return np.asarray(np.clip(whole.astype(np.int64), 0, source - 1))


DECODERS: dict[str, Decoder] = {
    "BATCH_TO_SPACE_ND": _blocks(BatchToSpaceNd, "crops"),
    "DEPTH_TO_SPACE": _depth_to_space,
    "RESIZE_BILINEAR": _resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "SPACE_TO_BATCH_ND": _blocks(SpaceToBatchNd, "paddings"),
    "SPACE_TO_DEPTH": _space_to_depth,
}
