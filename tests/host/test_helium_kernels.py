"""The Helium kernels where blocks and roundings end: NumPy reference == the C twins under sanitizers."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.common import random_inputs
from support.helium_layers import rounding_layers, wide_layers
from support.kernel_cases import KERNELS
from support.programs import program_of
from tinyc import interpreter
from tinyc.ir.graph import Graph
from tinyc.kernels.kernel import Kernel
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host


def kernel_of(graph: Graph, symbol: str) -> Kernel:
    return KERNELS[f"{graph.ops[0].kind}:{symbol}"]


def test_bounds_of_the_matrix_product() -> None:
    graphs, rng = wide_layers(), np.random.default_rng(9)
    kernels = [kernel_of(graph, "tinyc_fully_connected_s8__helium") for graph in graphs]
    assert all(kernel.accepts(graph.ops[0], graph) for kernel, graph in zip(kernels, graphs, strict=True))
    pairs = enumerate(zip(graphs, kernels, strict=True))
    bundle = HostBundle([program_of(graph, [kernel], f"m{i}") for i, (graph, kernel) in pairs])
    for index, graph in enumerate(graphs):
        for _ in range(3):
            inputs = random_inputs(rng, graph)
            ((actual,),) = bundle.run(index, [inputs])
            np.testing.assert_array_equal(actual, interpreter.run(graph, inputs)[0], str(graph.ops[0]))


def test_every_rounding_of_every_input() -> None:
    layers = rounding_layers()
    programs = [
        program_of(layer.graph, [kernel_of(layer.graph, layer.symbol)], f"m{i}")
        for i, layer in enumerate(layers)
    ]
    bundle = HostBundle(programs)
    for index, layer in enumerate(layers):
        x = layer.every_input()
        ((actual,),) = bundle.run(index, [[x]])
        np.testing.assert_array_equal(actual, interpreter.run(layer.graph, [x])[0], layer.symbol)
