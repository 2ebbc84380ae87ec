"""The 256-entry tables that go to flash equal the operator's reference, code by code."""

from __future__ import annotations

import math

import numpy as np
import pytest

from strategies import STRATEGIES
from tinyc.interpreter import run
from tinyc.ir.graph import Graph
from tinyc.kernels.portable_lookup import KERNELS, table_of
from tinyc.quantize.lookup_table import apply_real_function, byte_order, tabulate

pytestmark = pytest.mark.unit


def test_bytes_are_in_the_order_of_the_kernel() -> None:
    assert byte_order(signed=False).tolist() == list(range(256))
    assert byte_order(signed=True).tolist() == [*range(128), *range(-128, 0)]
    assert np.array_equal(byte_order(signed=True).astype(np.int8).view(np.uint8), np.arange(256))


def test_a_table_holds_bytes() -> None:
    table = tabulate(lambda codes: -1 - codes)
    assert table.dtype == np.uint8 and table.shape == (256,)
    assert table.view(np.int8)[np.uint8(5)] == -6
    assert table.view(np.int8)[np.int8(-128).view(np.uint8)] == 127


@pytest.mark.parametrize("op", [kernel.op for kernel in KERNELS], ids=lambda op: op.kind)
def test_the_table_equals_the_reference(op: type) -> None:
    (kernel,) = (kernel for kernel in KERNELS if kernel.op is op)
    rng = np.random.default_rng(7)
    tried = 0
    while tried < 20:
        graph: Graph = STRATEGIES[op](rng)
        if not kernel.accepts(graph.ops[0], graph):
            continue
        tried += 1
        x = graph[graph.inputs[0]]
        table = table_of(graph.ops[0], graph)
        data = rng.integers(0, 256, x.shape).astype(np.uint8).view(x.dtype.numpy)
        (expected,) = run(graph, [data])
        assert table[data.view(np.uint8)].reshape(expected.shape).tobytes() == expected.tobytes()


def test_a_real_function_is_rounded_half_away_and_clamped() -> None:
    codes = np.array([[-3, -1, 1, 3, 100]])
    y = apply_real_function(lambda x: x, codes, 0.5, 0, 1.0, 0, -2, 20)
    assert y.tolist() == [[-2, -1, 1, 2, 20]]


def test_a_real_function_is_close_to_the_real_thing() -> None:
    codes = np.arange(-128, 128)
    y = apply_real_function(math.tanh, codes, 0.03, 4, 1 / 128, 0, -128, 127)
    assert np.abs(y / 128 - np.tanh(0.03 * (codes - 4))).max() <= 0.5 / 128 + 1e-6 + 1 / 128
