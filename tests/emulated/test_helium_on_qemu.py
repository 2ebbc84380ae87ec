"""The Helium kernels on a Cortex-M55 in QEMU, where their loops are assembly: outputs equal the reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.devices import need_qemu, need_toolchain, running
from support.helium_layers import rounding_layers, wide_layers
from support.kernel_cases import KERNELS, cases
from support.scalar_layers import side_by_side
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.emit.project import render
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array
from tinyc.pipeline import compile_graph
from tinyc.toolchain import build

pytestmark = pytest.mark.emulated

BOARD = load_board("mps3_an547")
# Inputs and outputs of one firmware; its answer to HELLO has room for more.
PORTS = 96
RECORDS = 4
HELIUM = [key for key, kernel in KERNELS.items() if kernel.isa == "helium"]


def check(
    graphs: Sequence[Graph],
    symbols: Sequence[str],
    records: Sequence[Sequence[Array]],
    folder: Path,
    tool: str,
) -> None:
    """All layers in one firmware; `records` are sets of inputs of all of them."""
    need_toolchain(BOARD, tool)
    need_qemu(BOARD)
    graph = side_by_side(graphs)
    program = compile_graph(graph, BOARD, name="layers", kernels=symbols)
    firmware = build(render(program), folder, tool)
    with running(firmware.elf, BOARD) as transport:
        client = DeviceClient(transport)
        for inputs in records:
            expected = interpreter.run(graph, inputs)
            answer = client.run(b"".join(array.tobytes() for array in inputs))
            at = 0
            for index, array in enumerate(expected):
                found = np.frombuffer(answer, np.int8, array.size, at).reshape(array.shape)
                at += array.size
                np.testing.assert_array_equal(found, array, f"{symbols[index]}: {graphs[index].ops[0]}")
            assert at == len(answer)


@pytest.mark.parametrize(("toolchain", "first"), [("zig", 0), ("gcc", 1)])
def test_random_layers(toolchain: str, first: int, tmp_path: Path) -> None:
    """Each compiler gets every other case."""
    every = [
        (key, graph)
        for turn in range(first, 24, 2)
        for key in HELIUM
        for graph in cases(key)[turn : turn + 1]
    ]
    pairs, ports = [], 0
    for key, graph in every:
        ports += len(graph.inputs) + len(graph.outputs)
        if ports <= PORTS:
            pairs.append((key, graph))
    assert {key for key, _ in pairs} == set(HELIUM)
    rng = np.random.default_rng(7)
    graphs = [graph for _, graph in pairs]
    records = [[array for graph in graphs for array in random_inputs(rng, graph)] for _ in range(RECORDS)]
    check(graphs, [KERNELS[key].symbol for key, _ in pairs], records, tmp_path, toolchain)


def test_bounds_of_the_matrix_product(tmp_path: Path) -> None:
    graphs, rng = wide_layers(), np.random.default_rng(9)
    records = [[array for graph in graphs for array in random_inputs(rng, graph)] for _ in range(RECORDS)]
    check(graphs, ["tinyc_fully_connected_s8__helium"] * len(graphs), records, tmp_path, "gcc")


def test_every_rounding_of_every_input(tmp_path: Path) -> None:
    """Ties of both signs, the largest sums, clamps: all inputs of layers with one product an output."""
    layers = rounding_layers()
    records = [[layer.every_input() for layer in layers]]
    check([layer.graph for layer in layers], [layer.symbol for layer in layers], records, tmp_path, "zig")
