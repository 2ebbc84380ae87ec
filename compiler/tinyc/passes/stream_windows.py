"""Layers whose windows slide along time: convolutions, pools, and what pads and crops time for them."""

from __future__ import annotations

from dataclasses import replace

from tinyc.ir.ops import MaxPool2D, Op, Padding, StridedSlice
from tinyc.ir.ops.common import LARGEST_FLOAT, same_padding
from tinyc.ir.ops.convolution import Convolution, Pads
from tinyc.ir.ops.pad import Pad
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import DType
from tinyc.passes.stream_graph import StreamGraph, label
from tinyc.passes.stream_reductions import over_all_time
from tinyc.passes.stream_time import Frames, Refused, Sliding, Whole, kept_axis, slide


def _spatial(frames: Frames) -> int:
    """0 where time is the height, 1 where it is the width."""
    if frames.axis not in (1, 2):
        raise Refused("mixes frames in a way that has no streaming form")
    return frames.axis - 1


def _is_whole(stream: StreamGraph, op: Op, axis: int, pads: tuple[int, int]) -> bool:
    """Whether the one window is all of time."""
    extents = [stream.batch[name].shape[axis] for name in (op.inputs[0], op.outputs[0])]
    return extents[0] > 1 and extents[1] == 1 and pads == (0, 0)


def _after(op: Op, frames: Frames, sliding: Sliding, behind: int) -> Frames:
    """What a layer gives that pads so many frames behind the last one."""
    blamed = (*frames.padded_by, *_named(op, behind)) if sliding.border else ()
    return Frames(frames.axis, sliding.step, sliding.lag, sliding.border, blamed)


def _named(op: Op, behind: int) -> tuple[str, ...]:
    return (label(op),) if behind else ()


def _sliding(
    stream: StreamGraph, op: Op, reach: int, stride: int, pads: tuple[int, int]
) -> tuple[Frames, Sliding]:
    frames = stream.padded(op, pads[0])
    extent, results = (stream.batch[name].shape[frames.axis] for name in (op.inputs[0], op.outputs[0]))
    return frames, slide(frames, extent, reach, stride, pads[0], results)


def _without(pads: Pads, time: int) -> tuple[Padding, Pads]:
    """The padding that is left without that of time."""
    top, bottom, left, right = pads
    left_over = (0, 0, left, right) if time == 0 else (top, bottom, 0, 0)
    return (Padding.EXPLICIT if any(left_over) else Padding.VALID), left_over


def convolution(stream: StreamGraph, op: Op) -> None:
    """One that is dilated takes its taps from a ring where that moves fewer frames than a window would."""
    assert isinstance(op, Convolution)
    time = _spatial(stream.frames(op.inputs[0]))
    window = op.window(stream.batch.operands(op))
    pads = window.pads[2 * time], window.pads[2 * time + 1]
    if _is_whole(stream, op, 1 + time, pads):
        stream.whole(op)
        return
    taps, apart, stride = window.kernel[time], op.dilation[time], op.stride[time]
    frames, sliding = _sliding(stream, op, (taps - 1) * apart + 1, stride, pads)
    padding, left_over = _without(window.pads, time)
    dilation = op.dilation
    count = sliding.oldest + 1
    if sliding.step == 1 and frames.step + taps < count:
        source = stream.taps(op, op.inputs[0], sliding.oldest, apart, taps)
        dilation = (1, dilation[1]) if time == 0 else (dilation[0], 1)
    else:
        source = stream.last(op, op.inputs[0], count)
    layer = op.with_(padding=padding, pads=left_over, dilation=dilation)
    stream.add(layer, (source, *op.inputs[1:]), _after(op, frames, sliding, pads[1]))


def pool(stream: StreamGraph, op: Op) -> None:
    """Padding does not count in a pool: for a maximum it is the least value, a mean has no streaming form."""
    assert isinstance(op, Pool2D)
    time = _spatial(stream.frames(op.inputs[0]))
    resolved = _pool_pads(op, stream.batch[op.inputs[0]].shape)
    pads = resolved[2 * time], resolved[2 * time + 1]
    if _is_whole(stream, op, 1 + time, pads):
        over_all_time(stream, op)
        return
    if pads[0] and not isinstance(op, MaxPool2D):
        raise Refused("is a mean over fewer frames at first")
    reach, stride = ((op.filter_height, op.stride_height), (op.filter_width, op.stride_width))[time]
    frames, sliding = _sliding(stream, op, reach, stride, pads)
    padding, left_over = _without(resolved, time)
    fill = _least(stream.batch[op.inputs[0]].dtype) if pads[0] else None
    source = stream.last(op, op.inputs[0], sliding.oldest + 1, fill)
    layer = op.with_(padding=padding, pads=left_over)
    stream.add(layer, (source,), _after(op, frames, sliding, pads[1]))


