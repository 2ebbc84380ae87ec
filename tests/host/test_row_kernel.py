"""The kernel for one row: every depth and number of channels, every rounding, over its own input."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.common import random_inputs
from support.programs import program_of
from support.row_layers import SHAPES, row_chain, row_graph
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.emit.kernel_files import kernel_symbol
from tinyc.ir.graph import Graph
from tinyc.kernels.cortex_m4_fully_connected import KERNELS
from tinyc.kernels.kernel import Kernel
from tinyc.pipeline import compile_graph
from tinyc.program import Program
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host


def kernel_of(graph: Graph) -> Kernel:
    (kernel,) = [k for k in KERNELS if type(graph.ops[0]) is k.op]
    return kernel


def programs() -> list[Program]:
    graphs = [row_graph(seed, *shape) for seed, shape in enumerate(3 * SHAPES)]
    return [program_of(graph, [kernel_of(graph)], f"m{i}") for i, graph in enumerate(graphs)]


def test_all_shapes_and_roundings_equal_the_reference() -> None:
    tested = programs()
    assert all(p.steps[0].kernel.accepts(p.steps[0].op, p.graph) for p in tested)
    symbols = {kernel_symbol(p, p.steps[0]).rsplit("__", 1)[1] for p in tested}
    for rounding in ("_s", "_double"):
        for constants in ("_layer", "_channel"):
            for biases in ("", "_narrow"):
                ending = constants + biases
                assert any(rounding in symbol and symbol.endswith(ending) for symbol in symbols), symbols
    # The scratch lies on the input where that saves memory: the sanitizer sees no other access.
    assert any(p.plan.arena_size < p.steps[0].scratch + p.graph["x"].bytes for p in tested)
    rng = np.random.default_rng(0)
    records = [(i, random_inputs(rng, p.graph)) for i, p in enumerate(tested) for _ in range(3)]
    spread = set()
    for (index, inputs), (actual,) in zip(records, HostBundle(tested).run_all(records), strict=True):
        (expected,) = interpreter.run(tested[index].graph, inputs)
        np.testing.assert_array_equal(actual, expected, err_msg=str(tested[index].graph.ops[0]))
        spread |= set(expected.reshape(-1).tolist())
    assert len(spread) > 200


def test_a_chain_takes_little_more_than_twice_its_largest_layer() -> None:
    graph = row_chain(1, (640, 128, 128, 8, 128, 640))
    program = compile_graph(graph, load_board("nrf52840"), name="chain")
    assert all(step.kernel in KERNELS for step in program.steps)
    # 608 inputs as int16, the other 32 in registers, and 128 outputs.
    assert program.plan.arena_size == program.plan.lower_bound == 2 * 608 + 128
    rng = np.random.default_rng(2)
    records = [(0, random_inputs(rng, graph)) for _ in range(20)]
    for (_, inputs), (actual,) in zip(records, HostBundle([program]).run_all(records), strict=True):
        np.testing.assert_array_equal(actual, interpreter.run(graph, inputs)[0])


def test_weights_that_do_not_fit_a_halfword_are_refused() -> None:
    graph = row_graph(0, 16, 4)
    weights = graph["w0"].constant.copy()
    weights[1, 0], weights[0, 0] = -128, -1
    tensors = {**graph.tensors, "w0": graph["w0"].with_(data=weights)}
    changed = graph.rebuilt(tensors=tensors)
    assert kernel_of(graph).accepts(graph.ops[0], graph)
    assert not kernel_of(graph).accepts(graph.ops[0], changed)
