"""Embeddings of 4 and 6 bits: the compiled C gives the bytes of the reference."""

from __future__ import annotations

import numpy as np
import pytest

from support.token_layers import Builder, vectors
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.pipeline import compile_graph
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host


@pytest.mark.parametrize("board", ["host", "nrf52840"])
@pytest.mark.parametrize("bits", [4, 6, 8])
def test_every_rank_equals_the_reference(bits: int, board: str) -> None:
    graphs = []
    for seed, rank in enumerate((None, 1, 3, 5, 7, 16, 17)):
        build = Builder(seed, 9, sentence=True)
        graphs.append(build.graph(build.embedding(11 + seed, rank, segments=seed % 2 == 0, bits=bits)))
    programs = [compile_graph(g, load_board(board), name=f"m{at}") for at, g in enumerate(graphs)]
    records = [(at, v) for at, g in enumerate(graphs) for v in vectors(g, at, (1, 6, 9))]
    for (at, inputs), (actual,) in zip(records, HostBundle(programs).run_all(records), strict=True):
        length = int(np.count_nonzero(inputs[0]))
        (expected,) = interpreter.run(graphs[at], inputs)
        np.testing.assert_array_equal(actual[:, :length], expected[:, :length], err_msg=f"graph {at}")
