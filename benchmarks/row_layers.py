"""Random TOKEN_BLOCKs of one layer, of every size that models have, for the fit of `work.toml`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Activation,
    Attention,
    DepthwiseConv1D,
    Embedding,
    Gelu,
    LayerNorm,
    Linear,
    Op,
    Pooling,
    RmsNorm,
    Silu,
    SquaredRelu,
    TokenBlock,
    TokenPool,
)
from tinyc.ir.tensor import DType, Tensor
from tinyc.kernels.kernel import Kernel
from tinyc.kernels.row_kernel import RowKernel
from tinyc.kernels.token_block import BLOCKS, BlockKernel
from tinyc.token_blocks import with_blocks

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.token_layers import Builder

_TRIES = 5000
_MOST_MACS = 400_000


def _one_of(rng: np.random.Generator, *choices: int) -> int:
    return int(rng.choice(choices))


def _builder(rng: np.random.Generator) -> Builder:
    return Builder(int(rng.integers(1 << 30)), _one_of(rng, 1, 2, 3, 4, 5, 7, 8, 12, 17, 24, 33, 48))


def _closed(build: Builder, output: str) -> Graph:
    graph: Graph = build.graph(output)
    return graph


def _linear(rng: np.random.Generator) -> Graph:
    build = _builder(rng)
    sources = [
        build.input(_one_of(rng, 16, 30, 64, 100, 128, 256), _one_of(rng, 8, 8, 16))
        for _ in range(_one_of(rng, 1, 1, 2))
    ]
    units = _one_of(rng, 5, 16, 33, 64, 128)
    residual = build.input(units, _one_of(rng, 8, 16)) if rng.random() < 0.4 else None
    activation = Activation.RELU if rng.random() < 0.2 else Activation.NONE
    bits = _one_of(rng, 8, 16)
    return _closed(
        build, build.linear(*sources, units=units, bits=bits, residual=residual, activation=activation)
    )


def _norm(rng: np.random.Generator) -> Graph:
    build = _builder(rng)
    x = build.input(_one_of(rng, 16, 31, 64, 90, 128, 160), _one_of(rng, 8, 16, 16), scale=0.001)
    kind = RmsNorm if rng.random() < 0.5 else LayerNorm
    return _closed(build, build.norm(x, kind, bits=_one_of(rng, 8, 16), gain=bool(rng.random() < 0.4)))


def _attention(rng: np.random.Generator) -> Graph:
    build, heads = _builder(rng), _one_of(rng, 1, 1, 2, 4)
    depth, width = _one_of(rng, 16, 32, 64, 128) // heads, _one_of(rng, 16, 32, 64, 128) // heads
    q = build.input(heads * depth, rows=None if rng.random() < 0.8 else 1)
    k, v = build.input(heads * depth), build.input(heads * width)
    causal = bool(rng.random() < 0.3) and build.tensors[q].shape[1] == build.rows
    return _closed(build, build.attention(q, k, v, heads, causal=causal))


def _embedding(rng: np.random.Generator) -> Graph:
    build = _builder(rng)
    build.tensors["ids"] = Tensor("ids", (1, build.rows), DType.INT16)
    build.inputs.append("ids")
    rank = _one_of(rng, 0, 8, 16, 16, 32) or None
    bits = _one_of(rng, 8, 8, 6, 4)
    flags = {"positions": bool(rng.random() < 0.8), "segments": bool(rng.random() < 0.5)}
    output = build.embedding(_one_of(rng, 32, 64, 128, 320), rank, bits=bits, **flags)
    # The separator of a sentence is its last token: the search goes through all.
    build.ops[-1] = build.ops[-1].with_(separator=-1)
    return _closed(build, output)


def _convolution(rng: np.random.Generator) -> Graph:
    build = _builder(rng)
    x = build.input(_one_of(rng, 16, 31, 64, 128, 320))
    rows = None if rng.random() < 0.8 else 1
    return _closed(build, build.convolution(x, _one_of(rng, 3, 4, 8, 16, 17, 32), rows))


def _curve(rng: np.random.Generator) -> Graph:
    build = _builder(rng)
    kind = (Gelu, Silu, SquaredRelu)[_one_of(rng, 0, 1, 2)]
    return _closed(build, build.curve(build.input(_one_of(rng, 31, 64, 128, 512)), kind, _one_of(rng, 8, 16)))


def _pool(rng: np.random.Generator) -> Graph:
    build = _builder(rng)
    x = build.input(_one_of(rng, 16, 31, 64, 128, 320), _one_of(rng, 8, 16, 16))
    return _closed(build, build.pool(x, Pooling.MEAN if rng.random() < 0.5 else Pooling.RMS))


_LAYERS: Mapping[type[Op], Callable[[np.random.Generator], Graph]] = {
    Attention: _attention,
    DepthwiseConv1D: _convolution,
    Embedding: _embedding,
    LayerNorm: _norm,
    Linear: _linear,
    RmsNorm: _norm,
    Silu: _curve,
    TokenPool: _pool,
}


def row_kernels() -> dict[str, tuple[RowKernel, BlockKernel]]:
    """By symbol: each row kernel, and the first block that has it."""
    found: dict[str, tuple[RowKernel, BlockKernel]] = {}
    for block in BLOCKS:
        for row in block.rows:
            if row.op in _LAYERS and (block.isa in row.symbol or row.symbol not in found):
                found[row.symbol] = (row, block)
    return found


def row_layers(row: RowKernel, block: BlockKernel, count: int, seed: int) -> list[tuple[Kernel, Graph]]:
    """`count` blocks of one layer that `row` computes, with the kernel of the block."""
    rng = np.random.default_rng(seed)
    kernel, found = block.kernel(), list[tuple[Kernel, Graph]]()
    for _ in range(_TRIES):
        graph = _LAYERS[row.op](rng)
        if graph.macs() > _MOST_MACS:
            continue
        graph = with_blocks(graph)
        (op,) = graph.ops
        # A function from int8 to int8 is a table, not a block.
        if not isinstance(op, TokenBlock) or not kernel.accepts(op, graph):
            continue
        if block.known(op, graph)[2][0].kernel.symbol == row.symbol:
            found.append((kernel, graph))
        if len(found) == count:
            break
    return found


def row_features(block: BlockKernel, graph: Graph) -> Mapping[str, float]:
    """Features of the only part of the only block."""
    _, inner, (part,) = block.known(graph.ops[0], graph)
    return part.kernel.features(part.op, inner)
