"""Pools with pads of their own, which ONNX has: every kernel equals the reference, the reference NumPy."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from strategies.common import random_inputs
from strategies.pooling import random_padded_pool
from strategies.real import real
from support.kernel_cases import KERNELS
from support.programs import program_of
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.ir.ops import MaxPool2D
from tinyc.ir.ops.pooling import Pool2D
from tinyc.ir.tensor import DType, bits
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host

POOLS = sorted(key for key, kernel in KERNELS.items() if issubclass(kernel.op, Pool2D))
GRAPHS = 12
TRIES = 200


@pytest.mark.parametrize("key", POOLS)
def test_a_kernel_equals_the_reference_under_sanitizers(key: str) -> None:
    rng, kernel, graphs = np.random.default_rng(zlib.crc32(key.encode())), KERNELS[key], []

    def padded(rng: np.random.Generator) -> Graph:
        return random_padded_pool(rng, kernel.op)

    for draw in (padded, real(padded)) * TRIES:
        graph = draw(rng)
        if kernel.accepts(graph.ops[0], graph) and len(graphs) < GRAPHS:
            graphs.append(graph)
    assert len(graphs) == GRAPHS, f"{key} takes too few of the layers that are drawn"
    records = tuple((case, tuple(random_inputs(rng, graph))) for case, graph in enumerate(graphs))
    programs = [program_of(graph, [KERNELS[key]], f"m{case}") for case, graph in enumerate(graphs)]
    for (case, inputs), actual in zip(records, HostBundle(programs).run_all(records), strict=True):
        (expected,) = interpreter.run(graphs[case], inputs)
        np.testing.assert_array_equal(bits(actual[0]), bits(expected), err_msg=str(graphs[case].ops[0]))


def test_the_largest_element_of_a_padded_map() -> None:
    """Padding with the least value of the type and no pads gives the same."""
    rng = np.random.default_rng(2)
    for _ in range(40):
        graph = random_padded_pool(rng, MaxPool2D)
        (op,), x = graph.ops, graph["x"]
        assert isinstance(op, MaxPool2D)
        (value,) = random_inputs(rng, graph)
        top, bottom, left, right = op.pads
        least = np.iinfo(x.dtype.numpy).min if x.dtype is not DType.FLOAT32 else -np.inf
        padded = np.pad(value, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=least)
        windows = np.lib.stride_tricks.sliding_window_view(
            padded, (op.filter_height, op.filter_width), (1, 2)
        )
        expected = windows[:, :: op.stride_height, :: op.stride_width].max(axis=(-1, -2))
        np.testing.assert_array_equal(interpreter.run(graph, [value])[0], expected)
