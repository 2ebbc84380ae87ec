"""A GRU of plain int8 layers: over one frame, whose state an outer loop carries, or over several at once.

Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014), with the state written as
n + z (h - n).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from strategies.common import constant
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Add, Concatenation, FullyConnected, Logistic, Mul, Op, Split, Sub, Tanh
from tinyc.ir.tensor import DType, Quantization, Shape, Tensor

UNITS, FEATURES = 6, 4
_STATE, _GATE, _TWICE = (
    Quantization((scale,), (zero,)) for scale, zero in ((2**-7, 0), (2**-8, -128), (2**-6, 0))
)
_SUM = Quantization((0.05,), (7,))


@dataclass
class _Layers:
    tensors: dict[str, Tensor] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)

    def tensor(self, name: str, shape: Shape, quantization: Quantization) -> str:
        self.tensors[name] = Tensor(name, shape, DType.INT8, quantization)
        return name

    def add(self, op: Op, quantization: Quantization) -> tuple[str, ...]:
        """The outputs of a layer."""
        shapes = op.output_shapes([self.tensors[name] for name in op.inputs])
        self.ops.append(op)
        return tuple(
            self.tensor(name, shape, quantization) for name, shape in zip(op.outputs, shapes, strict=True)
        )

    def dense(self, name: str, x: str, gate: str, quantization: Quantization) -> str:
        op = FullyConnected(name=name, inputs=(x, f"{gate}/weights"), outputs=(name,))
        return self.add(op, quantization)[0]

    def joined(self, name: str, x: str, h: str) -> str:
        return self.add(Concatenation(name=name, inputs=(x, h), outputs=(name,), axis=1), _STATE)[0]

    def pair(
        self, kind: type[Add] | type[Mul] | type[Sub], name: str, x: str, y: str, to: Quantization
    ) -> str:
        return self.add(kind(name=name, inputs=(x, y), outputs=(name,)), to)[0]

    def cell(self, at: int, x: str, h: str) -> str:
        """The state after frame `at`."""
        both = self.dense(f"gates_{at}", self.joined(f"xh_{at}", x, h), "gates", _SUM)
        opened = self.add(Logistic(name=f"opened_{at}", inputs=(both,), outputs=(f"opened_{at}",)), _GATE)
        split = Split(
            name=f"split_{at}", inputs=opened, outputs=(f"z_{at}", f"r_{at}"), axis=1, sizes=(UNITS, UNITS)
        )
        z, r = self.add(split, _GATE)
        seen = self.joined(f"xrh_{at}", x, self.pair(Mul, f"rh_{at}", r, h, _STATE))
        new = self.dense(f"new_{at}", seen, "new", _SUM)
        (n,) = self.add(Tanh(name=f"n_{at}", inputs=(new,), outputs=(f"n_{at}",)), _STATE)
        change = self.pair(Mul, f"kept_{at}", z, self.pair(Sub, f"away_{at}", h, n, _TWICE), _TWICE)
        return self.pair(Add, f"h{at + 1}", n, change, _STATE)


def gru(frames: int) -> Graph:
    """Inputs: x0, x1, ... int8 [1, FEATURES], and the state h0 [1, UNITS].

    Outputs: y0, y1, ... [1, 3], and the state after the last frame, called h and the number of frames.
    """
    rng, made = np.random.default_rng(9), _Layers()
    for name, shape in (
        ("gates", (2 * UNITS, FEATURES + UNITS)),
        ("new", (UNITS, FEATURES + UNITS)),
        ("head", (3, UNITS)),
    ):
        values = rng.integers(-127, 128, shape).astype(np.int8)
        made.tensors[f"{name}/weights"] = constant(f"{name}/weights", values, Quantization((0.01,), (0,)))
    inputs = [made.tensor(f"x{at}", (1, FEATURES), _STATE) for at in range(frames)]
    h, outputs = made.tensor("h0", (1, UNITS), _STATE), []
    for at, x in enumerate(inputs):
        h = made.cell(at, x, h)
        outputs.append(made.dense(f"y{at}", h, "head", _SUM))
    return verify(Graph("gru", made.tensors, tuple(made.ops), (*inputs, "h0"), (*outputs, h)))
