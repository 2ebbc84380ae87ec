"""The printed graph of a small keyword net as it is and after each pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.chains import keyword_chain
from tinyc import passes
from tinyc.ir.graph import verify
from tinyc.ir.printer import format_graph

pytestmark = pytest.mark.golden


@pytest.mark.parametrize("name", ["int8", "float32"])
def test_the_graph_after_each_pass(name: str, golden: Callable[[str, str], None]) -> None:
    graph = keyword_chain(real=name == "float32")
    golden(f"passes/{name}/0_loaded.txt", format_graph(graph))
    for number, rewrite in enumerate(passes.PIPELINE, 1):
        graph = verify(rewrite(graph))
        golden(f"passes/{name}/{number}_{rewrite.__name__}.txt", format_graph(graph))
