"""Random TAKE, GATHER and GATHER_ND layers."""

from __future__ import annotations

import numpy as np

from strategies.common import constant, single_op_graph
from strategies.movement import any_input, moving_graph, some_shape, some_values
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Gather, GatherNd, Take
from tinyc.ir.tensor import DType, Tensor


def random_take(rng: np.random.Generator) -> Graph:
    x = any_input(rng, some_shape(rng))
    indices = tuple(tuple(map(int, _positions(rng, extent))) for extent in x.shape)
    return moving_graph(Take(name="layer", inputs=("x",), outputs=("y",), indices=indices), x)


def _positions(rng: np.random.Generator, extent: int) -> np.ndarray:  # type: ignore[type-arg]
    """Everything, twice, enlarged, mirrored, backwards, or at random."""
    whole = np.arange(extent)
    forms = (
        whole,
        whole,
        np.tile(whole, 2),
        np.repeat(whole, 2),
        np.pad(whole, 1, mode="symmetric"),
        whole[::-1],
        rng.integers(0, extent, int(rng.integers(1, 6))),
    )
    return forms[int(rng.integers(len(forms)))]


def random_gather(rng: np.random.Generator) -> Graph:
    data = any_input(rng, some_shape(rng), "data")
    axis = int(rng.integers(len(data.shape)))
    batch_dims = int(rng.integers(axis + 1))
    shape = (*data.shape[:batch_dims], *some_shape(rng, 0, 2))
    op = Gather(name="layer", inputs=("data", "i"), outputs=("y",), axis=axis, batch_dims=batch_dims)
    return _from_flash(rng, moving_graph(op, data, Tensor("i", shape, DType.INT32)))


def random_gather_nd(rng: np.random.Generator) -> Graph:
    data = any_input(rng, some_shape(rng), "data")
    depth = int(rng.integers(1, len(data.shape) + 1))
    op = GatherNd(name="layer", inputs=("data", "i"), outputs=("y",))
    return _from_flash(rng, moving_graph(op, data, Tensor("i", (*some_shape(rng, 0, 2), depth), DType.INT32)))


def _from_flash(rng: np.random.Generator, graph: Graph) -> Graph:
    """The same layer; every third time its data are a constant."""
    if rng.integers(3):
        return graph
    data = graph["data"]
    table = {**graph.tensors, "data": constant("data", some_values(rng, data), data.quantization)}
    return single_op_graph(graph.ops[0], list(table.values()))
