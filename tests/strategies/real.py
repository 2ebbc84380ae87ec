"""Layers in float32, made from those in integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Op
from tinyc.ir.tensor import Array, DType, Shape, Tensor, TensorName

Strategy = Callable[[np.random.Generator], Graph]

_LARGEST, _SMALLEST = np.finfo(np.float32).max, np.float32(1e-45)
SPECIAL = np.array(
    [0, 1, 0.5, 1.5, 2.5, 1e-40, _SMALLEST, 2**23, 2.0**31, _LARGEST, np.inf, np.nan], np.float32
)
"""Numbers that float32 is peculiar about."""


def usual(rng: np.random.Generator, shape: Shape) -> Array:
    """Numbers of a common size."""
    return rng.normal(0, 2, shape).astype(np.float32)


def peculiar(rng: np.random.Generator, shape: Shape) -> Array:
    """One number in four is `SPECIAL`, of either sign."""
    signed = rng.choice(np.concatenate([SPECIAL, -SPECIAL]), shape)
    return np.asarray(np.where(rng.random(shape) < 0.25, signed, usual(rng, shape)), np.float32)


def real(random_graph: Strategy, stays: Sequence[TensorName] = ()) -> Strategy:
    """A strategy of the same layers with float32 instead of integers; truth values and `stays` are kept."""

    def drawn(rng: np.random.Generator) -> Graph:
        graph = random_graph(rng)
        odd = rng.random() < 0.25

        def change(tensor: Tensor) -> Tensor:
            if tensor.dtype is DType.BOOL or tensor.name in stays:
                return tensor
            data = None
            if tensor.is_constant:
                data = (peculiar if odd else usual)(rng, tensor.shape)
            return tensor.with_(dtype=DType.FLOAT32, quantization=None, data=data)

        tensors = {name: change(tensor) for name, tensor in graph.tensors.items()}
        states = tuple(
            replace(state, initial=np.zeros(state.initial.shape, np.float32)) for state in graph.states
        )
        return verify(Graph(graph.name, tensors, graph.ops, graph.inputs, graph.outputs, states))

    return drawn


def alone(op: type[Op]) -> Strategy:
    """Layers of an operator that has one input, one output of its shape, and only float32."""

    def drawn(rng: np.random.Generator) -> Graph:
        shape = tuple(int(extent) for extent in rng.integers(1, 8, int(rng.integers(1, 5))))
        tensors = {name: Tensor(name, shape, DType.FLOAT32) for name in ("x", "y")}
        layer = op(name="layer", inputs=("x",), outputs=("y",))
        return verify(Graph("single", tensors, (layer,), ("x",), ("y",)))

    return drawn
