"""Random SEQUENCE_LENGTH layers, and TOKEN_BLOCKs of rows that are all there.

Sentences and the remaining variants of each layer are in `support/token_cases.py`.
"""

from __future__ import annotations

import numpy as np

from support.token_layers import Builder
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import LayerNorm, RmsNorm, SequenceLength, Silu
from tinyc.ir.tensor import DType, Tensor
from tinyc.token_blocks import with_blocks


def sequence_length(rng: np.random.Generator) -> Graph:
    longest = int(rng.integers(1, 40))
    tensors = {
        "ids": Tensor("ids", (1, longest), DType.INT16),
        "length": Tensor("length", (1,), DType.INT32),
    }
    op = SequenceLength(name="length", inputs=("ids",), outputs=("length",), padding=int(rng.integers(0, 3)))
    return verify(Graph("length", tensors, (op,), ("ids",), ("length",)))


def token_block(rng: np.random.Generator) -> Graph:
    """One block: a linear layer, a norm, an attention with what follows it, or a convolution."""
    build = Builder(int(rng.integers(1 << 30)), int(rng.integers(1, 10)))
    kind, units = rng.integers(0, 5), int(rng.integers(1, 12))
    depth = 2 * int(rng.integers(2, 24))
    if kind == 0:
        x = build.input(depth, int(rng.choice([8, 16])))
        other = [build.input(depth + 1)] if rng.random() < 0.5 else []
        y = build.linear(x, *other, units=units, bits=int(rng.choice([8, 16])))
    elif kind == 1:
        x = build.input(depth, 16, scale=0.001)
        y = build.norm(x, LayerNorm if rng.random() < 0.5 else RmsNorm, gain=bool(rng.random() < 0.5))
    elif kind == 2:
        heads, width = int(rng.integers(1, 3)), 16 * int(rng.integers(1, 3))
        q, k, v = (build.input(heads * width) for _ in range(3))
        context = build.attention(q, k, v, heads, causal=bool(rng.random() < 0.5))
        y = build.norm(build.linear(context, units=depth, bits=16))
    elif kind == 3:
        x = build.input(4 * units)
        y = build.curve(build.convolution(x, int(rng.integers(1, 9))), Silu)
    else:
        y = build.pool(build.input(depth, int(rng.choice([8, 16]))))
    return with_blocks(build.graph(y))
