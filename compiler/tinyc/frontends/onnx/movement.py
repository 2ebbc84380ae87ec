"""Operators that move elements or look at them from another side."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinyc.frontends.onnx import resampling
from tinyc.frontends.onnx.elementwise import common_order, widened
from tinyc.frontends.onnx.layer import Layer
from tinyc.frontends.onnx.value import Value
from tinyc.frontends.reject import Reject
from tinyc.frontends.tflite_slices import resolve_slice
from tinyc.ir.ops import Concatenation, Pad, Split, StridedSlice


def transpose(layer: Layer) -> Value:
    """Transpose moves nothing: the axes get other numbers, and whoever needs them elsewhere moves them."""
    x = layer.operand(0)
    permutation = layer.node.integers("perm") or tuple(reversed(range(x.rank)))
    if sorted(permutation) != list(range(x.rank)):
        raise Reject(f"perm is {list(permutation)}", "every axis once")
    return x.transposed(permutation)


def reshape(layer: Layer) -> Value:
    x = layer.operand(0)
    wanted = list(layer.integers(1, "shape"))
    if not layer.node.integer("allowzero", 0):
        wanted = [x.shape[at] if extent == 0 and at < x.rank else extent for at, extent in enumerate(wanted)]
    if wanted.count(-1) == 1:
        rest = -math.prod(wanted)
        if rest < 1 or x.tensor.elements % rest:
            raise Reject(f"{x.tensor.elements} elements do not fill {wanted}")
        wanted[wanted.index(-1)] = x.tensor.elements // rest
    return layer.reshaped(x, tuple(wanted))


def flatten(layer: Layer) -> Value:
    x = layer.operand(0)
    axis = layer.node.integer("axis", 1)
    if not -x.rank <= axis <= x.rank:
        raise Reject(f"axis {axis} of an input of rank {x.rank}", "an axis that exists")
    axis = axis + x.rank if axis < 0 else axis
    return layer.reshaped(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def squeeze(layer: Layer) -> Value:
    x = layer.operand(0)
    given = layer.attribute_or_input("axes", 1)
    axes = axes_of(given, x.rank) if given is not None else tuple(i for i, e in enumerate(x.shape) if e == 1)
    if any(x.shape[axis] != 1 for axis in axes):
        raise Reject(f"axes {list(axes)} of shape {list(x.shape)}", "axes of extent 1")
    return layer.reshaped(x, tuple(e for i, e in enumerate(x.shape) if i not in axes))


def unsqueeze(layer: Layer) -> Value:
    x = layer.operand(0)
    given = layer.attribute_or_input("axes", 1)
    if given is None:
        raise Reject("axes are absent")
    axes = axes_of(given, x.rank + len(given))
    rest = iter(x.shape)
    rank = x.rank + len(axes)
    return layer.reshaped(x, tuple(1 if axis in axes else next(rest) for axis in range(rank)))


def axes_of(given: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Axes from 0 on, each once, sorted. Raises Reject for one that does not exist."""
    if any(not -rank <= axis < rank for axis in given) or len({axis % rank for axis in given}) != len(given):
        raise Reject(f"axes {list(given)} of rank {rank}", "axes that exist, each once")
    return tuple(sorted(axis % rank for axis in given))


def concat(layer: Layer) -> Value:
    values = layer.operands
    order = common_order(values)
    # All operands in the scale of the result, so that nothing else is rounded.
    scaled = [layer.in_scale_of_result(value) for value in values]
    moved = [widened(layer, value, order) for value in scaled]
    return layer.emit(Concatenation, moved, order, axis=moved[0].place(layer.node.integer("axis", 0)))


def split(layer: Layer) -> tuple[Value, ...]:
    """Split into parts of given sizes, or as equal ones as there are outputs."""
    x, count = layer.operand(0), len(layer.node.outputs)
    place = x.place(layer.node.integer("axis", 0))
    extent = x.tensor.shape[place]
    sizes = layer.attribute_or_input("split", 1)
    if sizes is None:
        each = -(-extent // count)
        sizes = (*(each,) * (count - 1), extent - each * (count - 1))
    if len(sizes) != count or min(sizes) < 1 or sum(sizes) != extent:
        raise Reject(f"{count} parts of {list(sizes)} of an extent of {extent}", "parts that fill it")
    return layer.emit_all(Split, [x], (x.order,) * count, axis=place, sizes=sizes)


def slice_(layer: Layer) -> Value:
    """Slice; starts, ends and axes are attributes before operator set 10."""
    x = layer.operand(0)
    starts, ends = (layer.attribute_or_input(name, at) for at, name in ((1, "starts"), (2, "ends")))
    if starts is None or ends is None:
        raise Reject("starts or ends are absent")
    axes = layer.attribute_or_input("axes", 3) or tuple(range(len(starts)))
    steps = layer.integers(4, "steps") if layer.optional(4) is not None else (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise Reject("starts, ends, axes and steps have different lengths")
    places = [x.place(axis) for axis in axes]
    if len(set(places)) != len(places):
        raise Reject(f"axes {list(axes)}", "each axis once")
    rank = len(x.order)
    begin, end, strides = [0] * rank, list(x.tensor.shape), [1] * rank
    open_ends = sum(1 << place for place in range(rank) if place not in places)
    for place, start, last, step in zip(places, starts, ends, steps, strict=True):
        begin[place], end[place], strides[place] = start, last, step
    try:
        found = resolve_slice(x.tensor.shape, (*begin,), (*end,), (*strides,), end_mask=open_ends)
    except ValueError as error:
        raise Reject(str(error)) from error
    return layer.emit(
        StridedSlice,
        [x],
        x.order,
        begin=found.begin,
        size=found.size,
        strides=found.strides,
        shape=found.shape,
    )


def pad(layer: Layer) -> Value:
    """Pad with zeros, or with elements of the input; pads are an attribute before operator set 11."""
    x = layer.operand(0)
    mode = layer.node.text("mode", "constant")
    if mode not in ("constant", "edge", "reflect", "wrap"):
        raise Reject(f"mode is {mode}", "constant, edge, reflect, wrap")
    fill = layer.real(2, "constant_value", layer.node.real("value", 0.0)) if mode == "constant" else 0.0
    if fill != 0.0:
        raise Reject(f"pads with {fill:g}", "0")
    given = layer.attribute_or_input("pads", 1)
    axes = layer.integers(3, "axes") if layer.optional(3) is not None else tuple(range(x.rank))
    if given is None or len(given) != 2 * len(axes):
        raise Reject("pads do not fit the axes")
    pairs = {axis % x.rank: (given[at], given[len(axes) + at]) for at, axis in enumerate(axes)}
    if any(min(pair) < 0 for pair in pairs.values()):
        raise Reject("pads are negative", "pads of 0 or more")
    if mode != "constant":
        return resampling.repeat_border(layer, x, pairs, mode)
    places = {x.place(axis): pair for axis, pair in pairs.items()}
    paddings = tuple(places.get(place, (0, 0)) for place in range(len(x.order)))
    return layer.emit(Pad, [x], x.order, paddings=paddings)


DECODERS: dict[str, Callable[[Layer], Value | tuple[Value, ...]]] = {
    "Concat": concat,
    "Flatten": flatten,
    "Pad": pad,
    "Reshape": reshape,
    "Slice": slice_,
    "Split": split,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
