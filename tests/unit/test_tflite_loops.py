"""Counted loops of .tflite files are unrolled; others are refused, and none is gone around for ever."""

from __future__ import annotations

import numpy as np
import pytest

from support.litert import reference_interpreter, run_interpreter
from support.loop_model import SHAPE, loop
from tinyc import interpreter, passes
from tinyc.errors import TinycError
from tinyc.frontends.tflite import load_bytes

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("end", "by", "steps"), [(1, 1, 1), (5, 1, 5), (5, 3, 2)])
def test_a_counted_loop_is_its_steps(end: int, by: int, steps: int) -> None:
    data = loop(end, by)
    graph = passes.run(load_bytes(data, "loop"))
    assert [op.kind for op in graph.ops] == ["ADD"] * steps
    x = np.random.default_rng(steps).normal(0, 1, SHAPE).astype(np.float32)
    (actual,) = interpreter.run(graph, [x])
    (expected,) = run_interpreter(reference_interpreter(data), [x])
    assert actual.tobytes() == expected.tobytes() == (x * 2**steps).astype(np.float32).tobytes()


@pytest.mark.parametrize(
    "data",
    [loop(5, from_input=True), loop(1_000_000), loop(1, by=0)],
    ids=["counted-by-an-input", "too-long", "without-end"],
)
def test_other_loops_are_refused(data: bytes) -> None:
    with pytest.raises(TinycError) as caught:
        passes.legalize(passes.run(load_bytes(data, "loop")), allow_float=True)
    (problem,) = caught.value.problems
    assert "WHILE" in problem.where and "how often it goes around" in problem.what


def test_a_damaged_file_is_a_graph_or_one_error() -> None:
    data, rng = loop(5), np.random.default_rng(0)
    for _ in range(600):
        damaged = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            damaged[int(rng.integers(8, len(damaged)))] ^= 1 << int(rng.integers(8))
        try:
            passes.run(load_bytes(bytes(damaged), "loop"))
        except TinycError:
            continue
