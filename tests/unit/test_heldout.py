"""The arithmetic of benchmarks/heldout_models.py: which operators of the peer a layer is compared with."""

from __future__ import annotations

import numpy as np
import pytest

from heldout_models import Layer, Result, kinds_table, peer_work, shapes, slow_table
from support.chains import Chain
from tinyc import passes
from tinyc.ir.ops import Conv2D, Pad, Relu, Reshape
from tinyc.ir.tensor import DType

pytestmark = pytest.mark.unit


def layer(op: str, instructions: int, peer: int | None) -> Layer:
    return Layer("net", 0, op, "4 → 4", "tinyc_some__portable", 8, instructions, 12, peer)


def test_fused_operators_count_for_the_layer_that_does_their_work() -> None:
    chain = Chain(np.random.default_rng(0), (1, 7, 3), real=False)
    chain.add(Pad, same=True, paddings=((0, 0), (4, 1), (0, 0)))
    chain.add(Reshape, same=True, shape=(1, 1, 12, 3))
    filters = chain.constant("w", (5, 1, 3, 3))
    chain.add(Conv2D, filters, chain.constant("b", (5,), DType.INT32), dilation=(1, 2))
    chain.add(Relu, same=True)
    chain.add(Reshape, same=True, shape=(8, 5))
    model = chain.graph()
    graph = passes.run(model)
    assert [op.kind for op in graph.ops] == ["RESHAPE", "CONV_2D", "RESHAPE"]
    counts = [1, 10, 100, 1000, 10000]
    work = [peer_work(model, counts, graph, op) for op in graph.ops]
    # The first RESHAPE gives a tensor that the file has not.
    assert work == [None, 1111, 10000]
    assert shapes(graph, graph.ops[1]) == "1x7x3 → 1x8x5, 1x3 dilation 2"


def test_tables_tell_where_the_peer_is_near_or_ahead() -> None:
    layers = (
        layer("ADD", 100, 90),
        layer("ADD", 100, 150),
        layer("ADD", 100, 200),
        layer("RESHAPE", 9, None),
    )
    result = Result("net", 8, 309, 400, 440, True, layers)
    every = kinds_table([result]).rows[-1]
    assert every == ("all", "3", "1", "1", "1", "0.90", "1.50", "1.47")
    assert [row[-1] for row in slow_table([result]).rows] == ["0.90", "1.50"]
