"""The scalar kernels on a Cortex-M0, where their inner loops are assembly, and on RV32IMC."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.devices import need_toolchain, running
from support.scalar_layers import extremes, random_layers, side_by_side
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.emit.project import render
from tinyc.kernels.catalogue import candidates
from tinyc.pipeline import compile_graph
from tinyc.toolchain import build

pytestmark = pytest.mark.emulated

LAYERS = 8


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("name", ["microbit", "qemu_riscv32"])
def test_random_and_extreme_layers(name: str, toolchain: str, tmp_path: Path) -> None:
    board = load_board(name)
    need_toolchain(board, toolchain)
    rng = np.random.default_rng(11)
    graph = side_by_side([*extremes(), *random_layers(rng, LAYERS)])
    roomy = replace(board, memory=replace(board.memory, flash=1 << 20, ram=1 << 20))
    kernels = [next(k for k in candidates(op, graph) if k.isa == "scalar") for op in graph.ops]
    program = compile_graph(graph, roomy, name="layers", kernels=[kernel.symbol for kernel in kernels])
    firmware = build(render(program), tmp_path, toolchain)
    with running(firmware.elf, roomy) as transport:
        client = DeviceClient(transport)
        for _ in range(6):
            inputs = random_inputs(rng, graph)
            expected = interpreter.run(graph, inputs)
            answer = client.run(b"".join(array.tobytes() for array in inputs))
            assert answer == b"".join(array.tobytes() for array in expected)
