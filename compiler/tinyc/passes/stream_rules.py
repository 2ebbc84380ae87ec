"""How each kind of layer is computed frame by frame. Windows along time are in `stream_windows.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from tinyc.ir.ops import (
    AddN,
    Concatenation,
    FullyConnected,
    L2Normalization,
    LogSoftmax,
    Op,
    Reshape,
    SelectV2,
    Softmax,
    Split,
    Svdf,
    Take,
    Transpose,
    UnidirectionalSequenceLstm,
)
from tinyc.ir.ops.arg_extreme import ArgExtreme
from tinyc.ir.ops.assign_variable import AssignVariable
from tinyc.ir.ops.convolution import Convolution
from tinyc.ir.ops.cumsum import Cumsum
from tinyc.ir.ops.elementwise import Pairwise, SameShape
from tinyc.ir.ops.pad import Pad
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.ops.reduction import Reduction
from tinyc.ir.ops.strided_slice import StridedSlice
from tinyc.ir.tensor import TensorName
from tinyc.passes.stream_graph import StreamGraph
from tinyc.passes.stream_reductions import over_all_time
from tinyc.passes.stream_time import Frames, Refused, Whole, kept_axis
from tinyc.passes.stream_windows import convolution, pad, pool, strided_slice

Rule: TypeAlias = Callable[[StreamGraph, Op], None]


def _frame_wise(stream: StreamGraph, op: Op, axis: int | None) -> None:
    """`op` on the frames of each inference; in its output they lie along `axis`, None where they do not.

    Branches that come at different times wait for the last one of them.
    """
    sources = [name for name in op.inputs if name in stream.timing]
    found = [stream.frames(name) for name in sources]
    first = max(found, key=lambda frames: frames.lag)
    if any(frames.step != first.step for frames in found):
        raise Refused("joins branches of different strides along time")
    if min(frames.lag for frames in found) < 0:
        raise Refused("reads a PAD of time, which only convolutions and pools may")
    if axis is None:
        raise Refused("mixes the frames with other elements")
    padded = tuple(dict.fromkeys(name for frames in found for name in frames.padded_by))
    timing = Frames(axis, first.step, first.lag, max(frames.border for frames in found), padded)
    inputs = [
        stream.delayed(op, name, first.lag) if name in sources else stream.named.get(name, name)
        for name in op.inputs
    ]
    stream.add(op, inputs, timing)


def _elementwise(stream: StreamGraph, op: Op) -> None:
    """Operands align at the end of their shapes."""
    rank = len(stream.batch[op.outputs[0]].shape)
    sources = [name for name in op.inputs if name in stream.timing]
    found = {rank - len(stream.batch[name].shape) + stream.frames(name).axis for name in sources}
    extents = {stream.batch[name].shape[stream.frames(name).axis] for name in sources}
    if len(found) != 1 or len(extents) != 1:
        raise Refused("combines frames with others at another time")
    (axis,) = found
    for name in op.inputs:
        shape = stream.batch[name].shape
        at = axis - (rank - len(shape))
        if name not in sources and at >= 0 and shape[at] != 1:
            raise Refused("has a constant that differs from frame to frame")
    _frame_wise(stream, op, axis)


def _last_axis(stream: StreamGraph, op: Op) -> None:
    """Works along the last axis."""
    frames = stream.frames(op.inputs[0])
    if frames.axis == len(stream.batch[op.inputs[0]].shape) - 1:
        raise Refused("works along time")
    _frame_wise(stream, op, frames.axis)


def _concatenation(stream: StreamGraph, op: Op) -> None:
    assert isinstance(op, Concatenation)
    axes = {stream.frames(name).axis for name in op.inputs if name in stream.timing}
    constant = any(name not in stream.timing for name in op.inputs)
    if axes == {op.axis}:
        raise Refused("appends frames to frames")
    if len(axes) != 1 or constant:
        raise Refused("joins frames with what has none")
    _frame_wise(stream, op, axes.pop())


def _split(stream: StreamGraph, op: Op) -> None:
    assert isinstance(op, Split)
    frames = stream.frames(op.inputs[0])
    if frames.axis == op.axis:
        raise Refused("cuts time into parts")
    _frame_wise(stream, op, frames.axis)


def _take(stream: StreamGraph, op: Op) -> None:
    assert isinstance(op, Take)
    frames, shape = stream.frames(op.inputs[0]), stream.batch[op.inputs[0]].shape
    if op.indices[frames.axis] != tuple(range(shape[frames.axis])):
        raise Refused("picks frames")
    indices = list(op.indices)
    indices[frames.axis] = tuple(range(frames.step))
    _frame_wise(stream, op.with_(indices=tuple(indices)), frames.axis)


def _transpose(stream: StreamGraph, op: Op) -> None:
    assert isinstance(op, Transpose)
    _frame_wise(stream, op, op.permutation.index(stream.frames(op.inputs[0]).axis))


def _reshape(stream: StreamGraph, op: Op) -> None:
    """Around the frames it stays what it is; one that mixes them takes all of time."""
    assert isinstance(op, Reshape)
    frames = stream.frames(op.inputs[0])
    axis = kept_axis(stream.batch[op.inputs[0]].shape, frames.axis, op.shape)
    if axis is None:
        stream.whole(op)
        return
    shape = (*op.shape[:axis], frames.step, *op.shape[axis + 1 :])
    _frame_wise(stream, op.with_(shape=shape), axis)


def _fully_connected(stream: StreamGraph, op: Op) -> None:
    """Rows of a frame; where a row has several frames, all of time."""
    assert isinstance(op, FullyConnected)
    frames, shape = stream.frames(op.inputs[0]), stream.batch[op.inputs[0]].shape
    depth, inside = stream.batch[op.inputs[1]].shape[1], math.prod(shape[frames.axis + 1 :])
    if inside % depth:
        stream.whole(op)
    elif op.keep_num_dims:
        _frame_wise(stream, op, frames.axis)
    else:
        alone = inside == depth and math.prod(shape[: frames.axis]) == 1
        _frame_wise(stream, op, 0 if alone else None)


def _reduction(stream: StreamGraph, op: Op) -> None:
    """Over time it takes all of it."""
    assert isinstance(op, Reduction)
    frames, rank = stream.frames(op.inputs[0]), len(stream.batch[op.inputs[0]].shape)
    reduced = op.reduced(rank)
    if frames.axis in reduced:
        over_all_time(stream, op)
        return
    gone = 0 if op.keep_dims else sum(axis < frames.axis for axis in reduced)
    _frame_wise(stream, op, frames.axis - gone)


def _arg_extreme(stream: StreamGraph, op: Op) -> None:
    assert isinstance(op, ArgExtreme)
    frames = stream.frames(op.inputs[0])
    if frames.axis == op.axis:
        raise Refused("finds a place in time")
    _frame_wise(stream, op, frames.axis - (op.axis < frames.axis))


def _lstm(stream: StreamGraph, op: Op) -> None:
    assert isinstance(op, UnidirectionalSequenceLstm)
    frames = stream.frames(op.inputs[0])
    if frames.axis != (0 if op.time_major else 1):
        raise Refused("goes along another axis than time")
    _remembers(stream, op, frames)


def _svdf(stream: StreamGraph, op: Op) -> None:
    """Rows are sequences of their own, so there is one."""
    frames = stream.frames(op.inputs[0])
    if frames.axis != 0 or stream.batch[op.inputs[0]].shape[0] != 1:
        raise Refused("has a sequence of its own for each frame")
    _remembers(stream, op, frames)


def _remembers(stream: StreamGraph, op: Op, frames: Frames) -> None:
    """Its state must not have seen the frames before the batch model's first one."""
    if frames.lag > 0:
        raise Refused("remembers, but the layers before have no output for the first frames")
    _frame_wise(stream, op, frames.axis)


