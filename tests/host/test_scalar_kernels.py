"""The scalar kernels where their halves of a word are fullest: NumPy reference == C under sanitizers."""

from __future__ import annotations

import numpy as np
import pytest

from support.programs import program_of
from support.scalar_layers import extremes
from tinyc import interpreter
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.kernels import scalar
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host

CONVOLUTION = next(kernel for kernel in scalar.KERNELS if kernel.op is Conv2D)


def test_largest_partial_sums() -> None:
    graphs = extremes()
    assert all(CONVOLUTION.accepts(graph.ops[0], graph) for graph in graphs)
    bundle = HostBundle([program_of(graph, [CONVOLUTION], f"m{i}") for i, graph in enumerate(graphs)])
    rng = np.random.default_rng(0)
    for index, graph in enumerate(graphs):
        shape = graph[graph.inputs[0]].shape
        inputs = [np.full(shape, value, np.int8) for value in (-128, 127, 0)]
        inputs += [rng.choice([-128, 127], shape).astype(np.int8) for _ in range(5)]
        for x in inputs:
            (expected,) = interpreter.run(graph, [x])
            ((actual,),) = bundle.run(index, [[x]])
            np.testing.assert_array_equal(actual, expected)


def test_weights_that_are_too_many_come_on_their_own() -> None:
    row = np.array([127, 127, 1, 0, -128, -128, 3, 4, 63, 64, 64, 64, 9], np.int8)
    left, extras = scalar._split(row)
    assert list(left) == [127, 127, 1, 0, 0, -128, 3, 4, 63, 64, 64, 64, 9]
    assert extras == [4 << 8 | 0x80]
    restored = left.copy()
    for extra in extras:
        restored[extra >> 8] += np.uint8(extra & 0xFF).view(np.int8)
    np.testing.assert_array_equal(restored, row)
    assert max(np.abs(left[i : i + 4].astype(int)).sum() for i in range(0, len(left), 4)) <= 255
