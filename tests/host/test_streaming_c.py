"""Streaming models in C: the sequence of the reference, and what the command line makes of one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from strategies import STRATEGIES
from strategies.common import activation
from support.stream_networks import (
    Network,
    frames_of,
    in_float32,
    long_input,
    lstm_network,
    random_network,
    streamed_outputs,
    svdf_network,
)
from support.tflite_micro import micro_interpreter, run_micro
from support.tflite_writer import Layer, write, write_layers
from tinyc import frontends, interpreter, passes
from tinyc.boards import load_board
from tinyc.cli.app import app
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Conv2D, FullyConnected
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.passes.stream import stream
from tinyc.pipeline import compile_graph
from tinyc.toolchain.host import HostBundle, HostModel

pytestmark = pytest.mark.host

_NETWORKS = 12


def test_the_c_gives_what_the_reference_gives_frame_by_frame() -> None:
    networks = [
        random_network(np.random.default_rng(seed), causal=bool(seed % 2))
        for seed in range(100, 100 + _NETWORKS)
    ]
    networks += [(in_float32(np.random.default_rng(2), batch), axis) for batch, axis in networks[:6]]
    networks += [(make(np.random.default_rng(7)), 2) for make in (lstm_network, svdf_network)]
    board, rng, programs, records, expected = load_board("host"), np.random.default_rng(1), [], [], []
    for number, (batch, axis) in enumerate(networks):
        streaming = stream(batch, axis)
        assert streaming.stream is not None
        x, step = long_input(rng, batch, axis, 30), streaming.stream.frames
        parts = [(frames_of(x, axis, at, step),) for at in range(0, 30 - step + 1, step)]
        programs.append(compile_graph(streaming, board, name=f"m{number}"))
        records += [(number, part) for part in parts]
        expected += streamed_outputs(streaming, x)
    found = HostBundle(programs).run_all(records)
    for index, (wanted, (given, *_)) in enumerate(zip(expected, found, strict=True)):
        assert given.tobytes() == wanted.tobytes(), f"record {index}: network {records[index][0]}"


def test_a_wake_word_model_gives_what_tensorflow_lite_micro_gives_for_the_last_frames(shared: Path) -> None:
    """That of MLPerf Tiny. Its convolutions pad nowhere: each inference is one of the last 30 frames.

    The spectra are no noise of full scale, which would leave one answer of the softmax.
    """
    path = shared / "models" / "mlperf_tiny" / "str_ww_ref_model.tflite"
    batch, micro = passes.legalize(passes.run(frontends.load(path))), micro_interpreter(path.read_bytes())
    streaming = stream(batch)
    assert streaming.stream is not None
    assert (streaming.stream.frames, streaming.stream.warm_up, streaming.stream.batch_frames) == (1, 29, 30)
    assert streaming.macs() * 17 < batch.macs()
    x = np.random.default_rng(3).normal(60, 15, (1, 36, 1, 40)).astype(np.int8)
    with HostModel(compile_graph(streaming, load_board("host"), name="wake")) as model:
        found = [model.run([frames_of(x, 1, at, 1)])[0].tobytes() for at in range(36)]
    wanted = [run_micro(micro, [frames_of(x, 1, at, 30)], 1)[0].tobytes() for at in range(7)]
    assert found[29:] == wanted
    assert len(set(wanted)) > 3


def _batch() -> Graph:
    """Two frames an inference, and an output for the whole of time."""
    net = Network(np.random.default_rng(1), activation(np.random.default_rng(1), "x", (1, 20, 6, 1)))
    net.convolution(Conv2D, 4, 3, 2)
    net.residual(3, 4)
    net.dense(3, over_time=True)
    return net.graph()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a `tinyc.toml` that asks for streaming."""
    (tmp_path / "net.tflite").write_bytes(write(_batch()))
    (tmp_path / "tinyc.toml").write_text('[model]\npath = "net.tflite"\nstreaming = true\n')
    return tmp_path


