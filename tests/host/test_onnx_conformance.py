"""ONNX's own tests of the operators that tinyc has: none is wrong, and int8 in C gives the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from support.onnx_conformance import outcomes  # noqa: E402
from support.onnx_pages import onnx_page  # noqa: E402
from tinyc import passes  # noqa: E402
from tinyc.boards import load_board  # noqa: E402
from tinyc.ir.tensor import DType  # noqa: E402
from tinyc.pipeline import compile_graph  # noqa: E402
from tinyc.toolchain.host import HostBundle  # noqa: E402

pytestmark = pytest.mark.host

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "onnx.md"


def test_no_answer_is_wrong() -> None:
    assert not {outcome.name: outcome.error for outcome in outcomes() if outcome.error}
    assert sum(outcome.graph is not None for outcome in outcomes()) > 300


def test_the_c_of_quantized_operators_gives_the_same() -> None:
    """Tests whose graphs are int8 from end to end, as one program each."""
    from tinyc import interpreter

    found = []
    for outcome in outcomes():
        graph = outcome.graph
        if graph is None or not graph.ops:
            continue
        if all(graph[name].dtype is DType.INT8 for name in (*graph.inputs, *graph.outputs)):
            found.append((outcome.name, passes.legalize(graph), outcome.inputs))
    assert {name for name, _, _ in found} >= {"test_qlinearmatmul_2D_int8_float32", "test_quantizelinear"}
    host = load_board("host")
    programs = [compile_graph(graph, host, name=f"m{place}") for place, (_, graph, _) in enumerate(found)]
    answers = HostBundle(programs).run_all([(place, inputs) for place, (_, _, inputs) in enumerate(found)])
    for (name, graph, inputs), actual in zip(found, answers, strict=True):
        for left, right in zip(interpreter.run(graph, inputs), actual, strict=True):
            np.testing.assert_array_equal(left, right, err_msg=name)


@pytest.mark.golden
def test_the_page_is_fresh(request: pytest.FixtureRequest) -> None:
    text = onnx_page(outcomes())
    if request.config.getoption("--update-golden"):
        PAGE.write_text(text, encoding="utf-8")
    written = PAGE.read_text(encoding="utf-8")
    if f"ONNX {onnx.__version__}'s" not in written:
        pytest.skip("the page is about the tests of another version of ONNX")
    assert written == text, "run `make golden`"
