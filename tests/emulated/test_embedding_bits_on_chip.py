"""A network with a token table of 4 or 6 bits on the emulated chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.token_layers import Builder, vectors
from tinyc import interpreter, pipeline
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.emulator import Machine
from tinyc.execution import DeviceEngine

pytestmark = pytest.mark.emulated


@pytest.mark.parametrize("bits", [4, 6])
def test_bytes_are_those_of_the_reference(bits: int, tmp_path: Path) -> None:
    build = Builder(bits, 12, sentence=True)
    x = build.norm(build.embedding(16, 7, bits=bits))
    graph = build.graph(build.linear(build.pool(x), units=5, bits=16))
    program = pipeline.compile_graph(graph, load_board("nrf52840"), name="small")
    machine = Machine(pipeline.build(program, tmp_path).elf, program.board)
    try:
        engine = DeviceEngine(DeviceClient(machine.transport), program)
        for inputs in vectors(graph, bits, (1, 5, 12)):
            (value,) = engine.run(inputs)
            (wanted,) = interpreter.run(program.graph, inputs)
            np.testing.assert_array_equal(value.reshape(wanted.shape), wanted)
    finally:
        machine.transport.close()
