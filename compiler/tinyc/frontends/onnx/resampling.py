"""Operators that pick elements by positions known now, change resolution, or swap it for channels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinyc.frontends.onnx import layout
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.value import Value
from tinyc.frontends.reject import Reject
from tinyc.ir.ops import Reshape, ResizeBilinear, Take, Transpose
from tinyc.ir.tensor import Array, Shape

_MOST_POSITIONS = 1 << 16


def _checked(extent: int) -> int:
    """An extent of a result, before anything of that size is made. Raises Reject for a large one."""
    if not 1 <= extent <= _MOST_POSITIONS:
        raise Reject(f"an extent of {extent}", f"1 to {_MOST_POSITIONS}")
    return extent


def _taken(layer: Layer, x: Value, positions: dict[int, Array], suffix: str = "") -> Value:
    """The elements of x at `positions` along some axes of the file, all of the others."""
    indices = [range(extent) for extent in x.tensor.shape]
    picked = {x.place(axis): [int(at) for at in places] for axis, places in positions.items()}
    return layer.emit(
        Take,
        [x],
        x.order,
        suffix,
        indices=tuple(tuple(picked.get(place, every)) for place, every in enumerate(indices)),
    )


def gather(layer: Layer) -> Value:
    """Gather by constant indices."""
    x, axis = layer.operand(0), layer.node.integer("axis", 0)
    extent = x.tensor.shape[x.place(axis)]
    indices = layer.array(1, "indices").astype(np.int64)
    _checked(indices.size)
    if indices.min() < -extent or indices.max() >= extent:
        raise Reject(f"indices outside of an extent of {extent}", "indices that exist")
    axis %= x.rank
    taken = _taken(layer, x, {axis: indices.reshape(-1) % extent}, "/taken")
    return layer.reshaped(taken, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def tile(layer: Layer) -> Value:
    x, repeats = layer.operand(0), layer.integers(1, "repeats")
    if len(repeats) != x.rank or min(repeats, default=1) < 1:
        raise Reject(f"repeats {list(repeats)} for shape {list(x.shape)}", "one number for each axis")
    sizes = [_checked(extent * times) for extent, times in zip(x.shape, repeats, strict=True)]
    positions = {axis: np.arange(size) % x.shape[axis] for axis, size in enumerate(sizes)}
    return _taken(layer, x, positions)


def expand(layer: Layer) -> Value:
    """Expand: axes of extent 1 repeat their element."""
    x, wanted = layer.operand(0), layer.integers(1, "shape")
    try:
        shape = np.broadcast_shapes(x.shape, wanted)
    except ValueError as error:
        raise Reject(f"shape {list(wanted)} for {list(x.shape)}", "a shape that broadcasts") from error
    x = layer.reshaped(x, (*(1,) * (len(shape) - x.rank), *x.shape))
    wide = [axis for axis, extent in enumerate(shape) if extent != x.shape[axis]]
    return _taken(layer, x, {axis: np.zeros(_checked(shape[axis]), int) for axis in wide})


def repeat_border(layer: Layer, x: Value, pads: dict[int, tuple[int, int]], mode: str) -> Value:
    """Pad whose border repeats elements: `reflect`, `edge` or `wrap`."""
    positions = {}
    for axis, pair in pads.items():
        own = np.arange(x.shape[axis])
        _checked(len(own) + sum(pair))
        if mode == "reflect" and max(pair) >= len(own) > 1:
            raise Reject(f"reflects {max(pair)} of {len(own)} elements", "fewer than there are")
        positions[axis] = np.pad(own, pair, mode=mode)  # type: ignore[call-overload]
    return _taken(layer, x, positions)


def _sizes(layer: Layer, x: Value) -> tuple[Shape, tuple[float, ...]]:
    """(extents of the result, scales) along every axis of a Resize or Upsample."""
    node = layer.node
    at = 1 if node.op == "Upsample" or node.opset < 11 else 2
    axes = node.integers("axes") or tuple(range(x.rank))
    if any(not 0 <= axis < x.rank for axis in axes):
        raise Reject(f"axes {list(axes)}", "axes that exist")
    extents, scales = list(x.shape), [1.0] * x.rank
    given = layer.optional(at + 1) if at == 2 else None
    if given is not None and given.tensor.elements:
        if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise Reject("keeps the aspect ratio", "the policy stretch")
        for axis, size in zip(axes, layer.integers(at + 1, "sizes"), strict=True):
            extents[axis], scales[axis] = size, size / x.shape[axis]
    else:
        for axis, scale in zip(axes, layer.array(at, "scales").reshape(-1), strict=True):
            extents[axis], scales[axis] = math.floor(x.shape[axis] * float(scale)), float(scale)
    return tuple(map(_checked, extents)), tuple(scales)


def resize(layer: Layer) -> Value:
    """Resize and Upsample of images: nearest at any positions, linear as TensorFlow Lite has it."""
    x, node = layer.operand(0), layer.node
    extents, scales = _sizes(layer, x)
    mode = node.text("mode", "nearest")
    old = node.op == "Upsample" or node.opset < 11
    where = "asymmetric" if old else node.text("coordinate_transformation_mode", "half_pixel")
    changed = [axis for axis in range(x.rank) if extents[axis] != x.shape[axis]]
    if mode == "nearest":
        rounding = "floor" if old else node.text("nearest_mode", "round_prefer_floor")
        return _taken(
            layer,
            x,
            {axis: _nearest(x.shape[axis], extents[axis], scales[axis], where, rounding) for axis in changed},
        )
    if mode != "linear" or x.rank not in (3, 4) or not {0, 1}.isdisjoint(changed):
        raise Reject(f"mode {mode} of an input of rank {x.rank}", "nearest, or linear on images")
    if node.integer("antialias", 0):
        raise Reject("antialias", "no antialias")
    for axis in changed:
        if not math.isclose(extents[axis], x.shape[axis] * scales[axis], abs_tol=1e-6):
            raise Reject(f"scales {x.shape[axis]} by {scales[axis]:g}", "a whole extent of the result")
    order = layout.image(x.rank)
    height, width = (1, *extents[2:])[-2:]
    centers = where == "half_pixel" or (where == "pytorch_half_pixel" and min(height, width) > 1)
    if not centers and where not in ("asymmetric", "align_corners"):
        raise Reject(f"positions by {where}", "half_pixel, asymmetric, align_corners")
    return layer.emit(
        ResizeBilinear,
        [layer.arranged(x, order)],
        order,
        size=(height, width),
        align_corners=where == "align_corners",
        half_pixel_centers=centers,
    )


def _nearest(source: int, target: int, scale: float, where: str, rounding: str) -> Array:
    """The position in the input of each of the result's."""
    at = np.arange(target, dtype=np.float64)
    if where == "half_pixel" or (where == "pytorch_half_pixel" and target > 1):
        at = (at + 0.5) / scale - 0.5
    elif where == "pytorch_half_pixel":
        at = at * 0.0
    elif where == "align_corners":
        at = at * (source - 1) / max(target - 1, 1)
    elif where == "asymmetric":
        at = at / scale
    else:
        raise Reject(f"positions by {where}", "half_pixel, asymmetric, align_corners")
    functions: dict[str, Callable[[Array], Array]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda p: np.ceil(p - 0.5),
        "round_prefer_ceil": lambda p: np.floor(p + 0.5),
    }
    if rounding not in functions:
        raise Reject(f"nearest_mode is {rounding}", ", ".join(functions))
    return np.asarray(np.clip(functions[rounding](at), 0, source - 1), int)


