"""Small graphs with state whose initial values are not all alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strategies import STRATEGIES
from strategies.common import random_inputs
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Op
from tinyc.ir.tensor import Array


def with_state(op: type[Op], seed: int = 5) -> Graph:
    """A random layer; the bytes of its first state begin with 0, 1, 2, ..."""
    graph = STRATEGIES[op](np.random.default_rng(seed))
    first, *rest = graph.states
    values = np.arange(first.initial.nbytes, dtype=np.uint8) % 100
    initial = values.view(first.initial.dtype).reshape(first.initial.shape)
    return verify(replace(graph, states=(replace(first, initial=initial), *rest)))


def sequence(graph: Graph, count: int, seed: int = 6) -> list[list[Array]]:
    """Inputs of so many inferences."""
    rng = np.random.default_rng(seed)
    return [random_inputs(rng, graph) for _ in range(count)]
