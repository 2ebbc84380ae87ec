"""A model with state on the emulated chip: its own reset, the host's, and a sequence in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.devices import running
from support.stateful import sequence, with_state
from tinyc import interpreter, pipeline, verification
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.execution import DeviceEngine
from tinyc.ir.ops import UnidirectionalSequenceLstm

pytestmark = pytest.mark.emulated


def test_the_chip_remembers_what_the_reference_does(tmp_path: Path) -> None:
    graph, board = with_state(UnidirectionalSequenceLstm), load_board("nrf52840_bare")
    program = pipeline.compile_graph(graph, board, name="kept")
    firmware = pipeline.build(program, tmp_path)
    vectors = sequence(graph, 4)
    expected = [row[0].tobytes() for row in interpreter.run_sequence(program.graph, vectors)]
    with running(firmware.elf, board) as transport:
        client = DeviceClient(transport)
        assert [client.run(inputs[0].tobytes()) for inputs in vectors] == expected
        engine = DeviceEngine(client, program)
        assert [engine.run(inputs)[0].tobytes() for inputs in vectors] == expected
        engine.reset()
        result = verification.verify(program, vectors, {"device": engine}, layers=True)
        assert result.agrees