def _call(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_run_goes_through_an_input_of_any_length(project: Path) -> None:
    batch = _batch()
    x = long_input(np.random.default_rng(2), batch, 1, 31)
    np.save(project / "long.npy", x.reshape(31, 6))
    _call("run", project, "--board", "host", "--input", project / "long.npy", "--output", project / "y.npy")
    found = np.load(project / "y.npy")
    # The last frame does not fill an inference.
    assert len(found) == 15
    (wanted,) = interpreter.run(batch, [frames_of(x, 1, 0, 20)])
    assert found[9].tobytes() == wanted.tobytes()
    np.save(project / "odd.npy", np.zeros((3, 7), np.int8))
    wrong = CliRunner().invoke(app, ["run", str(project), "-b", "host", "-i", str(project / "odd.npy")])
    assert wrong.exit_code == 1
    assert "frames of shape [6, 1]" in str(wrong.exception)


def test_check_and_build_tell_what_a_stream_costs(project: Path) -> None:
    told = json.loads(_call("check", project, "--board", "nrf52840", "--json"))["streaming"]
    assert (told["axis"], told["frames"], told["warm_up"], told["lags"]) == (1, 2, 9, [0])
    assert told["batch"]["frames"] == 20
    assert told["batch"]["macs"] > 3 * told["macs"]
    assert told["batch"]["arena"] > told["arena"] > told["state"] > 0
    assert told["batch"]["state"] == 0
    assert told["batch"]["cycles_predicted"] > told["cycles_predicted"]
    built = json.loads(_call("build", project, "--board", "host", "--out", project / "out", "--json"))
    assert built["streaming"]["warm_up"] == 9
    header = next((project / "out").rglob("model.h")).read_text()
    assert "_STREAM_FRAMES 2u" in header
    assert "_STREAM_WARM_UP 9u" in header
    plain = json.loads(_call("check", project, "--board", "host", "--no-streaming", "--json"))
    assert plain["streaming"] is None
    wrong = CliRunner().invoke(app, ["profile", str(project / "out"), "--no-streaming"])
    assert "is a build that streams" in str(wrong.exception)


def test_inspect_names_what_is_not_compiled_and_an_input_without_frames(tmp_path: Path) -> None:
    unknown = Layer("RNN", ("x",), ("y",))
    tensors = [Tensor(name, (1, 4, 4), DType.INT8, Quantization((0.5,), (0,))) for name in ("x", "y")]
    (tmp_path / "rnn.tflite").write_bytes(write_layers([unknown], tensors, ("x",), ("y",)))
    wrong = CliRunner().invoke(app, ["inspect", str(tmp_path / "rnn.tflite"), "--streaming"])
    assert wrong.exit_code == 1
    assert "1 operator of 1 cannot be compiled" in str(wrong.exception)
    assert "stream" not in str(wrong.exception)
    wrong = CliRunner().invoke(app, ["inspect", str(tmp_path / "rnn.tflite"), "--streaming", "--raw"])
    assert "--raw shows a model as loaded" in str(wrong.exception)
    dense = STRATEGIES[FullyConnected](np.random.default_rng(5))
    (tmp_path / "dense.tflite").write_bytes(write(dense))
    wrong = CliRunner().invoke(app, ["inspect", str(tmp_path / "dense.tflite"), "--streaming"])
    assert "has no frames along time" in str(wrong.exception)


def test_verify_and_inspect_take_the_streaming_model(project: Path) -> None:
    told = json.loads(_call("verify", project / "net.tflite", "--streaming", "--board", "host", "--json"))
    assert told["agrees"]
    assert told["bytes_compared"] > 0
    shown = json.loads(_call("inspect", project, "--json"))
    assert shown["inputs"] == [{"name": "x", "shape": [1, 2, 6, 1]}]
    assert shown["layers"][0]["op"] == "STREAM_WINDOW"