_RULES: tuple[tuple[tuple[type[Op], ...], Rule], ...] = (
    ((AssignVariable, Cumsum), lambda stream, op: _refuse()),
    ((Convolution,), convolution),
    ((Pool2D,), pool),
    ((Pad,), pad),
    ((StridedSlice,), strided_slice),
    ((Softmax, LogSoftmax, L2Normalization), _last_axis),
    ((SameShape, Pairwise, AddN, SelectV2), _elementwise),
    ((Concatenation,), _concatenation),
    ((Split,), _split),
    ((Take,), _take),
    ((Transpose,), _transpose),
    ((Reshape,), _reshape),
    ((FullyConnected,), _fully_connected),
    ((Reduction,), _reduction),
    ((ArgExtreme,), _arg_extreme),
    ((UnidirectionalSequenceLstm,), _lstm),
    ((Svdf,), _svdf),
)


def _refuse() -> None:
    raise Refused("mixes frames in a way that has no streaming form")


def stream_layer(stream: StreamGraph, op: Op) -> None:
    """Add the streaming form of a layer. Raises Refused for one that has none."""
    sources: list[TensorName] = [name for name in op.inputs if name in stream.timing]
    wholes = [timing for name in sources if isinstance(timing := stream.timing[name], Whole)]
    if len(wholes) == len(sources):
        warm_up = max((timing.warm_up for timing in wholes), default=0)
        if op.state_outputs and warm_up:
            raise Refused("remembers, but the layers before have no output at first")
        stream.add(op, [stream.named.get(name, name) for name in op.inputs], Whole(warm_up))
        return
    if wholes:
        raise Refused("combines frames with a result of the whole of time")
    rule = next((rule for kinds, rule in _RULES if isinstance(op, kinds)), None)
    if rule is None:
        _refuse()
    else:
        rule(stream, op)
