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
from tinyc.errors import TinycError
from tinyc.execution import DeviceEngine, Engine
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
    """One inference a frame from a reset on gives each frame, and at last what is for all of time."""
    for at in range(FRAMES):
        for given, each in zip(run([x[:, at : at + 1]]), wanted, strict=True):
            if each.ndim == 3:
                assert given.tobytes() == each[:, at : at + 1].tobytes(), f"frame {at}"
            elif at == FRAMES - 1:
                assert given.tobytes() == each.tobytes()


def test_c_and_chip_give_frame_by_frame_what_the_batch_model_gives(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    batch, board = _batch(files["int8"]), load_board("nrf52840_bare")
    streaming, micro = stream(batch), micro_interpreter(files["int8"])
    assert streaming.stream is not None
    assert (streaming.stream.frames, streaming.stream.warm_up) == (1, FRAMES - 1)
    # The dilated layer takes its taps out of a ring, both others read a window, the mean is a running sum.
    kinds = [op.kind for op in streaming.ops]
    buffers = ("STREAM_WINDOW", "STREAM_TAPS", "STREAM_SUM")
    assert [kinds.count(kind) for kind in buffers] == [2, 1, 1]
    x = np.random.default_rng(1).integers(-128, 128, (2, FRAMES, FEATURES)).astype(np.int8)
    wanted = [run_micro(micro, [row[None]], 3) for row in x]
    assert sorted(each.ndim for each in wanted[0]) == [2, 2, 3]
    assert all(one.tobytes() != other.tobytes() for one, other in zip(*wanted, strict=True))
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
    streaming, x = stream(batch), _real_frames()
    wanted = interpreter.run(batch, [x])
    steps = iter(interpreter.run_sequence(streaming, [(x[:, at : at + 1],) for at in range(FRAMES)]))
    _assert_streams(lambda _: next(steps), x, wanted)
    with HostModel(pipeline.compile_graph(streaming, load_board("host"), name="net")) as model:
        _assert_streams(model.run, x, wanted)


def _real_frames() -> Array:
    return np.random.default_rng(2).normal(0, 1, (1, FRAMES, FEATURES)).astype(np.float32)


def _outputs(model: Engine, x: Array) -> list[bytes]:
    """What one inference a frame gives, with the state as it is."""
    return [model.run([x[:, at : at + 1]])[0].tobytes() for at in range(FRAMES)]


def test_a_gru_keeps_its_state_and_begins_again(files: dict[str, bytes]) -> None:
    """int8; the converter leaves the state itself in float32."""
    graph, micro = _batch(files["gru_int8"]), micro_interpreter(files["gru_int8"])
    (state,) = graph.states
    assert (state.initial.shape, state.initial.dtype) == ((1, 6), np.float32)
    x = np.random.default_rng(3).integers(-128, 128, (1, FRAMES, FEATURES)).astype(np.int8)
    wanted = [run_micro(micro, [x[:, at : at + 1]], 1)[0].tobytes() for at in range(FRAMES)]
    with HostModel(pipeline.compile_graph(graph, load_board("host"), name="gru")) as model:
        assert _outputs(model, x) == wanted
        assert _outputs(model, x) != wanted
        model.reset()
        assert _outputs(model, x) == wanted
    with pytest.raises(TinycError, match="has one frame along axis 1 already"):
        stream(graph)


def test_a_gru_frame_by_frame_gives_what_one_over_all_frames_gives(files: dict[str, bytes]) -> None:
    x = _real_frames()
    whole, step = (_batch(files[name], allow_float=True) for name in ("gru_whole_float32", "gru_float32"))
    (classes,) = interpreter.run(whole, [x])
    wanted = [classes[:, at].tobytes() for at in range(FRAMES)]
    found = interpreter.run_sequence(step, [(x[:, at : at + 1],) for at in range(FRAMES)])
    assert [outputs[0].tobytes() for outputs in found] == wanted
    with HostModel(pipeline.compile_graph(step, load_board("host"), name="gru")) as model:
        assert _outputs(model, x) == wanted