def _least(dtype: DType) -> float:
    """What a maximum begins with: no infinity in float32, as in TensorFlow Lite."""
    return -LARGEST_FLOAT if dtype is DType.FLOAT32 else dtype.limits[0]


def _pool_pads(op: Pool2D, shape: tuple[int, ...]) -> Pads:
    """(top, bottom, left, right) of a pool over an input of `shape`."""
    if op.padding is not Padding.SAME:
        return op.pads
    return (
        *same_padding(shape[1], op.filter_height, op.stride_height, 1),
        *same_padding(shape[2], op.filter_width, op.stride_width, 1),
    )


def pad(stream: StreamGraph, op: Op) -> None:
    """Padding of time says what was there before the first frame; it takes no work."""
    assert isinstance(op, Pad)
    before, behind = op.paddings[stream.frames(op.inputs[0]).axis]
    frames = stream.padded(op, before)
    timing = replace(
        frames,
        lag=frames.lag - before,
        border=frames.border + behind,
        padded_by=(*frames.padded_by, *_named(op, behind)),
        fill=op.border(stream.batch[op.outputs[0]]) if before else frames.fill,
    )
    paddings = list(op.paddings)
    paddings[frames.axis] = (0, 0)
    if any(map(any, paddings)):
        stream.add(op.with_(paddings=tuple(paddings)), (stream.here(op.inputs[0]).name,), timing)
    else:
        stream.alias(op.outputs[0], op.inputs[0], timing)


def strided_slice(stream: StreamGraph, op: Op) -> None:
    """A crop of time changes what its frames are; the last frame alone is a result of the whole of time."""
    assert isinstance(op, StridedSlice)
    frames, shape = stream.frames(op.inputs[0]), stream.batch[op.inputs[0]].shape
    axis, extent = frames.axis, shape[frames.axis]
    begin, count, stride = op.begin[axis], op.size[axis], op.strides[axis]
    if count == 1 < extent:  # the last frame
        _last_frame(stream, op, frames, extent)
        return
    if stride < 1:
        raise Refused("goes back in time")
    kept = kept_axis(op.size, axis, op.shape)
    if kept is None:
        raise Refused("mixes the frames with other elements")
    if stride == 1:
        border = max(0, frames.border - (extent - begin - count))
        sliding = Sliding(frames.step - 1, 0, frames.step, frames.lag + begin, border)
    else:
        sliding = slide(frames, extent, 1, stride, -begin, count)
    timing = replace(frames, axis=kept, step=sliding.step, lag=sliding.lag, border=sliding.border)
    others = [at for at in range(len(shape)) if at != axis]
    same = all((op.begin[at], op.size[at], op.strides[at]) == (0, shape[at], 1) for at in others)
    if stride == 1 and same and op.shape == op.size:
        stream.alias(op.outputs[0], op.inputs[0], timing)
        return
    first = frames.step - 1 - sliding.oldest
    layer = op.with_(
        begin=(*op.begin[:axis], first, *op.begin[axis + 1 :]),
        size=(*op.size[:axis], sliding.step, *op.size[axis + 1 :]),
        shape=(*op.shape[:kept], sliding.step, *op.shape[kept + 1 :]),
    )
    stream.add(layer, (stream.here(op.inputs[0]).name,), timing)


def _last_frame(stream: StreamGraph, op: StridedSlice, frames: Frames, extent: int) -> None:
    if op.begin[frames.axis] != extent - 1:
        raise Refused("picks a frame that is not the last one")
    frames.require_no_border()
    place = frames.step - 1 - frames.phase(extent)
    layer = op.with_(begin=(*op.begin[: frames.axis], place, *op.begin[frames.axis + 1 :]))
    warm_up = max(0, -(-(frames.lag - place) // frames.step))
    stream.add(layer, (stream.here(op.inputs[0]).name,), Whole(warm_up))
