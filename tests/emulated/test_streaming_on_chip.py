"""A streaming model on the emulated chip: frame by frame across resets, what the batch model gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strategies.common import activation
from support.devices import running
from support.stream_networks import Network, expected_frames, frames_of, long_input, streamed_outputs
from tinyc import pipeline
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.execution import DeviceEngine
from tinyc.ir.ops import Conv2D
from tinyc.passes.stream import stream

pytestmark = pytest.mark.emulated


def test_the_chip_goes_through_a_stream_again_after_a_reset(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    net = Network(rng, activation(rng, "x", (1, 16, 10, 1)))
    net.convolution(Conv2D, 16, 4)
    net.residual(3, 4)
    net.dense(8, over_time=False)
    batch, board = net.graph(), load_board("nrf52840_bare")
    streaming = stream(batch)
    program = pipeline.compile_graph(streaming, board, name="stream")
    firmware = pipeline.build(program, tmp_path)
    with running(firmware.elf, board) as transport:
        engine = DeviceEngine(DeviceClient(transport), program)
        for _ in range(2):
            x = long_input(rng, batch, 1, 16)
            found = [engine.run([frames_of(x, 1, at, 1)])[0] for at in range(16)]
            given, wanted = expected_frames(batch, streaming, found, x)
            assert given.tobytes() == wanted.tobytes()
            assert [y.tobytes() for y in found] == [y.tobytes() for y in streamed_outputs(streaming, x)]
            engine.reset()
