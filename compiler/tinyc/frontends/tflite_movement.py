"""Decoders of the operators that pad, cut, join and turn tensors."""

from __future__ import annotations

import numpy as np

from tinyc.frontends.tflite_chain import Steps
from tinyc.frontends.tflite_node import Chain, Decoder, Node, Reject, normal_axis, plain, present
from tinyc.frontends.tflite_open import reshaped
from tinyc.frontends.tflite_slices import resolve_slice
from tinyc.ir.ops import (
    Activation,
    Cast,
    Concatenation,
    Op,
    Pad,
    PadV2,
    Reshape,
    Split,
    StridedSlice,
    Transpose,
)
from tinyc.ir.tensor import Shape, Tensor


def paddings_of(node: Node, x: Tensor) -> tuple[tuple[int, int], ...]:
    """The constant second input, [rank, 2]: elements before and after along each axis."""
    values, shape = node.integers(1, "paddings"), node.operand(1).shape
    if shape != (len(x.shape), 2):
        raise Reject(f"paddings have shape {list(shape)}", f"shape {[len(x.shape), 2]}")
    return tuple(zip(values[::2], values[1::2], strict=True))


def _pad(node: Node) -> Op:
    x, _, *fill = present(node, 2, 3)
    paddings = paddings_of(node, x)
    if fill:
        if fill[0].data is None or fill[0].elements != 1:
            raise Reject("the padded value is computed at run time", "a constant")
        value, zero = fill[0].data.item(), 0 if x.quantization is None else x.zero_point
        # A border of -0.0 is none of zeros.
        if fill[0].data.tobytes() != np.array(zero, x.dtype.numpy).tobytes():
            return PadV2(**node.common(x), paddings=paddings, fill=value)
    return Pad(**node.common(x), paddings=paddings)


def _reshape(node: Node) -> Op:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the elements stay where they are."""
    x = present(node, 1, 2)[0]
    return Reshape(**node.common(x), shape=reshaped(node, x))


def _transpose(node: Node) -> Op:
    x = present(node, 2, 2)[0]
    order = node.integers(1, "permutation")
    rank = len(x.shape)
    permutation = tuple(axis + rank if axis < 0 else axis for axis in order)
    return Transpose(**node.common(x), permutation=permutation)


def _concatenation(node: Node) -> Op:
    kind = "ConcatenationOptions"
    tensors = present(node, 1, 1024)
    if node.activation(kind) is not Activation.NONE:
        raise Reject("a fused activation", "none")
    axis = normal_axis(int(node.option(kind, "Axis", 0)), len(tensors[0].shape))
    return Concatenation(**node.common(*tensors), axis=axis)


def _strided_slice(node: Node) -> Op:
    kind = "StridedSliceOptions"
    x = present(node, 4, 4)[0]
    masks = {
        name: int(node.option(kind, field, 0))
        for name, field in (
            ("begin_mask", "BeginMask"),
            ("end_mask", "EndMask"),
            ("ellipsis_mask", "EllipsisMask"),
            ("new_axis_mask", "NewAxisMask"),
            ("shrink_axis_mask", "ShrinkAxisMask"),
        )
    }
    if node.option(kind, "Offset", False):
        raise Reject("the end is an offset", "an absolute end")
    begin, end, strides = (node.integers(i, w) for i, w in ((1, "begin"), (2, "end"), (3, "strides")))
    try:
        resolved = resolve_slice(x.shape, begin, end, strides, **masks)
    except ValueError as error:
        raise Reject(str(error)) from error
    return StridedSlice(
        **node.common(x),
        begin=resolved.begin,
        size=resolved.size,
        strides=resolved.strides,
        shape=resolved.shape,
    )


def _slice(node: Node) -> Op:
    x = present(node, 3, 3)[0]
    begin, size = node.integers(1, "begin"), node.integers(2, "size")
    if not len(begin) == len(size) == len(x.shape):
        raise Reject("begin and size do not fit the input's rank")
    sizes: Shape = tuple(
        extent - first if count == -1 else count
        for extent, first, count in zip(x.shape, begin, size, strict=True)
    )
    ones = (1,) * len(sizes)
    return StridedSlice(**node.common(x), begin=begin, size=sizes, strides=ones, shape=sizes)


def _split(node: Node) -> Op:
    _, x = present(node, 2, 2)
    (axis,) = node.integers(0, "axis") or (0,)
    axis, count = normal_axis(axis, len(x.shape)), len(node.results)
    if not count or x.shape[axis] % count:
        raise Reject(f"{count} parts of an extent of {x.shape[axis]}", "equal parts")
    return Split(**node.common(x), axis=axis, sizes=(x.shape[axis] // count,) * count)


def _split_v(node: Node) -> Op:
    x = present(node, 3, 3)[0]
    sizes = list(node.integers(1, "sizes"))
    (axis,) = node.integers(2, "axis") or (0,)
    axis = normal_axis(axis, len(x.shape))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    return Split(**node.common(x), axis=axis, sizes=tuple(sizes))


def _pack(node: Node) -> Op | Chain:
    parts, steps = present(node, 1, 1024), Steps(node)
    shape = parts[0].shape
    if any(part.shape != shape for part in parts):
        raise Reject("packs tensors of different shapes", "one shape")
    axis = normal_axis(int(node.option("PackOptions", "Axis", 0)), len(shape) + 1)
    if axis < len(shape):
        return steps.last(Reshape, steps.add(Concatenation, *parts, axis=axis), shape=node.results[0].shape)
    return steps.last(Concatenation, *(steps.viewed(part, (*shape, 1)) for part in parts), axis=axis)


def _unpack(node: Node) -> Chain:
    (x,) = present(node, 1, 1)
    axis = normal_axis(int(node.option("UnpackOptions", "Axis", 0)), len(x.shape))
    if len(node.results) != x.shape[axis]:
        raise Reject(f"{len(node.results)} parts of an extent of {x.shape[axis]}", "one per element")
    names = [node.name, *(f"{node.name}/{index}" for index in range(1, x.shape[axis]))]
    ops = tuple(
        StridedSlice(
            **{**node.common(x), "name": name, "outputs": (result.name,)},
            begin=tuple(index if a == axis else 0 for a in range(len(x.shape))),
            size=tuple(1 if a == axis else extent for a, extent in enumerate(x.shape)),
            strides=(1,) * len(x.shape),
            shape=result.shape,
        )
        for index, (name, result) in enumerate(zip(names, node.results, strict=True))
    )
    return Chain(ops, ())


def _reverse(node: Node) -> Op:
    x, axes = present(node, 2, 2)[0], node.integers(1, "axes")
    turned = {normal_axis(axis, len(x.shape)) for axis in axes}
    return StridedSlice(
        **node.common(x),
        begin=tuple(extent - 1 if a in turned else 0 for a, extent in enumerate(x.shape)),
        size=x.shape,
        strides=tuple(-1 if a in turned else 1 for a in range(len(x.shape))),
        shape=x.shape,
    )


DECODERS: dict[str, Decoder] = {
    "CAST": plain(Cast),
    "CONCATENATION": _concatenation,
    "EXPAND_DIMS": _reshape,
    "PACK": _pack,
    "PAD": _pad,
    "PADV2": _pad,
    "RESHAPE": _reshape,
    "REVERSE_V2": _reverse,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _reshape,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
}
