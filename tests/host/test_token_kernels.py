"""Every row kernel on random layers and sentences: NumPy reference == C under sanitizers.

The kernels for a Cortex-M4 have plain C in place of their assembly here; `tests/emulated` runs that.
"""

from __future__ import annotations

import pytest

from support.token_cases import FAMILIES, ISAS, assert_same, expected, graphs, inputs_of, program
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host


@pytest.mark.parametrize("isa", ISAS)
def test_the_reference_equals_the_c_under_sanitizers(isa: str) -> None:
    cases = [(f"{family} {at}", graph) for family in FAMILIES for at, graph in enumerate(graphs(family))]
    bundle = HostBundle([program(graph, isa, f"m{at}") for at, (_, graph) in enumerate(cases)])
    records = [(at, inputs) for at, (_, graph) in enumerate(cases) for inputs in inputs_of(graph, at)]
    for (at, inputs), found in zip(records, bundle.run_all(records), strict=True):
        name, graph = cases[at]
        assert_same(f"{isa}: {name}", expected(graph, inputs), found)
