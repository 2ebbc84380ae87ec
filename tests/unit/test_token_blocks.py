"""Which layers of a transformer are computed together, and the memory that this leaves."""

from __future__ import annotations

import numpy as np
import pytest

from support.token_layers import Builder, bert, embbert, vectors
from tinyc import interpreter, passes, pipeline
from tinyc.boards import load_board
from tinyc.ir.graph import Graph
from tinyc.ir.ops import LayerNorm, StridedSlice, TokenBlock
from tinyc.token_blocks import in_order, with_blocks

pytestmark = pytest.mark.unit


def kinds(graph: Graph) -> list[str]:
    """The kinds of the layers, those of a block joined."""
    return [
        "+".join(sorted(part.kind for part in op.parts)) if isinstance(op, TokenBlock) else op.kind
        for op in graph.ops
    ]


def test_a_block_of_embbert_is_one() -> None:
    block = "ATTENTION+DEPTHWISE_CONV_1D+LINEAR+LINEAR+RMS_NORM+SILU"
    assert kinds(with_blocks(embbert(0))) == [
        "SEQUENCE_LENGTH",
        "EMBEDDING+RMS_NORM",
        block,
        f"{block}+TOKEN_POOL",
        "LINEAR",
    ]


def test_keys_and_values_have_a_block_of_their_own() -> None:
    found = kinds(with_blocks(bert(0)))
    rest = "ATTENTION+GELU+LAYER_NORM+LAYER_NORM+LINEAR+LINEAR+LINEAR+LINEAR"
    assert found == [
        "SEQUENCE_LENGTH",
        "EMBEDDING+LAYER_NORM",
        "LINEAR+LINEAR",
        rest,
        "LINEAR+LINEAR",
        f"{rest}+TOKEN_POOL",
        "LINEAR",
    ]


def pre_norm(rows: int) -> Graph:
    """One block of which the norm makes queries, keys and values."""
    build = Builder(0, rows, sentence=True)
    x = build.embedding(16, None, segments=False)
    normal = build.norm(x, LayerNorm)
    q, k, v = (build.linear(normal, units=16) for _ in range(3))
    y = build.linear(build.attention(q, k, v), units=16, bits=16, residual=x)
    return build.graph(build.linear(build.pool(y), units=3, bits=16))


def test_queries_repeat_the_norm_of_keys_and_values() -> None:
    graph = passes.run(pre_norm(8))
    assert kinds(with_blocks(graph)) == [
        "SEQUENCE_LENGTH",
        "EMBEDDING",
        "LAYER_NORM+LINEAR+LINEAR",
        "ATTENTION+LAYER_NORM+LINEAR+LINEAR+TOKEN_POOL",
        "LINEAR",
    ]


@pytest.mark.parametrize("graph", [embbert(1), bert(1), pre_norm(9)], ids=["embbert", "bert", "pre_norm"])
def test_blocks_change_neither_digest_nor_answer(graph: Graph) -> None:
    graph = in_order(graph)
    blocked = with_blocks(graph)
    assert blocked.digest() == graph.digest()
    assert with_blocks(blocked).ops == blocked.ops
    for inputs in vectors(graph, 3, (1, 4, graph[graph.inputs[0]].shape[1])):
        for one, other in zip(interpreter.run(graph, inputs), interpreter.run(blocked, inputs), strict=True):
            assert np.array_equal(one, other)


def full_embbert(rows: int) -> Graph:
    """The published sizes, with random weights."""
    build, units = Builder(0, rows, sentence=True, vocabulary=8192), 128
    x = build.norm(build.embedding(units, 16))
    for last in (False, False, False, True):
        row = x
        if last:
            shape = (1, 1, units)
            row = build.activation(shape, build.tensors[x].scale)
            build.add(StridedSlice, (x,), row, begin=(0, 0, 0), size=shape, strides=(1, 1, 1), shape=shape)
        context = build.attention(build.linear(row, units=units), x, x)
        branch = build.curve(build.convolution(x, 32, rows=1 if last else None))
        y = build.linear(context, branch, units=units, bits=16)
        x = y if last else build.norm(y)
    return build.graph(build.linear(x, units=7, bits=16))


@pytest.mark.parametrize(("rows", "most"), [(256, 75_300), (128, 39_400), (32, 12_500)])
def test_the_memory_of_embbert(rows: int, most: int) -> None:
    """Two buffers of rows x 128 bytes, and what four rows need."""
    program = pipeline.compile_graph(full_embbert(rows), load_board("nrf52840"), name="embbert")
    assert program.plan.arena_size <= most
    assert program.weight_bytes <= 375_000
