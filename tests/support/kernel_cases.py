"""The catalogue's kernels by name, and random layers that each of them accepts."""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np

from strategies import strategy_of
from strategies.common import random_inputs
from strategies.int4 import for_kernel
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Add, Equal, LogicalNot, Quantize, Relu
from tinyc.ir.tensor import Array, bits
from tinyc.kernels.catalogue import CATALOGUE

# A table is filled by the reference of its op (test_lookup_table.py), and read by the same C whatever the
# op: a few stand for all.
TABULATED = (Add, Equal, LogicalNot, Quantize, Relu)
# One symbol may serve several ops.
KERNELS = {
    f"{kernel.op.kind}:{kernel.symbol}": kernel
    for kernel in CATALOGUE
    if kernel.op in TABULATED or not kernel.symbol.startswith("tinyc_lookup_")
}
GRAPHS = 24
DRAWS = 400


@cache
def cases(key: str) -> tuple[Graph, ...]:
    """`GRAPHS` random layers that the kernel accepts; the same ones in every run."""
    kernel = KERNELS[key]
    rng = np.random.default_rng(zlib.crc32(kernel.op.kind.encode()))
    found = []
    draw = strategy_of(kernel)
    for _ in range(DRAWS):
        graph = for_kernel(kernel, draw(rng))
        if kernel.accepts(graph.ops[0], graph):
            found.append(graph)
        if len(found) == GRAPHS:
            break
    return tuple(found)


def records(key: str, graphs: int, each: int) -> tuple[tuple[int, tuple[Array, ...]], ...]:
    """`each` (case, inputs) for the first `graphs` cases."""
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    return tuple(
        (index, tuple(random_inputs(rng, graph)))
        for index, graph in enumerate(cases(key)[:graphs])
        for _ in range(each)
    )


def assert_equal(key: str, case: int, expected: tuple[Array, ...], actual: tuple[Array, ...]) -> None:
    """Byte for byte; the message names kernel, case, shapes and the first element that differs."""
    for number, (left, right) in enumerate(zip(expected, actual, strict=True)):
        where = np.argwhere((bits(left) != bits(right)).any(axis=-1))
        if len(where):
            first = tuple(where[0])
            raise AssertionError(
                f"{key}, case {case}, output {number}: {len(where)} of {left.size} elements differ, first "
                f"at {list(map(int, first))}: reference {left[first]}, C {right[first]}\n"
                f"{described(key, case)}"
            )


def described(key: str, case: int) -> str:
    """The op and its tensors."""
    graph = cases(key)[case]
    op = graph.ops[0]
    return f"{op}\n{[graph[name] for name in (*op.inputs, *op.outputs)]}"