def depth_to_space(layer: Layer) -> Value:
    """DepthToSpace on channels-last elements: one TRANSPOSE."""
    x, block, dcr = _blocks(layer)
    batch, height, width, depth = x.tensor.shape
    if depth % block**2:
        raise Reject(f"{depth} channels in blocks of {block}x{block}", "a multiple of the block")
    rest = depth // block**2
    apart = (block, block, rest) if dcr else (rest, block, block)
    permutation = (0, 1, 3, 2, 4, 5) if dcr else (0, 1, 4, 2, 5, 3)
    shape = (batch, height * block, width * block, rest)
    return _regrouped(layer, x, (batch, height, width, *apart), permutation, shape)


def space_to_depth(layer: Layer) -> Value:
    x, block, dcr = _blocks(layer)
    batch, height, width, depth = x.tensor.shape
    if height % block or width % block:
        raise Reject(f"{height}x{width} in blocks of {block}x{block}", "a multiple of the block")
    apart = (batch, height // block, block, width // block, block, depth)
    shape = (batch, height // block, width // block, depth * block**2)
    return _regrouped(layer, x, apart, (0, 1, 3, 2, 4, 5) if dcr else (0, 1, 3, 5, 2, 4), shape)


def _blocks(layer: Layer) -> tuple[Value, int, bool]:
    """(the channels-last input, block size, whether the blocks' positions are the slower axes)."""
    x, block = layer.operand(0), layer.node.integer("blocksize", 0)
    if x.rank != 4 or block < 1:
        raise Reject(f"blocks of {block} in an input of rank {x.rank}", "images")
    return layer.arranged(x, layout.image(4)), block, layer.node.text("mode", "DCR") == "DCR"


def _regrouped(layer: Layer, x: Value, apart: Shape, permutation: tuple[int, ...], shape: Shape) -> Value:
    """A RESHAPE, a TRANSPOSE and a RESHAPE of stored elements."""
    inside = layout.plain(len(apart))
    split = layer.emit(Reshape, [x], inside, "/apart", shape=apart)
    moved = layer.emit(Transpose, [split], inside, "/transpose", permutation=permutation)
    return layer.emit(Reshape, [moved], layout.image(4), shape=shape)


DECODERS: dict[str, Callable[[Layer], Value]] = {
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Gather": gather,
    "Resize": resize,
    "SpaceToDepth": space_to_depth,
    "Tile": tile,
    "Upsample": resize,
}
