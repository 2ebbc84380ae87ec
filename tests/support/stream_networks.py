"""Random networks along time that look back only, and what their streaming form has to give."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from strategies.common import activation, constant, random_inputs
from strategies.convolution import random_activation, random_bias, random_filters, random_output
from strategies.real import usual
from strategies.recurrent import random_lstm, random_svdf
from tinyc import interpreter
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Activation,
    Add,
    AveragePool2D,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mean,
    Op,
    Pad,
    Padding,
    Relu,
    Reshape,
    StridedSlice,
    Sum,
    UnidirectionalSequenceLstm,
)
from tinyc.ir.state import State
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor


@dataclass
class Network:
    """Layers one behind the other over x [1, time, width, channels], or [1, 1, time, channels].

    `causal`: convolutions pad in front of the first frame, or else nowhere.
    """

    rng: np.random.Generator
    last: Tensor
    axis: int = 1
    causal: bool = True
    ops: list[Op] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tensors[self.last.name] = self.last

    def graph(self, states: tuple[State, ...] = ()) -> Graph:
        return verify(Graph("network", self.tensors, tuple(self.ops), ("x",), (self.last.name,), states))

    @property
    def time(self) -> int:
        return self.last.shape[self.axis]

    def add(self, op: Op, *constants: Tensor, result: Tensor | None = None) -> Tensor:
        """Add a layer; unless its result is given, it has the input's quantization."""
        self.tensors |= {tensor.name: tensor for tensor in constants}
        (shape,) = op.output_shapes([self.tensors[name] for name in op.inputs])
        made = (result or self.tensors[op.inputs[0]]).with_(name=op.outputs[0], shape=shape)
        self.ops.append(op)
        self.tensors[made.name] = self.last = made
        return made

    def _names(self, kind: str) -> tuple[str, tuple[str, ...]]:
        return f"{kind}_{len(self.ops)}", (f"t{len(self.ops)}",)

    def _pair(self, time: int, other: int) -> tuple[int, int]:
        return (time, other) if self.axis == 1 else (other, time)

    def convolution(
        self,
        kind: type[Conv2D] | type[DepthwiseConv2D],
        channels: int,
        taps: int,
        stride: int = 1,
        apart: int = 1,
        across: int | None = None,
    ) -> None:
        """`across`: the window along the other axis, which keeps its extent; by default a random one."""
        rng, x, at = self.rng, self.last, len(self.ops)
        around = (1, 0) if across is None else ((across - 1) // 2, across // 2)
        if across is None:
            across = int(rng.integers(1, 4)) if self.axis == 1 and x.shape[2] > 3 else 1
        kernel = self._pair(taps, across)
        dense = kind is Conv2D
        shape = (channels, *kernel, x.shape[3]) if dense else (1, *kernel, x.shape[3])
        filters = random_filters(rng, shape, 0 if dense else 3).with_(name=f"filters_{at}")
        bias = random_bias(rng, x, filters, shape[0] if dense else shape[3]).with_(name=f"bias_{at}")
        reach = (taps - 1) * apart
        early = reach if self.causal else 0
        pads = (early, 0, *around) if self.axis == 1 else (0, 0, early, 0)
        name, outputs = self._names(kind.__name__.lower())
        op = kind(
            name=name,
            inputs=(x.name, filters.name, bias.name),
            outputs=outputs,
            stride=self._pair(stride, 1),
            dilation=self._pair(apart, 1),
            padding=Padding.EXPLICIT,
            pads=pads,
            activation=random_activation(rng),
        )
        (found,) = op.output_shapes([x, filters, bias])
        result = random_output(rng, found, x, filters, op.activation)
        self.add(op, filters, bias, result=result)

    def residual(self, taps: int, apart: int) -> None:
        """A depthwise layer, added to or put beside what it reads; without padding that is cropped."""
        x = self.last
        self.convolution(DepthwiseConv2D, 0, taps, 1, apart)
        y = self.last
        if y.shape[2] != x.shape[2]:
            return
        if y.shape != x.shape:
            self.last = x
            x = self.slice(x.shape[self.axis] - y.shape[self.axis], y.shape[self.axis])
        name, outputs = self._names("add")
        self.add(
            Add(name=name, inputs=(y.name, x.name), outputs=outputs),
            result=activation(self.rng, "y", y.shape, low=0.01),
        )

    def slice(self, begin: int, count: int, *, squeeze: bool = False) -> Tensor:
        """Frames from `begin` on; `squeeze`: without the axis of time."""
        x, axis = self.last, self.axis
        size = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        name, outputs = self._names("slice")
        op = StridedSlice(
            name=name,
            inputs=(x.name,),
            outputs=outputs,
            begin=tuple(begin if at == axis else 0 for at in range(len(size))),
            size=size,
            strides=(1,) * len(size),
            shape=(*size[:axis], *size[axis + 1 :]) if squeeze else size,
        )
        return self.add(op)

    def branches(self, taps: int) -> None:
        """Two pools of different lengths over frames padded in front, one beside the other."""
        x, parts = self.last, []
        for length in (taps, taps + 1):
            self.last = x
            self.pad(length - 1)
            self.pool(MaxPool2D, length, 1)
            parts.append(self.last.name)
        name, outputs = self._names("concatenation")
        self.add(Concatenation(name=name, inputs=tuple(parts), outputs=outputs, axis=3))

    def pad(self, early: int) -> None:
        """So many frames of zeros in front."""
        paddings = tuple((early if axis == self.axis else 0, 0) for axis in range(4))
        name, outputs = self._names("pad")
        self.add(Pad(name=name, inputs=(self.last.name,), outputs=outputs, paddings=paddings))

    def pool(self, kind: type[MaxPool2D] | type[AveragePool2D], taps: int, stride: int) -> None:
        name, outputs = self._names("pool")
        (height, width), (down, across) = self._pair(taps, 1), self._pair(stride, 1)
        self.add(
            kind(
                name=name,
                inputs=(self.last.name,),
                outputs=outputs,
                filter_height=height,
                filter_width=width,
                stride_height=down,
                stride_width=across,
            )
        )

    def relu(self) -> None:
        name, outputs = self._names("relu")
        self.add(Relu(name=name, inputs=(self.last.name,), outputs=outputs))

    def mean(self) -> None:
        """Over time and the axis across."""
        name, outputs = self._names("mean")
        self.add(Mean(name=name, inputs=(self.last.name,), outputs=outputs, axes=(1, 2)))

    def sum(self) -> None:
        """As `mean`, with a scale of its own."""
        name, outputs = self._names("sum")
        result = self.last.with_(quantization=activation(self.rng, "y", (1,), low=0.05).quantization)
        op = Sum(name=name, inputs=(self.last.name,), outputs=outputs, axes=(1, 2), keep_dims=True)
        self.add(op, result=result)

    def pool_all(self) -> None:
        """The mean as a pool over all of time."""
        name, outputs = self._names("pool")
        height, width = self.last.shape[1:3]
        self.add(
            AveragePool2D(
                name=name,
                inputs=(self.last.name,),
                outputs=outputs,
                filter_height=height,
                filter_width=width,
                activation=Activation.RELU,
            )
        )

    def dense(self, units: int, *, over_time: bool) -> None:
        """Per frame, or over the whole of time."""
        x, time = self.last, self.time
        name, outputs = self._names("flat")
        shape = (1, x.elements) if over_time else (time, x.elements // time)
        flat = self.add(Reshape(name=name, inputs=(x.name,), outputs=outputs, shape=shape))
        weights = constant(
            f"weights_{len(self.ops)}",
            self.rng.integers(-127, 128, (units, shape[1])).astype(np.int8),
            Quantization((0.01,), (0,)),
        )
        name, outputs = self._names("dense")
        op = FullyConnected(name=name, inputs=(flat.name, weights.name), outputs=outputs)
        self.add(op, weights, result=activation(self.rng, "y", (1,), low=0.05))

    def recurrent(self, layer: Graph, sequence: Shape, result: Shape) -> None:
        """The one layer of another graph, which reads x and gives y, over frames as `sequence`."""
        (op,) = layer.ops
        flat = Reshape(name="sequence", inputs=(self.last.name,), outputs=("sequence",), shape=sequence)
        self.add(flat)
        others = {name: tensor for name, tensor in layer.tensors.items() if name not in ("x", "y")}
        self.tensors |= others
        self.ops.append(op.with_(inputs=("sequence", *op.inputs[1:])))
        self.tensors["y"] = self.last = layer["y"].with_(shape=result)


def random_network(rng: np.random.Generator, *, causal: bool, head: bool = True) -> tuple[Graph, int]:
    """(the model, its axis of time): two to four layers, at times with a head that takes all of time."""
    axis, time = int(rng.integers(1, 3)), int(rng.integers(20, 30))
    width, channels = (int(rng.integers(1, 6)) if axis == 1 else 1), int(rng.integers(1, 6))
    shape = (1, time, width, channels) if axis == 1 else (1, 1, time, channels)
    net = Network(rng, activation(rng, "x", shape), axis, causal)
    for _ in range(int(rng.integers(2, 5))):
        taps, apart = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
        stride = 2 if rng.random() < 0.2 else 1
        choice = int(rng.integers(0, 6))
        if choice < 2:
            kind = (Conv2D, DepthwiseConv2D)[choice]
            net.convolution(kind, int(rng.integers(1, 6)), taps, stride, apart)
        elif choice == 2:
            net.residual(taps, apart)
        elif choice == 3 and causal:
            net.branches(taps)
        elif choice == 4 and not causal:
            net.pool((MaxPool2D, AveragePool2D)[int(rng.integers(2))], taps, stride)
        else:
            net.relu()
        if net.time < 7:
            break
    end = int(rng.integers(0, 4)) if head else 0
    if end == 1:
        (net.mean, net.sum, net.pool_all)[int(rng.integers(3))]()
    elif end > 1:
        net.dense(3, over_time=end == 2)
    return net.graph(), axis


def in_float32(rng: np.random.Generator, graph: Graph) -> Graph:
    """The same layers with float32 weights."""
    tensors = {
        name: tensor.with_(
            dtype=DType.FLOAT32,
            quantization=None,
            data=usual(rng, tensor.shape) if tensor.is_constant else None,
        )
        for name, tensor in graph.tensors.items()
    }
    return verify(Graph(graph.name, tensors, graph.ops, graph.inputs, graph.outputs))


def lstm_network(rng: np.random.Generator, *, causal: bool = True) -> Graph:
    """A convolution along axis 2 and an LSTM, of which the last output counts."""
    while True:
        layer = random_lstm(rng)
        (op,), x = layer.ops, layer["x"]
        assert isinstance(op, UnidirectionalSequenceLstm)
        if x.shape[0] == 1 and x.dtype is DType.INT8 and not op.time_major:
            break
    net = Network(rng, activation(rng, "x", (1, 1, 9, 2)), 2, causal)
    net.convolution(Conv2D, x.shape[2], 3)
    net.recurrent(layer, (1, net.time, x.shape[2]), (1, net.time, layer["y"].shape[2]))
    net.axis = 1
    net.slice(net.time - 1, 1, squeeze=True)
    return net.graph(layer.states)


def svdf_network(rng: np.random.Generator) -> Graph:
    """A convolution along axis 2, whose stride leaves one frame of four, and an SVDF."""
    layer = random_svdf(rng)
    while layer["x"].shape[0] != 1:
        layer = random_svdf(rng)
    net = Network(rng, activation(rng, "x", (1, 1, 4, 2)), 2)
    net.convolution(Conv2D, layer["x"].shape[1], 6, 4)
    net.recurrent(layer, layer["x"].shape, layer["y"].shape)
    return net.graph(layer.states)


def frames_of(x: Array, axis: int, begin: int, count: int) -> Array:
    """Some frames of an input."""
    return np.take(x, range(begin, begin + count), axis)


def long_input(rng: np.random.Generator, graph: Graph, axis: int, frames: int) -> Array:
    """So many frames for a model, however many it takes."""
    (name,) = graph.inputs
    shape = graph[name].shape
    longer = graph[name].with_(shape=(*shape[:axis], frames, *shape[axis + 1 :]))
    (values,) = random_inputs(rng, Graph("long", {name: longer}, (), (name,), ()))
    return values


def streamed_outputs(streaming: Graph, x: Array) -> list[Array]:
    """The first output of each inference over x, from a reset on."""
    assert streaming.stream is not None
    axis, step = streaming.stream.axis, streaming.stream.frames
    parts = [(frames_of(x, axis, at, step),) for at in range(0, x.shape[axis] - step + 1, step)]
    return [outputs[0] for outputs in interpreter.run_sequence(streaming, parts)]


def expected_frames(batch: Graph, streaming: Graph, found: list[Array], x: Array) -> tuple[Array, Array]:
    """(frames of the streaming model, those of the batch model), for a model whose output has frames."""
    told = streaming.stream
    assert told is not None
    (wanted,) = interpreter.run(batch, [frames_of(x, told.axis, 0, told.batch_frames)])
    axis = next(at for at, extent in enumerate(wanted.shape) if extent > 1 or at == told.axis)
    step, lag = found[0].shape[axis], told.lags[0]
    given = np.concatenate(found, axis)
    first = told.warm_up * step
    count = min(given.shape[axis] - first, wanted.shape[axis] + lag - first)
    return frames_of(given, axis, first, count), frames_of(wanted, axis, first - lag, count)
