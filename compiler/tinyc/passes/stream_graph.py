"""The streaming graph while it is made: its tensors, and the buffers that hold frames between inferences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import Op, StreamTaps, StreamWindow, StridedSlice
from tinyc.ir.state import State
from tinyc.ir.tensor import DType, Tensor, TensorName
from tinyc.passes.rewrite import fresh_name
from tinyc.passes.stream_time import Frames, Refused, Timing


def label(op: Op) -> str:
    """What a layer is called in errors."""
    return f"{op.kind} {op.name}"


def _fill(tensor: Tensor) -> int:
    """The stored value of real zero."""
    return 0 if tensor.quantization is None else tensor.zero_point


@dataclass(slots=True)
class StreamGraph:
    """`batch` is what is rewritten, `timing` that of its tensors. A tensor keeps its name, or is called by
    another one in `named` where a layer of the batch model has nothing left to do."""

    batch: Graph
    tensors: dict[TensorName, Tensor] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    timing: dict[TensorName, Timing] = field(default_factory=dict)
    named: dict[TensorName, TensorName] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    """(layer, why it has no streaming form) of those that do not hinder the layers behind them."""
    _windows: dict[tuple[TensorName, tuple[int, ...], float], TensorName] = field(default_factory=dict)

    def here(self, name: TensorName) -> Tensor:
        """What the tensor of the batch model is here."""
        return self.tensors[self.named.get(name, name)]

    def frames(self, name: TensorName) -> Frames:
        """Raises Refused for a tensor without frames."""
        timing = self.timing.get(name)
        if not isinstance(timing, Frames):
            raise Refused("needs frames")
        return timing

    def refuse(self, op: Op, error: Refused) -> None:
        """Note that a layer, or those that the error blames, has no streaming form."""
        self.problems += [(layer, str(error)) for layer in error.layers or (label(op),)]

    def padded(self, op: Op, early: int) -> Frames:
        """The frames that `op` reads, which it pads with so many in front of the first one.

        Where layers before have something else there, that is noted, and left out of account from here on.
        """
        frames = self.frames(op.inputs[0])
        if not early or not frames.lag:
            return frames
        try:
            frames.require_no_border()
            raise Refused("pads in front of the first frame, where the layers before have others")
        except Refused as error:
            self.refuse(op, error)
        return replace(frames, lag=0, border=0, padded_by=())

    def alias(self, name: TensorName, source: TensorName, timing: Timing) -> None:
        """Call a tensor of the batch model by what `source` is here."""
        self.named[name] = self.here(source).name
        self.timing[name] = timing

    def add(self, op: Op, inputs: Sequence[TensorName], timing: Timing) -> None:
        """Add `op`, which reads these tensors; the outputs get the shapes of its rule."""
        op = op.with_(inputs=tuple(inputs))
        shapes = op.output_shapes([self.tensors[name] for name in op.inputs])
        for name, shape in zip(op.outputs, shapes, strict=True):
            self.tensors[name] = self.batch[name].with_(shape=shape)
            self.timing[name] = timing
        self.ops.append(op)

    def whole(self, op: Op, count: int | None = None) -> None:
        """`op` as the batch model has it, over the whole of time: the last frames, as many as it takes.

        `count` says how many these are, where what `op` reads is no tensor of the batch model.
        """
        (source,) = (name for name in op.inputs if name in self.timing)
        frames = self.frames(source)
        frames.require_no_border()
        count = self.batch[source].shape[frames.axis] if count is None else count
        phase = frames.phase(count)
        name = self.last(op, source, count + phase)
        if phase:
            name = self.cut(op, name, frames.axis, 0, count)
        inputs = [name if each == source else each for each in op.inputs]
        self.add(op, inputs, frames.whole(count))

    def last(self, op: Op, source: TensorName, count: int, fill: float | None = None) -> TensorName:
        """The last `count` frames of a tensor, as many as an inference has or more, as one tensor.

        `fill` is what was there before the first frame, by default real zero.
        """
        x, frames = self.here(source), self.frames(source)
        if count == frames.step:
            return x.name
        if count < frames.step:
            return self.cut(op, x.name, frames.axis, frames.step - count, count)
        fill = self.before(source, fill)
        if (known := self._windows.get((x.name, (count,), fill))) is not None:
            return known
        state, after = self._state(f"{op.name}/window", x, frames.axis, count, fill)
        layer = StreamWindow(
            name=self.layer_name(f"{op.name}/window"),
            inputs=(x.name, state),
            outputs=(after,),
            axis=frames.axis,
        )
        self._windows[x.name, (count,), fill] = after
        self.ops.append(layer)
        return after

    def taps(
        self, op: Op, source: TensorName, oldest: int, apart: int, count: int, fill: float | None = None
    ) -> TensorName:
        """`count` frames, the first one `oldest` frames old, each next one `apart` frames younger."""
        x, frames = self.here(source), self.frames(source)
        fill = self.before(source, fill)
        key = (x.name, (oldest, apart, count), fill)
        if key in self._windows:
            return self._windows[key]
        ring, ring_after = self._state(f"{op.name}/ring", x, frames.axis, oldest - frames.step + 1, fill)
        place, place_after = self.keep(Tensor(f"{ring}/place", (1,), DType.INT32), 0)
        shape = (*x.shape[: frames.axis], count, *x.shape[frames.axis + 1 :])
        taken = x.with_(name=fresh_name(self.tensors, f"{op.name}/taps"), shape=shape)
        self.tensors[taken.name] = taken
        layer = StreamTaps(
            name=self.layer_name(f"{op.name}/taps"),
            inputs=(x.name, ring, place),
            outputs=(taken.name, ring_after, place_after),
            axis=frames.axis,
            oldest=oldest,
            apart=apart,
            taps=count,
        )
        self.ops.append(layer)
        self._windows[key] = taken.name
        return taken.name

    def delayed(self, op: Op, source: TensorName, lag: int) -> TensorName:
        """The frames of a tensor, so late that they have this lag."""
        frames = self.frames(source)
        late = lag - frames.lag
        if not late:
            return self.here(source).name
        return self.taps(op, source, late + frames.step - 1, 1, frames.step)

    def cut(self, op: Op, source: TensorName, axis: int, begin: int, count: int) -> TensorName:
        """`count` frames of a tensor from `begin` on."""
        x = self.tensors[source]
        size = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        part = x.with_(name=fresh_name(self.tensors, f"{op.name}/frames"), shape=size)
        self.tensors[part.name] = part
        layer = StridedSlice(
            name=self.layer_name(f"{op.name}/frames"),
            inputs=(source,),
            outputs=(part.name,),
            begin=tuple(begin if at == axis else 0 for at in range(len(size))),
            size=size,
            strides=(1,) * len(size),
            shape=size,
        )
        self.ops.append(layer)
        return part.name

    def before(self, source: TensorName, fill: float | None = None) -> float:
        """What a tensor has before its first frame: padding, or else `fill`, by default real zero."""
        frames = self.frames(source)
        if frames.lag < 0 and frames.fill is not None:
            return frames.fill
        return _fill(self.here(source)) if fill is None else fill

    def keep(self, like: Tensor, initial: float) -> tuple[TensorName, TensorName]:
        """A state like a tensor, all of it `initial` at first, and the tensor that it becomes."""
        state = like.with_(name=fresh_name(self.tensors, like.name))
        after = state.with_(name=f"{state.name}/after")
        self.tensors |= {state.name: state, after.name: after}
        self.states.append(State(state.name, after.name, np.full(state.shape, initial, state.dtype.numpy)))
        return state.name, after.name

    def _state(
        self, stem: str, x: Tensor, axis: int, count: int, fill: float
    ) -> tuple[TensorName, TensorName]:
        """A state of `count` frames like those of x, and the tensor it becomes."""
        if math.prod(x.shape[:axis]) != 1:
            raise Refused("needs more than one frame of a tensor whose frames are not contiguous")
        shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        return self.keep(x.with_(name=stem, shape=shape), fill)

    def layer_name(self, stem: str) -> str:
        """A name that no layer has yet."""
        return fresh_name(dict.fromkeys(op.name for op in (*self.batch.ops, *self.ops)), stem)
