"""Every operator's NumPy reference against TensorFlow Lite's reference kernels, bit for bit."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from strategies import IN_FILES, MICRO_ONLY, STRATEGIES, is_micro_only
from strategies.common import random_inputs
from strategies.pairwise import with_defined_answers
from support.litert import reference_outputs
from tinyc import interpreter
from tinyc.ir.ops.base import Op
from tinyc.quantize.fixed_point import Rounding

pytestmark = pytest.mark.host

GRAPHS = 100


@pytest.mark.parametrize("op", [op for op in IN_FILES if op not in MICRO_ONLY], ids=lambda op: op.kind)
def test_the_reference_equals_tensorflow_lite(op: type[Op]) -> None:
    rng = np.random.default_rng(zlib.crc32(op.kind.encode()))
    for case in range(GRAPHS):
        graph = STRATEGIES[op](rng)
        if is_micro_only(graph):
            continue
        graph, inputs = with_defined_answers(graph, random_inputs(rng, graph))
        expected = reference_outputs(graph, inputs)
        actual = interpreter.run(graph, inputs, Rounding.SINGLE)
        for left, right in zip(expected, actual, strict=True):
            assert left.dtype == right.dtype
            assert left.shape == right.shape
            wrong = np.argwhere(left != right)
            assert left.tobytes() == right.tobytes(), (
                f"case {case}: {len(wrong)} of {left.size} differ, "
                f"first at {wrong[:1].tolist()}\n{graph.ops[0]}"
            )
