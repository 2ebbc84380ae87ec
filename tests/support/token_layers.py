"""Random quantized graphs of transformer layers."""

from __future__ import annotations

from collections.abc import Sequence

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
    Pooling,
    RmsNorm,
    SequenceLength,
    Silu,
    SquaredRelu,
    TokenPool,
)
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor, TensorName

_TYPES = {8: DType.INT8, 16: DType.INT16, 32: DType.INT32}


class Builder:
    """Collects tensors and ops; every layer takes the names of its inputs and gives that of its output."""

    def __init__(self, seed: int, rows: int, *, sentence: bool = False, vocabulary: int = 40) -> None:
        self.rng = np.random.default_rng(seed)
        self.rows, self.vocabulary = rows, vocabulary
        self.tensors: dict[TensorName, Tensor] = {}
        self.ops: list[Op] = []
        self.inputs: list[TensorName] = []
        if sentence:
            self.tensors["ids"] = Tensor("ids", (1, rows), DType.INT16)
            self.inputs.append("ids")
            self.tensors["length"] = Tensor("length", (1,), DType.INT32)
            self.ops.append(SequenceLength(name="length", inputs=("ids",), outputs=("length",)))

    def activation(self, shape: Shape, scale: float, bits: int = 8, zero_point: int = 0) -> TensorName:
        name = f"t{len(self.tensors)}"
        quantization = Quantization((float(np.float32(scale)),), (zero_point,))
        self.tensors[name] = Tensor(name, shape, _TYPES[bits], quantization)
        return name

    def input(self, depth: int, bits: int = 8, *, scale: float = 0.03, rows: int | None = None) -> TensorName:
        name = self.activation((1, rows or self.rows, depth), scale, bits)
        self.inputs.append(name)
        return name

    def constant(self, data: Array, scale: float | Sequence[float], axis: int | None = None) -> TensorName:
        name = f"c{len(self.tensors)}"
        scales = tuple(float(np.float32(s)) for s in np.atleast_1d(scale))
        quantization = Quantization(scales, (0,) * len(scales), axis if len(scales) > 1 else None)
        self.tensors[name] = Tensor(name, data.shape, DType.of(data.dtype), quantization, data)
        return name

    def real(self, data: Array) -> TensorName:
        name = f"c{len(self.tensors)}"
        self.tensors[name] = Tensor(name, data.shape, DType.FLOAT32, None, data.astype(np.float32))
        return name

    def int8(self, *shape: int) -> Array:
        return self.rng.integers(-127, 128, shape).astype(np.int8)

    def int32(self, *shape: int, most: int = 3000) -> Array:
        return self.rng.integers(-most, most + 1, shape).astype(np.int32)

    def add(
        self, op: type[Op], inputs: Sequence[TensorName], output: TensorName, **fields: object
    ) -> TensorName:
        made = op(name=f"layer_{len(self.ops)}", inputs=tuple(inputs), outputs=(output,), **fields)  # type: ignore[arg-type]
        self.ops.append(made)
        return output

    def embedding(
        self,
        units: int,
        rank: int | None = 4,
        *,
        positions: bool = True,
        segments: bool = True,
        bits: int = 8,
    ) -> TensorName:
        width = rank or units
        tokens, scale, factor = self.int8(self.vocabulary, width), np.array([0.01]), 1.0
        if bits < 8:
            limit = 2 ** (bits - 1) - 1
            tokens = self.rng.integers(-limit, limit + 1, tokens.shape).astype(np.int8)
            rows = self.rng.integers(1, 256, self.vocabulary)
            rows[self.rng.integers(self.vocabulary)] = 255
            scale, factor = rows * (0.01 * 127 / limit / 255), float(self.rng.integers(1, 256))
        names = ["ids", self.constant(tokens, scale, 0)]
        if positions:
            names.append(self.constant(self.int8(self.rows, width), 0.01))
        if rank:
            scales = self.rng.uniform(0.001, 0.01, units)
            names.append(self.constant(self.int8(units, width), scales, 0))
            if positions:
                unit = scale.max() / 255 if bits < 8 else 0.01
                names.append(self.constant(self.int8(units, width), scales * unit * factor / 0.01, 0))
        if segments:
            names.append(self.constant(self.int32(3, units), 0.0001))
        output = self.activation((1, self.rows, units), 0.001 if rank else 0.02, 16)
        return self.add(
            Embedding,
            names,
            output,
            positions=positions,
            expanded=bool(rank),
            segments=segments,
            separator=4,
            bits=bits,
        )

    def norm(
        self, x: TensorName, kind: type[Op] = RmsNorm, *, bits: int = 8, gain: bool = False
    ) -> TensorName:
        depth = self.tensors[x].shape[-1]
        names = [x]
        if gain:
            names.append(self.real(self.rng.normal(1, 0.3, depth)))
            if kind is LayerNorm:
                names.append(self.real(self.rng.normal(0, 0.3, depth)))
        output = self.activation(self.tensors[x].shape, 5 / (127 if bits == 8 else 32767), bits)
        return self.add(kind, names, output, gain=gain, beta=gain and kind is LayerNorm, epsilon=1e-6)

    def linear(
        self,
        *sources: TensorName,
        units: int,
        bits: int = 8,
        zero_point: int = 0,
        residual: TensorName | None = None,
        **fields: object,
    ) -> TensorName:
        first = self.tensors[sources[0]]
        depth = sum(self.tensors[x].shape[-1] for x in sources)
        scale = 5 / 127 if bits == 8 else 8 / 32767
        # Sums as large as random codes make them become a quarter of the output's range.
        largest = 74 * np.sqrt(depth) * (74 if first.dtype is DType.INT8 else 19000)
        own = self.rng.uniform(0.3, 1.0, units) * scale * (30 if bits == 8 else 8000) / largest
        names: list[TensorName] = []
        for x in sources:
            # The scales of the sums agree.
            names += [
                x,
                self.constant(self.int8(units, self.tensors[x].shape[-1]), own / self.tensors[x].scale, 0),
            ]
        names.append(self.constant(self.int32(units), own, 0))
        names += [residual] if residual else []
        output = self.activation((*first.shape[:-1], units), scale, bits, zero_point)
        return self.add(Linear, names, output, sources=len(sources), residual=residual is not None, **fields)

    def attention(
        self,
        q: TensorName,
        k: TensorName,
        v: TensorName,
        heads: int = 1,
        *,
        causal: bool = False,
        bits: int = 8,
    ) -> TensorName:
        shape = (1, self.tensors[q].shape[1], self.tensors[v].shape[2])
        output = self.activation(shape, self.tensors[v].scale * (0.5 if bits == 8 else 0.01), bits)
        depth = self.tensors[q].shape[2] // heads
        return self.add(Attention, (q, k, v), output, heads=heads, causal=causal, scale=1 / np.sqrt(depth))

    def convolution(
        self, x: TensorName, taps: int, rows: int | None = None, zero_point: int = 0
    ) -> TensorName:
        channels = self.tensors[x].shape[2]
        scales = self.rng.uniform(0.001, 0.01, channels)
        names = (
            x,
            self.constant(self.int8(taps, channels), scales, 1),
            self.constant(self.int32(channels), scales * self.tensors[x].scale, 0),
        )
        scale = 0.005 * 74 * self.tensors[x].scale * np.sqrt(taps) * 2
        output = self.activation((1, rows or self.tensors[x].shape[1], channels), scale, 8, zero_point)
        return self.add(DepthwiseConv1D, names, output, rows=rows)

    def curve(
        self, x: TensorName, kind: type[Op] = Silu, bits: int = 8, zero_point: int = -100
    ) -> TensorName:
        tensor = self.tensors[x]
        scale = tensor.scale if bits == 8 else tensor.scale / 200
        output = self.activation(tensor.shape, scale, bits, zero_point if bits == 8 else 0)
        return self.add(kind, (x,), output)

    def pool(self, x: TensorName, pooling: Pooling = Pooling.MEAN) -> TensorName:
        tensor = self.tensors[x]
        output = self.activation((1, 1, tensor.shape[2]), tensor.scale / 3, 16)
        return self.add(TokenPool, (x,), output, pooling=pooling)

    def graph(self, *outputs: TensorName) -> Graph:
        return verify(Graph("tokens", self.tensors, tuple(self.ops), tuple(self.inputs), outputs))


