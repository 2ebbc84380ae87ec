"""Tails of transformers for the sparse head: one row of int8 or int16, dense layers, norms."""

from __future__ import annotations

import struct

import numpy as np

from support.sparse import SparseProgram
from support.token_layers import Builder
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Gelu, LayerNorm, RmsNorm, Silu
from tinyc.ir.tensor import Tensor
from tinyc.learning.sparse.cut import cut
from tinyc.learning.sparse.design import SparseDesign, design_sparse
from tinyc.learning.sparse.layers import trainable
from tinyc.learning.sparse.program import Trained
from tinyc.learning.sparse.reading import read_layers


def narrow(seed: int) -> tuple[Graph, str]:
    """A classifier of an int8 row."""
    build = Builder(seed, 1)
    x = build.input(24)
    return build.graph(build.linear(x, units=5, bits=16)), x


def wide(seed: int) -> tuple[Graph, str]:
    """Dense layers that hand on int16 and int8 with a zero point."""
    build = Builder(seed, 1)
    x = build.input(20, 16, scale=0.0002)
    x = build.linear(x, units=16, bits=16)
    return build.graph(
        build.linear(build.linear(x, units=12, zero_point=-7), units=4, bits=16)
    ), build.inputs[0]


def joint(seed: int) -> tuple[Graph, str]:
    """The end of an EmbBERT: two sources with zero points of their own, and the classifier."""
    build = Builder(seed, 1)
    x = build.input(20)
    other = build.curve(build.input(12))
    last = build.linear(x, other, units=16, bits=16)
    return build.graph(build.linear(last, units=5, bits=16)), f"{build.ops[-2].name}/sources"


def norms(seed: int) -> tuple[Graph, str]:
    """Layer norm and RMS norm with dense layers in front of and behind them."""
    build = Builder(seed, 1)
    x = build.norm(build.linear(build.input(20), units=24, bits=16), LayerNorm)
    x = build.norm(build.linear(x, units=16), RmsNorm, bits=16)
    return build.graph(build.linear(x, units=5, bits=16)), build.inputs[0]


def block(seed: int) -> tuple[Graph, str]:
    """The last block of a BERT for one row, behind its attention: norms with gain and beta, residuals."""
    build = Builder(seed, 1)
    x = build.norm(build.input(16, 16, scale=0.0002), LayerNorm, bits=16, gain=True)
    for curve in (Gelu, Silu):
        hidden = build.curve(build.linear(x, units=24), curve)
        x = build.linear(hidden, units=16, bits=16, residual=x)
        x = build.norm(x, LayerNorm, bits=16, gain=curve is Gelu)
    return build.graph(build.linear(x, units=5, bits=16)), build.inputs[0]


NETWORKS = {"narrow": narrow, "wide": wide, "joint": joint, "norms": norms, "block": block}


def bytes_of(tensor: Tensor, rng: np.random.Generator) -> np.ndarray:
    """A random latent, int8 (bytes of the tensor,)."""
    limits = np.iinfo(tensor.dtype.numpy)
    values = rng.integers(limits.min, limits.max + 1, tensor.elements).astype(tensor.dtype.numpy)
    return values.view(np.int8)


def latents_of(graph: Graph, tap: str, count: int) -> np.ndarray:
    """Random latents, int8 (count, bytes of the tap)."""
    tensor, rng = cut(graph, tap).suffix[tap], np.random.default_rng(5)
    return np.array([bytes_of(tensor, rng) for _ in range(count)])


def designed(graph: Graph, tap: str, capacity: int = 6, rate: float = 0.5) -> SparseDesign:
    """Everything behind the tap learns."""
    split = cut(graph, tap)
    trained = {
        layer.name: Trained(tuple(range(layer.rows)), biases=not layer.name.endswith(":gain"))
        for layer in trainable(read_layers(split.suffix))[:-1]
    }
    return design_sparse(
        split, trained, capacity=capacity, latents=latents_of(graph, tap, 4), learning_rate=rate
    )


def check_stream(design: SparseDesign, program: SparseProgram, count: int = 12) -> None:
    """The C gives the bytes of the twin, and every field of the state has moved."""
    head, rng = design.head(), np.random.default_rng(1)
    stream = []
    for index in range(count):
        latent = rng.integers(-128, 128, design.latent).astype(np.int8)
        stream.append((latent, int(rng.integers(0, design.capacity + (index == 2)))))
    for (latent, label), (answer, state) in zip(stream, program.stream(stream), strict=True):
        scores = head.scores(latent)
        expected = struct.pack("<If", head.predict(latent), head.surprise(latent)) + scores.tobytes()
        assert answer == expected
        head.update(latent, label)
        assert state == head.to_bytes()
    for name, values in design.factory.items():
        assert values.tobytes() != head.values[name].tobytes(), name
