"""Stored graphs: every operator comes back as it was, damaged files are refused."""

from __future__ import annotations

import numpy as np
import pytest

from strategies import STRATEGIES
from tinyc.ir import serialize
from tinyc.ir.ops.base import Op

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("op", sorted(STRATEGIES, key=lambda op: op.kind), ids=lambda op: op.kind)
def test_round_trip(op: type[Op]) -> None:
    for seed in range(5):
        graph = STRATEGIES[op](np.random.default_rng(seed))
        stored = serialize.dump(graph)
        back = serialize.parse(stored)
        assert back.ops == graph.expanded().ops
        assert back.digest() == graph.digest()
        assert serialize.dump(back) == stored


def test_damaged_files_are_refused() -> None:
    graph = next(iter(STRATEGIES.values()))(np.random.default_rng(0))
    stored = serialize.dump(graph)
    for end in range(0, len(stored), max(1, len(stored) // 50)):
        with pytest.raises(ValueError):
            serialize.parse(stored[:end])
    with pytest.raises(ValueError, match="not a stored graph"):
        serialize.parse(b"PK\x03\x04 nothing")
