"""Random transformers as float graphs, with weights of the sizes that training gives."""

from __future__ import annotations

import numpy as np

from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Attention,
    DepthwiseConv1D,
    Embedding,
    Gelu,
    LayerNorm,
    Linear,
    Op,
    RmsNorm,
    SequenceLength,
    Silu,
    StridedSlice,
    TokenPool,
)
from tinyc.ir.tensor import Array, DType, Tensor, TensorName


class Builder:
    """Collects tensors and ops; every layer's output is called like the layer."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[TensorName, Tensor] = {}
        self.ops: list[Op] = []

    def constant(self, name: TensorName, data: Array) -> TensorName:
        self.tensors[name] = Tensor(name, data.shape, DType.FLOAT32, None, data.astype(np.float32))
        return name

    def weights(self, name: TensorName, *shape: int, gain: float = 1.0) -> TensorName:
        """Normal draws whose products with unit rows have the size `gain`."""
        return self.constant(name, self.rng.normal(0.0, gain / np.sqrt(shape[-1]), shape))

    def small(self, name: TensorName, *shape: int) -> TensorName:
        return self.constant(name, self.rng.normal(0.0, 0.1, shape))

    def input(self, name: TensorName, shape: tuple[int, ...], dtype: DType) -> TensorName:
        self.tensors[name] = Tensor(name, shape, dtype)
        return name

    def add(self, op: Op, dtype: DType = DType.FLOAT32) -> TensorName:
        operands = [self.tensors[name] for name in op.inputs]
        for name, shape in zip(op.outputs, op.output_shapes(operands), strict=True):
            self.tensors[name] = Tensor(name, shape, dtype)
        self.ops.append(op)
        return op.outputs[0]

    def ids(self, tokens: int) -> TensorName:
        self.input("ids", (1, tokens), DType.INT16)
        self.add(SequenceLength(name="length", inputs=("ids",), outputs=("length",)), DType.INT32)
        return "ids"

    def linear(
        self, name: str, *sources: TensorName, units: int, gain: float = 1.0, residual: str | None = None
    ) -> TensorName:
        inputs: list[TensorName] = []
        for at, x in enumerate(sources):
            inputs += [x, self.weights(f"{name}/w{at}", units, self.tensors[x].shape[-1], gain=gain)]
        inputs.append(self.small(f"{name}/b", units))
        if residual is not None:
            inputs.append(residual)
        return self.add(
            Linear(
                name=name,
                inputs=tuple(inputs),
                outputs=(name,),
                sources=len(sources),
                residual=residual is not None,
            )
        )

    def first_row(self, name: str, x: TensorName) -> TensorName:
        _, _, width = self.tensors[x].shape
        return self.add(
            StridedSlice(
                name=name,
                inputs=(x,),
                outputs=(name,),
                begin=(0, 0, 0),
                size=(1, 1, width),
                strides=(1, 1, 1),
                shape=(1, 1, width),
            )
        )

    def graph(self, name: str, output: TensorName, first: TensorName = "ids") -> Graph:
        return verify(Graph(name, self.tensors, tuple(self.ops), (first,), (output,)))


def embbert(
    tokens: int = 32,
    vocabulary: int = 300,
    width: int = 48,
    rank: int = 8,
    blocks: int = 2,
    heads: int = 1,
    taps: int = 8,
    classes: int = 6,
    seed: int = 0,
) -> Graph:
    """Blocks of attention and a convolution side by side, the last one for the first row only."""
    b = Builder(seed)
    ids = b.ids(tokens)
    x = b.add(
        Embedding(
            name="embedding",
            inputs=(
                ids,
                b.constant("tokens", b.rng.normal(0, 1, (vocabulary, rank))),
                b.constant("positions", b.rng.normal(0, 0.3, (tokens, rank))),
                b.weights("expand_tokens", width, rank),
                b.weights("expand_positions", width, rank),
                b.small("segments", 3, width),
            ),
            outputs=("embedding",),
            positions=True,
            expanded=True,
            segments=True,
            separator=4,
        )
    )
    for at in range(blocks):
        name, last = f"block_{at}", at == blocks - 1
        x = b.add(RmsNorm(name=f"{name}/norm", inputs=(x,), outputs=(f"{name}/norm",)))
        row = b.first_row(f"{name}/row", x) if last else x
        q = b.linear(f"{name}/q", row, units=width, gain=1.5)
        context = b.add(
            Attention(
                name=f"{name}/attention",
                inputs=(q, x, x),
                outputs=(f"{name}/attention",),
                heads=heads,
                scale=1.0 / np.sqrt(width / heads),
            )
        )
        mixed = b.add(
            DepthwiseConv1D(
                name=f"{name}/conv",
                inputs=(x, b.small(f"{name}/taps", taps, width), b.small(f"{name}/conv_bias", width)),
                outputs=(f"{name}/conv",),
                rows=1 if last else None,
            )
        )
        mixed = b.add(Silu(name=f"{name}/silu", inputs=(mixed,), outputs=(f"{name}/silu",)))
        x = b.linear(f"{name}/out", context, mixed, units=width)
    return b.graph("embbert", b.linear("logits", x, units=classes))


def bert(
    tokens: int = 24,
    vocabulary: int = 300,
    width: int = 48,
    blocks: int = 2,
    heads: int = 2,
    classes: int = 6,
    prenorm: bool = False,
    seed: int = 0,
) -> Graph:
    """Encoder blocks with residuals, normalised after them, or before with `prenorm`."""
    b = Builder(seed)
    ids = b.ids(tokens)
    x = b.add(
        Embedding(
            name="embedding",
            inputs=(
                ids,
                b.constant("tokens", b.rng.normal(0, 0.5, (vocabulary, width))),
                b.constant("positions", b.rng.normal(0, 0.2, (tokens, width))),
            ),
            outputs=("embedding",),
            positions=True,
        )
    )

    def norm(name: str, x: TensorName) -> TensorName:
        gain = b.constant(f"{name}/gain", b.rng.uniform(0.7, 1.3, width))
        return b.add(
            LayerNorm(
                name=name,
                inputs=(x, gain, b.small(f"{name}/beta", width)),
                outputs=(name,),
                gain=True,
                beta=True,
                epsilon=1e-5,
            )
        )

    if not prenorm:
        x = norm("embedding_norm", x)
    for at in range(blocks):
        name = f"block_{at}"
        y = norm(f"{name}/norm_1", x) if prenorm else x
        q, k, v = (b.linear(f"{name}/{part}", y, units=width, gain=1.3) for part in "qkv")
        context = b.add(
            Attention(
                name=f"{name}/attention",
                inputs=(q, k, v),
                outputs=(f"{name}/attention",),
                heads=heads,
                scale=1.0 / np.sqrt(width / heads),
            )
        )
        x = b.linear(f"{name}/out", context, units=width, residual=x)
        if not prenorm:
            x = norm(f"{name}/norm_1", x)
        y = norm(f"{name}/norm_2", x) if prenorm else x
        y = b.linear(f"{name}/up", y, units=4 * width, gain=1.5)
        y = b.add(Gelu(name=f"{name}/gelu", inputs=(y,), outputs=(f"{name}/gelu",)))
        x = b.linear(f"{name}/down", y, units=width, residual=x)
        if not prenorm:
            x = norm(f"{name}/norm_2", x)
    pooled = b.add(TokenPool(name="pool", inputs=(x,), outputs=("pool",)))
    return b.graph("bert", b.linear("logits", pooled, units=classes))


def keyword(frames: int = 20, features: int = 16, width: int = 32, classes: int = 5, seed: int = 0) -> Graph:
    """A pre-norm encoder of real features without a length, with learned positions as a constant residual."""
    b = Builder(seed)
    b.input("features", (1, frames, features), DType.FLOAT32)
    positions = b.constant("positions", b.rng.normal(0, 0.3, (1, frames, width)))
    x = b.linear("embedding", "features", units=width, residual=positions)
    y = b.add(LayerNorm(name="norm", inputs=(x,), outputs=("norm",)))
    q, k, v = (b.linear(part, y, units=width) for part in "qkv")
    context = b.add(
        Attention(name="attention", inputs=(q, k, v), outputs=("attention",), heads=2, scale=0.25)
    )
    x = b.linear("out", context, units=width, residual=x)
    row = b.first_row("first", b.add(RmsNorm(name="last_norm", inputs=(x,), outputs=("last_norm",))))
    return b.graph("keyword", b.linear("logits", row, units=classes), "features")


def sentences(count: int, tokens: int, vocabulary: int, seed: int = 0) -> list[tuple[Array]]:
    """Random ids, 2 to `tokens` of them, then padding."""
    rng = np.random.default_rng(seed)
    found: list[tuple[Array]] = []
    for _ in range(count):
        ids = np.zeros((1, tokens), np.int16)
        length = int(rng.integers(2, tokens + 1))
        ids[0, :length] = rng.integers(1, vocabulary, length)
        found.append((ids,))
    return found