def vectors(graph: Graph, seed: int, lengths: Sequence[int] = ()) -> list[list[Array]]:
    """Random inputs: sentences of these lengths, or one set of random rows."""
    rng = np.random.default_rng(seed)
    found = []
    for length in lengths or (0,):
        arrays = []
        for name in graph.inputs:
            tensor = graph[name]
            if tensor.quantization is None:
                ids = np.zeros(tensor.shape, np.int16)
                ids[0, :length] = rng.integers(1, 40, length)
                arrays.append(ids)
            else:
                limits = np.iinfo(tensor.dtype.numpy)
                arrays.append(
                    rng.integers(limits.min, limits.max + 1, tensor.shape).astype(tensor.dtype.numpy)
                )
        found.append(arrays)
    return found


def embbert(
    seed: int, rows: int = 12, units: int = 16, blocks: int = 2, vocabulary: int = 40, taps: int = 6
) -> Graph:
    """A small EmbBERT: low-rank embedder, K = V = x attention beside a causal convolution."""
    build = Builder(seed, rows, sentence=True, vocabulary=vocabulary)
    x = build.norm(build.embedding(units))
    for _ in range(blocks):
        q = build.linear(x, units=units)
        context = build.attention(q, x, x)
        branch = build.curve(build.convolution(x, taps, zero_point=-20))
        x = build.norm(build.linear(context, branch, units=units, bits=16))
    pooled = build.pool(x)
    return build.graph(build.linear(pooled, units=5, bits=16))


def bert(seed: int, rows: int = 12, units: int = 16, heads: int = 2) -> Graph:
    """A post-norm encoder block with a residual of int16."""
    build = Builder(seed, rows, sentence=True)
    x = build.norm(build.embedding(units, None, segments=False), LayerNorm, bits=16, gain=True)
    for _ in range(2):
        q, k, v = (build.linear(x, units=units) for _ in range(3))
        context = build.attention(q, k, v, heads)
        x = build.norm(build.linear(context, units=units, bits=16, residual=x), LayerNorm, bits=16, gain=True)
        hidden = build.curve(build.linear(x, units=2 * units), Gelu)
        x = build.norm(build.linear(hidden, units=units, bits=16, residual=x), LayerNorm, bits=16, gain=True)
    return build.graph(build.linear(build.pool(x), units=5, bits=16))


__all__ = ["Builder", "SquaredRelu", "bert", "embbert", "vectors"]
