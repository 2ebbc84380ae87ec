"""Rewrites of transformers: what they do, and that no answer changes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from support.float_networks import FloatNetwork
from tinyc import interpreter, passes
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import (
    Activation,
    Attention,
    DepthwiseConv1D,
    Embedding,
    LayerNorm,
    Linear,
    Pooling,
    Relu,
    Reshape,
    RmsNorm,
    SequenceLength,
    Silu,
    StridedSlice,
    TokenPool,
)
from tinyc.ir.tensor import Array, DType, Tensor
from tinyc.passes.compose_linears import compose_linears
from tinyc.passes.fold_norm_gains import fold_norm_gains
from tinyc.passes.keep_first_row import keep_first_row

pytestmark = pytest.mark.unit
ROWS, UNITS = 6, 4
REWRITES = (compose_linears, passes.fuse_activations, fold_norm_gains, keep_first_row, passes.remove_dead)


class Network(FloatNetwork):
    """Layers of transformers with random weights."""

    def __init__(self, seed: int = 0, *shapes: tuple[int, ...]) -> None:
        super().__init__(*(shapes or ((1, ROWS, UNITS),)))
        self.rng = np.random.default_rng(seed)

    def random(self, *shape: int) -> Array:
        return self.rng.normal(0, 0.7, shape)

    def depth(self, x: str) -> int:
        return self.tensors[x].shape[-1]

    def linear(self, *sources: str, units: int = UNITS, bias: bool = True, residual: str = "") -> str:
        pairs = [part for x in sources for part in (x, self.random(units, self.depth(x)))]
        rest = [*([self.random(units)] if bias else []), *([residual] if residual else [])]
        return self.add(Linear, *pairs, *rest, sources=len(sources), bias=bias, residual=bool(residual))

    def scaled(self, x: str, factors: Array | float, residual: str = "") -> str:
        """x times numbers, plus a residual: how a front end gives a scaling and a sum."""
        diagonal = np.diag(np.broadcast_to(factors, (self.depth(x),)))
        rest = [residual] if residual else []
        return self.add(Linear, x, diagonal, *rest, bias=False, residual=bool(residual))

    def norm(self, x: str, *, beta: bool = True) -> str:
        gains = [self.random(self.depth(x)) for _ in range(1 + beta)]
        return self.add(LayerNorm if beta else RmsNorm, x, *gains, gain=True, beta=beta)

    def convolution(self, x: str, taps: int = 3) -> str:
        return self.add(DepthwiseConv1D, x, self.random(taps, self.depth(x)), self.random(self.depth(x)))

    def attention(self, q: str, k: str, v: str, heads: int = 1, causal: bool = False) -> str:
        return self.add(Attention, q, k, v, heads=heads, causal=causal, scale=0.6)

    def first(self, x: str, *, keep: bool = False) -> str:
        size = (1, 1, self.depth(x))
        shape = size if keep else (1, self.depth(x))
        return self.add(StridedSlice, x, begin=(0, 0, 0), size=size, strides=(1, 1, 1), shape=shape)

    def rows(self) -> str:
        """A constant residual."""
        return self.constant(f"rows{len(self.tensors)}", self.random(1, ROWS, UNITS))


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def same(before: Graph, after: Graph, seed: int = 0) -> Graph:
    """`after`, verified, with the outputs of `before`."""
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(0, 1, before[name].shape).astype(np.float32) for name in before.inputs]
    verify(after)
    for left, right in zip(interpreter.run(before, inputs), interpreter.run(after, inputs), strict=True):
        assert np.abs(left - right).max() <= 1e-4 * np.abs(left).max() + 1e-5
    return after


def random_network(seed: int) -> Graph:
    net = Network(seed)
    rng, values = net.rng, [net.inputs[0]]

    def some() -> str:
        # Late values more often, so that the network gets deep.
        return values[-1 - min(int(rng.exponential(1.2)), len(values) - 1)]

    for _ in range(rng.integers(3, 12)):
        choice = rng.integers(9)
        residual = [*[""] * 2, some(), net.rows()][rng.integers(4)]
        if choice == 0:
            values.append(net.linear(some(), residual=residual, bias=bool(rng.integers(2))))
        elif choice == 1:
            values.append(net.linear(some(), some(), residual=residual))
        elif choice == 2:
            factors = [1.0, rng.normal(0, 1, UNITS), 0.5][rng.integers(3)]
            values.append(net.scaled(some(), factors, residual))
        elif choice == 3:
            x = some()
            scales = np.exp(rng.normal(0, 1, 2))
            pairs = (x, scales[0] * np.eye(UNITS), some(), -scales[1] * np.eye(UNITS))
            values.append(net.add(Linear, *pairs, sources=2, bias=False))
        elif choice in (4, 5):
            values.append(net.norm(some(), beta=bool(choice == 4)))
        elif choice == 6:
            values.append(net.convolution(some()))
        elif choice == 7:
            x = some()
            q, k, v = (net.linear(x) if rng.integers(2) else x for _ in range(3))
            context = net.attention(q, k, v, int(rng.integers(1, 3)), bool(rng.integers(2)))
            values.append(net.linear(context) if rng.integers(4) else context)
        else:
            values.append(net.add([Silu, Relu][rng.integers(2)], some()))
    x = values[-1]
    ending = rng.integers(4)
    if ending == 0:
        x = net.first(x)
    elif ending == 1:
        x = net.linear(net.first(x, keep=True), units=3)
    elif ending == 2:
        x = net.linear(net.add(TokenPool, x, pooling=[Pooling.MEAN, Pooling.RMS][rng.integers(2)]), units=2)
    return net.graph(x, *([some()] if rng.integers(8) == 0 else []))


def test_no_rewrite_changes_an_answer() -> None:
    applied: Counter[str] = Counter()
    for seed in range(250):
        graph = passes.remove_dead(random_network(seed))
        for rewrite in REWRITES:
            after = same(graph, rewrite(graph), seed)
            applied[rewrite.__name__] += after != graph
            assert rewrite(after) == after, f"{rewrite.__name__} finds more the second time"
            graph = after
        same(graph, passes.run(graph), seed)
    assert min(applied[rewrite.__name__] for rewrite in REWRITES[:4]) > 20


# Linear layers


def test_a_sum_becomes_the_residual_of_the_layer_that_only_it_reads() -> None:
    for swapped in (False, True):
        net = Network()
        norm = net.norm(net.inputs[0])
        layer = net.linear(norm)
        pair = (norm, layer) if swapped else (layer, norm)
        graph = net.graph(net.scaled(pair[0], 1.0, pair[1]))
        after = same(graph, compose_linears(graph))
        assert kinds(after) == ["LAYER_NORM", "LINEAR"]
        (linear,) = [op for op in after.ops if isinstance(op, Linear)]
        assert linear.residual and linear.inputs[-1] == norm
        # The layer keeps its name, its weights and the name of the sum's result.
        assert linear.name == graph.producer(layer).name  # type: ignore[union-attr]
        assert linear.inputs[1] == graph.producer(layer).inputs[1]  # type: ignore[union-attr]
        assert linear.outputs == graph.outputs


def test_a_difference_of_two_layers_is_one_layer_of_two_sources() -> None:
    net = Network(1, (1, ROWS, 3), (1, ROWS, 5))
    a, c = (net.linear(name) for name in net.inputs)
    graph = net.graph(net.add(Linear, a, 2.0 * np.eye(UNITS), c, -3.0 * np.eye(UNITS), sources=2, bias=False))
    after = same(graph, compose_linears(graph))
    (linear,) = after.ops
    assert isinstance(linear, Linear)
    assert linear.inputs[0::2][:2] == net.inputs
    assert (linear.sources, linear.bias) == (2, True)


def test_a_layer_that_others_read_or_that_clamps_stays() -> None:
    for clamps in (False, True):
        net = Network(2)
        layer = net.linear(net.inputs[0])
        if clamps:
            net.ops[-1] = net.ops[-1].with_(activation=Activation.RELU)
        graph = net.graph(net.scaled(layer, 1.0, net.inputs[0]), *([] if clamps else [layer]))
        after = same(graph, compose_linears(graph))
        assert kinds(after) == ["LINEAR", "LINEAR"]


def test_constant_rows_are_summed_and_sources_of_one_input_joined() -> None:
    net = Network(3)
    x = net.scaled(net.linear(net.inputs[0], residual=net.rows()), net.random(UNITS), net.rows())
    y = net.linear(net.inputs[0])
    graph = net.graph(net.scaled(x, 1.0, y))
    (linear,) = same(graph, compose_linears(graph)).ops
    assert isinstance(linear, Linear)
    assert (linear.sources, linear.residual) == (1, True)


def test_a_scaling_moves_into_a_convolution_and_into_the_next_layer() -> None:
    net = Network(4)
    x = net.scaled(net.convolution(net.inputs[0]), net.random(UNITS))
    graph = net.graph(net.linear(net.scaled(net.add(Silu, x), net.random(UNITS))))
    assert kinds(same(graph, compose_linears(graph))) == ["DEPTHWISE_CONV_1D", "SILU", "LINEAR"]


def sentence_network(seed: int, *, expanded: bool, positions: bool) -> Network:
    """A network whose first value is an embedding called `rows`."""
    net = Network(seed, (1, ROWS))
    net.tensors["x0"] = Tensor("x0", (1, ROWS), DType.INT16)
    net.tensors["length"] = Tensor("length", (1,), DType.INT32)
    net.ops.append(SequenceLength(name="length", inputs=("x0",), outputs=("length",)))
    width = 2 if expanded else UNITS
    tables = [net.random(9, width), *([net.random(ROWS + 1, width)] if positions else [])]
    matrices = [net.random(UNITS, width) for _ in tables] if expanded else []
    net.add(
        Embedding,
        "x0",
        *tables,
        *matrices,
        net.random(3, UNITS),
        positions=positions,
        expanded=expanded,
        segments=True,
        separator=4,
    )
    return net


def run_sentences(graph: Graph) -> list[Array]:
    found = []
    for tokens in (1, 3, ROWS):
        ids = np.zeros((1, ROWS), np.int16)
        ids[0, :tokens] = (np.arange(tokens) + 3) % 8 + 1
        found.append(interpreter.run(graph, [ids])[0])
    return found


@pytest.mark.parametrize("expanded", [False, True])
@pytest.mark.parametrize("positions", [False, True])
def test_scalings_and_constant_rows_move_into_an_embedding(expanded: bool, positions: bool) -> None:
    net = sentence_network(5, expanded=expanded, positions=positions)
    x = net.scaled(net.ops[-1].outputs[0], net.random(UNITS))
    x = net.scaled(x, 1.0, net.rows())
    graph = net.graph(net.linear(net.add(TokenPool, x)))
    after = verify(compose_linears(graph))
    # Narrow tables have no room for rows.
    room = ["LINEAR"] if expanded else []
    assert kinds(after) == ["SEQUENCE_LENGTH", "EMBEDDING", *room, "TOKEN_POOL", "LINEAR"]
    for left, right in zip(run_sentences(graph), run_sentences(after), strict=True):
        assert np.allclose(left, right, atol=1e-5)


def test_rows_of_constants_and_one_row_follow_the_sentence() -> None:
    """A sentence of n tokens gives what a graph of n rows gives."""
    net = sentence_network(6, expanded=False, positions=True)
    x = net.linear(net.ops[-1].outputs[0], residual=net.rows())
    x = net.linear(net.attention(net.scaled(x, 0.02), x, x), residual=x)
    graph = net.graph(net.first(x))
    after = passes.run(graph)
    assert "SEQUENCE_LENGTH" in kinds(after)
    for left, right in zip(run_sentences(graph), run_sentences(after), strict=True):
        assert np.allclose(left, right, atol=1e-5)
    assert not np.allclose(run_sentences(graph)[0], run_sentences(graph)[1])


# Norms


def gains(graph: Graph) -> list[bool]:
    return [op.gain for op in graph.ops if isinstance(op, LayerNorm | RmsNorm)]


def test_gain_and_beta_move_into_every_reader() -> None:
    net = Network(7)
    x = net.norm(net.inputs[0])
    q, k, v = (net.linear(x, bias=False) for _ in range(3))
    graph = net.graph(net.linear(net.attention(q, k, v, heads=2), x))
    after = same(graph, fold_norm_gains(graph))
    assert gains(after) == [False]
    assert all(op.bias for op in after.ops if isinstance(op, Linear))


@pytest.mark.parametrize("beta", [False, True])
def test_keys_and_values_that_are_the_norm_itself(beta: bool) -> None:
    """The gain of keys goes to the queries, that of values behind the context."""
    net = Network(8)
    x = net.norm(net.inputs[0], beta=beta)
    context = net.attention(net.linear(x), x, x, heads=2)
    graph = net.graph(net.linear(context, *([] if beta else [net.convolution(x)])))
    assert gains(same(graph, fold_norm_gains(graph))) == [False]


@pytest.mark.parametrize("reader", ["residual", "output", "curve", "convolution", "query", "rms"])
def test_a_norm_keeps_its_gain_for_a_reader_that_cannot_take_it(reader: str) -> None:
    net = Network(9)
    x = net.norm(net.inputs[0])
    y = net.linear(x)
    outputs = [y]
    if reader == "residual":
        outputs = [net.linear(y, residual=x)]
    elif reader == "output":
        outputs.append(x)
    elif reader == "curve":
        outputs.append(net.linear(net.add(Silu, x)))
    elif reader == "convolution":
        # The zeros before the first row have no beta.
        outputs.append(net.linear(net.convolution(x)))
    elif reader == "query":
        outputs.append(net.linear(net.attention(x, x, y)))
    else:
        outputs.append(net.linear(net.add(TokenPool, x, pooling=Pooling.RMS)))
    graph = net.graph(*outputs)
    assert gains(same(graph, fold_norm_gains(graph))) == [True]


def test_a_gain_passes_a_slice_a_mean_and_a_reshape() -> None:
    for end in ("slice", "mean"):
        net = Network(10)
        x = net.norm(net.inputs[0])
        row = net.first(x) if end == "slice" else net.add(TokenPool, x)
        row = net.add(Reshape, row, shape=(1, UNITS))
        graph = net.graph(net.linear(row))
        assert gains(same(graph, fold_norm_gains(graph))) == [False]


def test_shared_weights_are_not_changed_for_other_layers() -> None:
    net = Network(11)
    x = net.norm(net.inputs[0])
    shared = net.constant("shared", net.random(UNITS, UNITS))
    left = net.add(Linear, x, shared, bias=False)
    right = net.add(Linear, net.inputs[0], shared, bias=False)
    graph = net.graph(left, right)
    assert gains(same(graph, fold_norm_gains(graph))) == [False]


# One row


def test_the_last_block_computes_one_row() -> None:
    net = Network(12)
    x = net.norm(net.inputs[0], beta=False)
    q, k, v = (net.linear(x) for _ in range(3))
    y = net.linear(net.attention(q, k, v), net.add(Silu, net.convolution(x)), residual=x)
    y = net.linear(net.norm(y), residual=net.rows())
    graph = net.graph(net.linear(net.first(y)))
    after = same(graph, keep_first_row(graph))
    rows = {
        op.name: after[op.outputs[0]].shape[1] for op in after.ops if len(after[op.outputs[0]].shape) == 3
    }
    # The norm, keys and values are needed whole.
    assert sorted(rows.values())[-3:] == [ROWS] * 3
    assert sum(count == ROWS for count in rows.values()) == 3
    # One slice serves the queries and the residual.
    assert kinds(after).count("STRIDED_SLICE") == 1
    (convolution,) = [op for op in after.ops if isinstance(op, DepthwiseConv1D)]
    assert after[convolution.inputs[1]].shape[0] == 1
    assert after.macs() < graph.macs() / 2


def test_what_is_also_needed_whole_stays_whole() -> None:
    net = Network(13)
    x = net.linear(net.inputs[0])
    graph = net.graph(net.first(x), net.add(TokenPool, x))
    assert keep_first_row(graph) == graph


def test_another_row_than_the_first_stays() -> None:
    net = Network(14)
    x = net.convolution(net.inputs[0])
    size = (1, 1, UNITS)
    y = net.add(StridedSlice, x, begin=(0, 1, 0), size=size, strides=(1, 1, 1), shape=size)
    graph = net.graph(y)
    assert keep_first_row(graph) == graph
