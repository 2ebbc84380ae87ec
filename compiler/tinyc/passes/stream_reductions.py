"""Reductions over all of time, of integers: each frame is reduced at once, and what is left of it is kept."""

from __future__ import annotations

from tinyc.ir.ops import AveragePool2D, Finish, MaxPool2D, Mean, Op, Padding, StreamSum, Sum
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.ops.reduce_extreme import ReduceExtreme
from tinyc.ir.tensor import DType, Tensor
from tinyc.passes.rewrite import fresh_name
from tinyc.passes.stream_graph import StreamGraph


def over_all_time(stream: StreamGraph, op: Op) -> None:
    """A reduction whose one window is all of time.

    A window of frames moves at every inference, and all of it is read. A running sum reads the new frames and
    keeps of each what it adds to the sums; it is taken unless that needs over a quarter more memory. For an
    extreme the window has the extremes of frames. float32 stays with frames: there the order matters.
    """
    layer = _running(stream, op)
    if layer is not None and _add(stream, op, layer):
        return
    parts = _in_two(stream, op)
    if parts is None:
        stream.whole(op)
    else:
        _add_both(stream, op, *parts)


def _is_global(op: Pool2D, x: Tensor, y: Tensor) -> bool:
    """Whether the one window of a pool is all of its input."""
    return x.shape[1:3] == (op.filter_height, op.filter_width) and y.elements == x.shape[0] * x.shape[3]


def _running(stream: StreamGraph, op: Op) -> StreamSum | None:
    """The running form of a reduction, without its states; None where it has none."""
    x, y = stream.batch[op.inputs[0]], stream.batch[op.outputs[0]]
    if x.dtype is not y.dtype or x.dtype not in (DType.INT8, DType.INT16):
        return None
    layer = StreamSum(
        name=op.name,
        inputs=op.inputs,
        outputs=op.outputs,
        source=op.source,
        axis=stream.frames(x.name).axis,
        axes=(1, 2),
        keep_dims=True,
        finish=Finish.AVERAGE_POOL_2D,
    )
    match op:
        case Mean() | Sum():
            finish = Finish.MEAN if isinstance(op, Mean) else Finish.SUM
            layer = layer.with_(axes=op.reduced(len(x.shape)), keep_dims=op.keep_dims, finish=finish)
        case AveragePool2D() if _is_global(op, x, y):
            layer = layer.with_(activation=op.activation)
        case _:
            return None
    return layer if layer.fits(x.shape) else None


def _add(stream: StreamGraph, op: Op, layer: StreamSum) -> bool:
    """Whether the running form was added: not where an inference has all frames, or where it is larger."""
    source = op.inputs[0]
    x, frames = stream.batch[source], stream.frames(source)
    count, phase, (inside, sums) = (
        x.shape[frames.axis],
        frames.phase(x.shape[frames.axis]),
        layer.frame(x.shape),
    )
    ring = Tensor(f"{op.name}/sums", (count, sums), _type_of_sums(x.dtype, inside))
    place = Tensor(f"{op.name}/place", (1,), DType.INT32)
    total = Tensor(f"{op.name}/total", (sums,), DType.INT32)
    window = (count + phase) * (x.bytes // count)
    if count + phase <= frames.step or ring.bytes + total.bytes > window + window // 4:
        return False
    frames.require_no_border()
    before = inside * stream.before(source)
    states = [stream.keep(ring, before), stream.keep(place, 0), stream.keep(total, count * before)]
    inputs = (stream.delayed(op, source, frames.lag + phase), *(state for state, _ in states))
    (result,) = op.outputs
    stream.ops.append(layer.with_(inputs=inputs, outputs=(result, *(after for _, after in states))))
    stream.tensors[result], stream.timing[result] = stream.batch[result], frames.whole(count)
    return True


def _in_two(stream: StreamGraph, op: Op) -> tuple[Op, Op] | None:
    """An extreme as one of each frame, which keeps all axes, and one of these; None for other layers."""
    x, y = stream.batch[op.inputs[0]], stream.batch[op.outputs[0]]
    axis = stream.frames(x.name).axis
    if x.dtype is DType.FLOAT32:
        return None
    match op:
        case ReduceExtreme():
            inside = tuple(at for at in op.reduced(len(x.shape)) if at != axis and x.shape[at] > 1)
            return (op.with_(axes=inside, keep_dims=True), op) if inside else None
        case MaxPool2D() if _is_global(op, x, y) and x.elements > x.shape[axis] * x.shape[3]:
            plain = op.with_(stride_height=1, stride_width=1, padding=Padding.VALID, pads=(0, 0, 0, 0))
            down, across = plain.with_(filter_width=1), plain.with_(filter_height=1)
            return (across, down) if axis == 1 else (down, across)
        case _:
            return None


def _add_both(stream: StreamGraph, op: Op, first: Op, second: Op) -> None:
    source = op.inputs[0]
    x, frames = stream.here(source), stream.frames(source)
    (shape,) = first.output_shapes([x])
    part = x.with_(name=fresh_name(stream.tensors, f"{op.name}/frames"), shape=shape)
    stream.tensors[part.name], stream.timing[part.name] = part, frames
    name = stream.layer_name(f"{op.name}/frames")
    stream.ops.append(first.with_(name=name, inputs=(x.name,), outputs=(part.name,)))
    stream.whole(second.with_(inputs=(part.name,)), stream.batch[source].shape[frames.axis])


def _type_of_sums(dtype: DType, count: int) -> DType:
    """The smallest type that holds any sum of so many elements."""
    low, high = (count * limit for limit in dtype.limits)
    fits = (each for each in (DType.INT8, DType.INT16) if each.limits[0] <= low and high <= each.limits[1])
    return next(fits, DType.INT32)
