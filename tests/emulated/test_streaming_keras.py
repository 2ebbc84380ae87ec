"""A network from Keras in a stream: in C and on the emulated chip, what TensorFlow Lite Micro gives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from support.devices import running
from support.keras_stream import FEATURES, FRAMES
from support.tflite_micro import micro_interpreter, run_micro
from tinyc import interpreter, passes, pipeline
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.execution import DeviceEngine
from tinyc.frontends import tflite
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array
from tinyc.passes.stream import stream
from tinyc.toolchain.host import HostModel

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The trained network: `int8`, and `float32` as it was."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    path = tmp_path_factory.mktemp("stream") / "files.npz"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "support.keras_stream", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(path) as archive:
        return {name: archive[name].tobytes() for name in archive.files}


def _batch(data: bytes, *, allow_float: bool = False) -> Graph:
    return passes.legalize(passes.run(tflite.load_bytes(data, "net")), allow_float=allow_float)


def _assert_streams(
    run: Callable[[Sequence[Array]], Sequence[Array]], x: Array, wanted: Sequence[Array]
) -> None:
    """Outputs of one inference a frame from a reset on; the last ones are those of the batch model."""
    frames, last, mean = wanted
    for at in range(FRAMES):
        found = run([x[:, at : at + 1]])
        assert found[0].tobytes() == frames[:, at : at + 1].tobytes(), f"frame {at}"
    assert found[1].tobytes() == last.tobytes()
    assert found[2].tobytes() == mean.tobytes()


def test_c_and_chip_give_frame_by_frame_what_the_batch_model_gives(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    batch, board = _batch(files["int8"]), load_board("nrf52840_bare")
    streaming, micro = stream(batch), micro_interpreter(files["int8"])
    assert streaming.stream is not None
    assert (streaming.stream.frames, streaming.stream.warm_up) == (1, FRAMES - 1)
    # The dilated layer takes its taps out of a ring, both others read a window.
    kinds = [op.kind for op in streaming.ops]
    assert (kinds.count("STREAM_WINDOW"), kinds.count("STREAM_TAPS")) == (3, 1)
    x = np.random.default_rng(1).integers(-128, 128, (2, FRAMES, FEATURES)).astype(np.int8)
    wanted = [run_micro(micro, [row[None]], 3) for row in x]
    assert len({each[2].tobytes() for each in wanted}) == 2
    program = pipeline.compile_graph(streaming, board, name="net")
    with HostModel(pipeline.compile_graph(streaming, load_board("host"), name="net")) as model:
        for row, each in zip(x, wanted, strict=True):
            _assert_streams(model.run, row[None], each)
            model.reset()
    with running(pipeline.build(program, tmp_path).elf, board) as transport:
        engine = DeviceEngine(DeviceClient(transport), program)
        for row, each in zip(x, wanted, strict=True):
            _assert_streams(engine.run, row[None], each)
            engine.reset()


def test_the_network_in_float32_gives_the_same_bits_too(files: dict[str, bytes]) -> None:
    batch = _batch(files["float32"], allow_float=True)
    x = np.random.default_rng(2).normal(0, 1, (1, FRAMES, FEATURES)).astype(np.float32)
    steps = iter(interpreter.run_sequence(stream(batch), [(x[:, at : at + 1],) for at in range(FRAMES)]))
    _assert_streams(lambda _: next(steps), x, interpreter.run(batch, [x]))
