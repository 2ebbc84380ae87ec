"""Random stages: chains of two to four layers over an image, some with a branch that an ADD joins."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from strategies.common import activation, single_op_graph
from strategies.convolution import random_activation, random_bias, random_filters, random_output
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    MaxPool2D,
    Pad,
    Padding,
    PatchStage,
    Relu,
)
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Tensor


@dataclass
class Chain:
    """Layers one behind the other; `last` is the result so far."""

    rng: np.random.Generator
    last: Tensor
    ops: list[Op] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tensors[self.last.name] = self.last

    def stage(self, rows: int, columns: int, rolling: bool) -> Graph:
        """All of them as one op, in patches of this size."""
        stage = PatchStage.of(self.ops, self.tensors, rows, columns, rolling)
        return single_op_graph(stage, [t for t in self.tensors.values() if t not in stage.between])

    def _add(self, op: Op, result: Tensor, *constants: Tensor) -> None:
        self.ops.append(op)
        self.tensors |= {tensor.name: tensor for tensor in (*constants, result)}
        self.last = result

    def convolution(self, kind: type[Conv2D] | type[DepthwiseConv2D], channels: int, *, alike: bool) -> None:
        """`alike`: the image keeps its size. Raises ValueError for a window that does not fit."""
        rng, x, at = self.rng, self.last, len(self.ops)
        kernel = tuple(int(v) for v in rng.choice([1, 2, 3, 3, 5], 2))
        padding = Padding.SAME if alike else Padding(str(rng.choice(["SAME", "VALID", "EXPLICIT"])))
        pads = tuple(int(v) for v in rng.integers(0, 3, 4)) if padding is Padding.EXPLICIT else (0, 0, 0, 0)
        dense = kind is Conv2D
        shape = (channels, *kernel, x.shape[3]) if dense else (1, *kernel, x.shape[3])
        filters = random_filters(rng, shape, 0 if dense else 3).with_(name=f"filters_{at}")
        bias = random_bias(rng, x, filters, shape[0] if dense else shape[3]).with_(name=f"bias_{at}")
        op = kind(
            name=f"{kind.__name__.lower()}_{at}",
            inputs=(x.name, filters.name, bias.name),
            outputs=(f"t{at}",),
            stride=(1, 1) if alike else tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2)),  # type: ignore[arg-type]
            dilation=tuple(int(v) for v in rng.choice([1, 1, 2], 2)),  # type: ignore[arg-type]
            padding=padding,
            pads=pads,  # type: ignore[arg-type]
            activation=random_activation(rng),
        )
        (found,) = op.output_shapes([x, filters, bias])
        result = random_output(rng, found, x, filters, op.activation).with_(name=op.outputs[0])
        self._add(op, result, filters, bias)

    def pool(self) -> None:
        x, at = self.last, len(self.ops)
        kind = (AveragePool2D, MaxPool2D)[int(self.rng.integers(2))]
        size, stride = int(self.rng.integers(1, 4)), int(self.rng.integers(1, 3))
        op = kind(
            name=f"pool_{at}",
            inputs=(x.name,),
            outputs=(f"t{at}",),
            filter_height=size,
            filter_width=size,
            stride_height=stride,
            stride_width=stride,
            padding=(Padding.SAME, Padding.VALID)[int(self.rng.integers(2))],
        )
        (shape,) = op.output_shapes([x])
        self._add(op, x.with_(name=op.outputs[0], shape=shape))

    def pad(self) -> None:
        x, at = self.last, len(self.ops)
        before, after, left, right = (int(v) for v in self.rng.integers(0, 3, 4))
        sides = ((0, 0), (before, after), (left, right), (0, 0))
        op = Pad(name=f"pad_{at}", inputs=(x.name,), outputs=(f"t{at}",), paddings=sides)
        (shape,) = op.output_shapes([x])
        self._add(op, x.with_(name=op.outputs[0], shape=shape))

    def relu(self) -> None:
        x, at = self.last, len(self.ops)
        op = Relu(name=f"relu_{at}", inputs=(x.name,), outputs=(f"t{at}",))
        self._add(op, activation(self.rng, op.outputs[0], x.shape))

    def branch(self) -> None:
        """One or two convolutions beside what they read, and the sum of both."""
        x = self.last
        for _ in range(int(self.rng.integers(1, 3))):
            self.convolution(Conv2D, x.shape[3], alike=True)
        at = len(self.ops)
        inputs = (x.name, self.last.name) if self.rng.integers(2) else (self.last.name, x.name)
        op = Add(name=f"add_{at}", inputs=inputs, outputs=(f"t{at}",), activation=random_activation(self.rng))
        self._add(op, activation(self.rng, op.outputs[0], x.shape))


def random_graph(rng: np.random.Generator) -> Graph:
    """Patches of any size; half of the stages have as many channels as kernels for words want."""
    while True:
        try:
            return _random_graph(rng)
        except ValueError:  # a window that does not fit
            continue


def _random_graph(rng: np.random.Generator) -> Graph:
    unit = int(rng.choice([1, 4]))
    height, width = (int(v) for v in rng.integers(5, 22, 2))
    x = activation(rng, "x", (1, height, width * unit if unit > 1 else width, unit * int(rng.integers(1, 3))))
    chain = Chain(rng, x)
    while len(chain.ops) < int(rng.integers(2, 5)):
        form = rng.random()
        if form < 0.4:
            chain.convolution(Conv2D, unit * int(rng.integers(1, 4)), alike=False)
        elif form < 0.7:
            chain.convolution(DepthwiseConv2D, 0, alike=False)
        elif form < 0.8:
            chain.branch()
        else:
            (chain.pool, chain.pad, chain.relu)[int(rng.integers(3))]()
    _, rows, columns, _ = chain.last.shape
    rolling = bool(rng.random() < 0.5)
    wide = rolling or rng.random() < 0.2
    width = columns if wide else int(rng.integers(1, columns + 1))
    return chain.stage(int(rng.integers(1, rows + 1)), width, rolling)
