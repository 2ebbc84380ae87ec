"""SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND become one dilated convolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from strategies.common import random_inputs
from support.chains import Chain
from tinyc import interpreter, passes
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import BatchToSpaceNd, Conv2D, Reshape, SpaceToBatchNd

pytestmark = pytest.mark.unit


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def over_two_axes(rng: np.random.Generator, *, real: bool = False) -> Chain:
    """Margins as TensorFlow gives them: those of SAME or VALID padding, and what fills the last blocks up."""
    height, width = (int(extent) for extent in rng.integers(7, 12, 2))
    chain = Chain(rng, (1, height, width, 3), real=real)
    block = tuple(int(size) for size in rng.integers(1, 4, 2))
    margins, crops = [], []
    for extent, size in ((height, block[0]), (width, block[1])):
        before, after = (int(count) for count in rng.integers(0, 3, 2))
        rest = -(extent + before + after) % size
        margins.append((before, after + rest))
        crops.append((0, rest))
    chain.add(SpaceToBatchNd, same=True, block=block, margins=tuple(margins))
    chain.convolution(depthwise=bool(rng.integers(2)))
    chain.add(BatchToSpaceNd, same=True, block=block, margins=tuple(crops))
    return chain


def over_one_axis(rng: np.random.Generator) -> Chain:
    """As old converters write Conv1D; the kernel is two wide, or three high."""
    chain = Chain(rng, (1, 13, 3), real=False)
    axis, size = int(rng.integers(1, 3)), int(rng.integers(2, 4))
    chain.add(SpaceToBatchNd, same=True, block=(size,), margins=((4 * size, -13 % size),))
    batch, steps, channels = chain.last.shape
    chain.add(
        Reshape, same=True, shape=(batch, 1, steps, channels) if axis == 1 else (batch, steps, 1, channels)
    )
    filters = chain.constant("filters", (4, 1, 2, channels) if axis == 1 else (4, 3, 1, channels))
    chain.add(Conv2D, filters)
    chain.add(Reshape, same=True, shape=(batch, chain.last.elements // (4 * batch), 4))
    chain.add(BatchToSpaceNd, same=True, block=(size,), margins=((0, -13 % size),))
    return chain


@pytest.mark.parametrize("draw", [over_two_axes, over_one_axis])
def test_the_pattern_is_one_dilated_convolution(draw: Callable[[np.random.Generator], Chain]) -> None:
    rng = np.random.default_rng(5)
    for _ in range(30):
        graph = draw(rng).graph()
        fused = verify(passes.fuse_dilations(graph))
        assert [kind for kind in kinds(fused) if kind != "RESHAPE"] in (["CONV_2D"], ["DEPTHWISE_CONV_2D"])
        inputs = random_inputs(rng, graph)
        assert np.array_equal(interpreter.run(fused, inputs)[0], interpreter.run(graph, inputs)[0])


def test_floats_are_fused_too() -> None:
    graph = over_two_axes(np.random.default_rng(1), real=True).graph()
    assert len(passes.fuse_dilations(graph).ops) == 1


def test_values_that_others_read_stay() -> None:
    graph = over_two_axes(np.random.default_rng(1)).graph()
    for op in graph.ops[:2]:
        kept = graph.rebuilt(outputs=(*op.outputs, *graph.outputs))
        assert kinds(passes.fuse_dilations(kept)) == kinds(graph)


def test_blocks_that_differ_stay() -> None:
    chain = Chain(np.random.default_rng(0), (1, 8, 8, 3), real=False)
    chain.add(SpaceToBatchNd, same=True, block=(2, 4), margins=((0, 0), (0, 0)))
    chain.convolution(depthwise=True)
    chain.add(BatchToSpaceNd, same=True, block=(4, 2), margins=((0, 0), (0, 0)))
    graph = chain.graph()
    assert kinds(passes.fuse_dilations(graph)) == kinds(graph)
