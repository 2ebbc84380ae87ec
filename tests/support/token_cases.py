"""Small graphs for the kernels of token blocks, by name, with the inputs that they are tried on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from support.programs import program_of
from support.token_layers import Builder, bert, embbert, vectors
from tinyc import interpreter
from tinyc.boards import Board
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Gelu, LayerNorm, Pooling, RmsNorm, Silu, SquaredRelu
from tinyc.ir.tensor import Array
from tinyc.kernels.catalogue import candidates
from tinyc.program import Program
from tinyc.token_blocks import with_blocks

ISAS = ("portable", "cortex_m4_no_fpu", "cortex_m4")
_BITS = (8, 16)


def program(graph: Graph, isa: str, name: str = "model", board: Board | None = None) -> Program:
    """The graph in blocks, computed by the block kernel of `isa`."""
    blocked = with_blocks(graph)
    kernels = []
    for op in blocked.ops:
        able = candidates(op, blocked)
        kernels.append(next((kernel for kernel in able if kernel.isa == isa), able[-1]))
    assert any(kernel.isa == isa for kernel in kernels)
    return program_of(blocked, kernels, name, board)


def expected(graph: Graph, inputs: Sequence[Array]) -> tuple[Array, ...]:
    return interpreter.run(graph, inputs)


def assert_same(what: str, wanted: Sequence[Array], found: Sequence[Array]) -> None:
    """Byte for byte in the rows that the sentence has."""
    for number, (left, right) in enumerate(zip(wanted, found, strict=True)):
        rows = right[:, : left.shape[1]] if left.shape != right.shape else right
        where = np.argwhere(left != rows)
        if len(where):
            first = tuple(where[0])
            raise AssertionError(
                f"{what}, output {number}: {len(where)} of {left.size} elements differ, first at "
                f"{list(map(int, first))}: reference {left[first]}, C {rows[first]}"
            )


def inputs_of(graph: Graph, seed: int) -> list[list[Array]]:
    """Random inputs; extreme ones for activations, sentences of many lengths for ids."""
    longest = sequence.longest(graph)
    if longest:
        lengths = sorted({0, 1, min(2, longest), longest // 2, longest - 1, longest})
        return [*vectors(graph, seed, lengths), _strange_ids(graph, seed)]
    found = [*vectors(graph, seed), *vectors(graph, seed + 1)]
    for low, high in ((0, 0), (1, 1), (0, 1)):
        rng = np.random.default_rng(seed)
        arrays = []
        for name in graph.inputs:
            limits = np.iinfo(graph[name].dtype.numpy)
            ends = [(limits.min, limits.max)[which] for which in (low, high)]
            arrays.append(rng.choice(ends, graph[name].shape).astype(graph[name].dtype.numpy))
        found.append(arrays)
    zeros = [np.zeros(graph[name].shape, graph[name].dtype.numpy) for name in graph.inputs]
    one_hot = [array.copy() for array in zeros]
    for array in one_hot:
        array.reshape(-1)[array.size // 2] = np.iinfo(array.dtype).max
    return [*found, zeros, one_hot]


def _strange_ids(graph: Graph, seed: int) -> list[Array]:
    """Ids outside of the vocabulary among others."""
    (ids,) = vectors(graph, seed, [sequence.longest(graph)])[0]
    ids[0, :: max(ids.size // 4, 1)] = 32767
    ids[0, 1 :: max(ids.size // 3, 2)] = -1
    return [ids]


def _linear(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    build = Builder(seed, int(rng.integers(1, 10)))
    sources = [build.input(int(rng.integers(1, 50)), _BITS[seed % 2]) for _ in range(1 + seed % 3)]
    units, bits = int(rng.integers(1, 24)), _BITS[seed // 2 % 2]
    zero_point = int(rng.integers(-100, 100)) if seed % 4 == 0 else 0
    residual = None
    if seed % 5 in (1, 2):
        residual = build.input(units, _BITS[seed % 5 - 1], scale=0.02 if seed % 5 == 1 else 0.0002)
    elif seed % 5 == 3:
        own = _BITS[seed // 5 % 2]
        data = build.rng.integers(-100 * own, 100 * own, (1, build.rows, units)) // (1 if own == 16 else 8)
        residual = build.constant(data.astype(np.int16 if own == 16 else np.int8), 0.01)
    activation = Activation.RELU if seed % 7 == 0 else Activation.NONE
    y = build.linear(
        *sources, units=units, bits=bits, zero_point=zero_point, residual=residual, activation=activation
    )
    return build.graph(y)


def _linear_zero_points(seed: int) -> Graph:
    """Zero points of the input, the residual and the output."""
    build = Builder(seed, 5)
    x, residual = build.input(19), build.input(10)
    y = build.linear(x, units=10, residual=residual, zero_point=-30 + seed)
    for name, zero in ((x, -128 + seed), (residual, 77)):
        tensor = build.tensors[name]
        assert tensor.quantization is not None
        build.tensors[name] = tensor.with_(quantization=replace(tensor.quantization, zero_point=(zero,)))
    return build.graph(y)


def _square_linear(seed: int) -> Graph:
    """An output that fits in the place of the input, and dies with it."""
    build = Builder(seed, 6)
    x = build.input(16 + seed)
    y = build.linear(x, units=16 + seed)
    return build.graph(build.linear(y, units=8 + seed // 2, bits=16) if seed % 2 else y)


def _shared_inputs(seed: int) -> Graph:
    """Linear layers that read the same: queries, keys and values, or two pairs."""
    build = Builder(seed, 1 + 3 * seed)
    x, other = build.input(10 + 7 * seed, _BITS[seed % 2]), build.input(9 + seed)
    sources = [x] if seed % 3 else [x, other]
    outputs = [build.linear(*sources, units=units, bits=_BITS[units % 2]) for units in (5, 8 + seed, 12)]
    outputs.append(build.linear(x, units=3))
    return build.graph(*outputs)


def _norm(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    build = Builder(seed, int(rng.integers(1, 10)))
    x = build.input(int(rng.integers(3, 60)), _BITS[seed % 2], scale=0.001 if seed % 2 else 0.03)
    kind = (RmsNorm, LayerNorm)[seed // 2 % 2]
    return build.graph(build.norm(x, kind, bits=_BITS[seed // 4 % 2], gain=bool(seed // 8 % 2)))


def _even_norm(seed: int) -> Graph:
    """What the kernel for int16 takes."""
    build = Builder(seed, 1 + seed % 9)
    x = build.input(4 + 2 * seed, 16, scale=0.001)
    kind = (RmsNorm, LayerNorm)[seed % 2]
    return build.graph(build.norm(x, kind, bits=_BITS[seed // 2 % 2], gain=bool(seed // 4 % 2)))


def _attention(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    heads, rows = int(rng.integers(1, 4)), int(rng.integers(1, 20))
    build = Builder(seed, rows)
    depth = int(rng.choice([16, 32])) if seed % 3 else int(rng.integers(1, 20))
    width = 4 * int(rng.integers(1, 5)) if seed % 3 else int(rng.integers(1, 20))
    q_rows = (rows, 1, rows)[seed % 3]
    q = build.input(heads * depth, rows=q_rows)
    k = build.input(heads * depth)
    v = build.input(heads * width)
    if seed % 4 == 3:
        k = v = q
        return build.graph(build.attention(q, q, q, heads, causal=seed % 8 == 3, bits=_BITS[seed % 2]))
    return build.graph(build.attention(q, k, v, heads, causal=seed % 4 == 1, bits=_BITS[seed // 2 % 2]))


def _few_queries(seed: int) -> Graph:
    """More keys than queries."""
    build = Builder(seed, 11)
    q, k, v = build.input(32, rows=2 + seed), build.input(32), build.input(8)
    return build.graph(build.attention(q, k, v, 2))


def _embedding(seed: int) -> Graph:
    build = Builder(seed, 1 + 3 * (seed % 4), sentence=True)
    rank = (None, 3, 16, 18)[seed % 4]
    units = 5 + seed
    x = build.embedding(units, rank, positions=bool(seed % 2), segments=bool(seed // 2 % 2))
    return build.graph(x)


def _convolution(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    build = Builder(seed, int(rng.integers(1, 14)))
    x = build.input(4 * int(rng.integers(1, 6)) if seed % 3 else int(rng.integers(1, 20)))
    rows = 1 if seed % 5 == 0 else None
    zero_point = int(rng.integers(-128, 128))
    y = build.convolution(x, int(rng.integers(1, 19)), rows, zero_point)
    tensor = build.tensors[x]
    assert tensor.quantization is not None
    quantization = replace(tensor.quantization, zero_point=(int(rng.integers(-128, 128)),))
    build.tensors[x] = tensor.with_(quantization=quantization)
    return build.graph(y)


def _curve(seed: int) -> Graph:
    build = Builder(seed, 1 + seed)
    x = build.norm(build.input(7 + seed))
    return build.graph(build.curve(x, (Gelu, Silu, SquaredRelu)[seed % 3], _BITS[seed // 3 % 2]))


def _pool(seed: int) -> Graph:
    build = Builder(seed, 1 + 2 * seed)
    x = build.input(3 + seed, _BITS[seed % 2])
    return build.graph(build.pool(x, (Pooling.MEAN, Pooling.RMS)[seed // 2 % 2]))


def _pool_of_a_block(seed: int) -> Graph:
    """Rows that exist for a tile only; other rows are read as a whole, in another number."""
    build = Builder(seed, 6 + 3 * seed)
    q = build.input(32, rows=(1, 2, 5, 8, 11, 3)[seed])
    k, v = build.input(32), build.input(12)
    x = build.norm(build.linear(build.attention(q, k, v, 2), units=20 + seed, bits=16), bits=_BITS[seed % 2])
    return build.graph(build.pool(x, (Pooling.MEAN, Pooling.RMS)[seed // 2 % 2]))


def _counted_pool(seed: int) -> Graph:
    """The rows of a sentence."""
    build = Builder(seed, 9, sentence=True)
    x = build.norm(build.embedding(12), bits=_BITS[seed % 2])
    return build.graph(build.pool(x, (Pooling.MEAN, Pooling.RMS)[seed // 2 % 2]))


def _embbert(seed: int) -> Graph:
    return embbert(seed, rows=5 + 4 * seed, units=(16, 32, 48)[seed % 3], taps=(6, 4, 9)[seed % 3])


def _bert(seed: int) -> Graph:
    return bert(seed, rows=5 + 4 * seed, units=(32, 24, 16)[seed % 3], heads=(2, 3, 1)[seed % 3])


FAMILIES: dict[str, tuple[Callable[[int], Graph], int]] = {
    "linear": (_linear, 30),
    "linear_zero_points": (_linear_zero_points, 3),
    "square_linear": (_square_linear, 6),
    "shared_inputs": (_shared_inputs, 6),
    "norm": (_norm, 16),
    "even_norm": (_even_norm, 12),
    "attention": (_attention, 18),
    "few_queries": (_few_queries, 3),
    "embedding": (_embedding, 8),
    "convolution": (_convolution, 15),
    "curve": (_curve, 6),
    "pool": (_pool, 8),
    "pool_of_a_block": (_pool_of_a_block, 6),
    "counted_pool": (_counted_pool, 4),
    "embbert": (_embbert, 3),
    "bert": (_bert, 3),
}


@cache
def graphs(family: str) -> tuple[Graph, ...]:
    """The graphs of a family; the same ones in every run."""
    make, count = FAMILIES[family]
    return tuple(make(seed) for seed in range(count))
