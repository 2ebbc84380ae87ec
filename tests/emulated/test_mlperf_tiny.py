"""Real models on the emulated nRF52840: every output byte equals the golden.

The golden is the NumPy reference, which tests/host/test_models.py holds against LiteRT's reference
kernels, and the stored outputs of TensorFlow Lite Micro where there are some.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from support.devices import need_qemu
from support.recordings import real_clips
from tinyc import frontends, passes, pipeline
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.audio.settings import AudioSettings
from tinyc.boards import load_board
from tinyc.device.client import DeviceClient
from tinyc.emulator import Machine
from tinyc.emulator.qemu import MACHINES, QemuMachine
from tinyc.execution import DeviceEngine
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array
from tinyc.program import Firmware, Program
from tinyc.verification import random_vectors, verify

pytestmark = pytest.mark.emulated

# Model → its name among the stored outputs of TensorFlow Lite Micro, if it is there.
MODELS = {
    "mlperf_tiny/kws_ref_model.tflite": "kws",
    "mlperf_tiny/pretrainedResnet_quant.tflite": "ic",
    "mlperf_tiny/vww_96_int8.tflite": "vww",
    "mlperf_tiny/ad01_int8.tflite": "ad",
    "mlperf_tiny/str_ww_ref_model.tflite": "sww",
    "tflm/hello_world_int8.tflite": "",
    "tflm/micro_speech_quantized.tflite": "",
}
# Models of speech: frames and coefficients of features made from real recordings.
SPEECH = {"kws": (49, 10), "sww": (30, 40), "micro_speech_quantized": (49, 40)}
RANDOM = 2
REAL = 8


@pytest.fixture(scope="session", params=sorted(MODELS))
def built(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Program, Firmware]:
    path = shared / "models" / request.param
    graph = passes.legalize(passes.run(frontends.load(path)))
    program = pipeline.compile_graph(graph, load_board("nrf52840"), name=path.stem)
    firmware = pipeline.build(program, tmp_path_factory.mktemp("mlperf") / path.stem)
    return MODELS[request.param], program, firmware


def real_vectors(name: str, graph: Graph, shared: Path) -> list[Sequence[Array]]:
    if name not in SPEECH:
        return []
    frames, coefficients = SPEECH[name]
    hop = 320
    settings = AudioSettings(
        clip_samples=480 + hop * (frames - 1), hop=hop, coefficients=coefficients, lifter=0
    )
    tensor = graph[graph.inputs[0]]
    front_end = AudioFrontEnd(settings, tensor.scale, tensor.zero_point)
    clips = real_clips(shared, REAL)
    samples = np.stack([np.resize(clip, settings.clip_samples) for clip in clips])
    return [[features.reshape(tensor.shape)] for features in front_end.features(samples)]


def test_device_equals_golden(built: tuple[str, Program, Firmware], shared: Path) -> None:
    name, program, firmware = built
    vectors: list[Sequence[Array]] = [*random_vectors(program.graph, RANDOM, seed=5)]
    vectors += real_vectors(name or program.name, program.graph, shared)
    machine = Machine(firmware.elf, program.board)
    device = DeviceEngine(DeviceClient(machine.transport), program)
    result = verify(program, vectors, {"device": device})
    assert result.agrees, result.first
    assert result.vectors == RANDOM + (REAL if (name or program.name) in SPEECH else 0)
    assert len({output[0].tobytes() for output in result.outputs}) > 1
    if name:
        stored = np.load(shared / "baselines" / "tflm_cmsis_nn_outputs.npz")
        tensor = program.graph[program.graph.inputs[0]]
        for inputs, expected in zip(stored[f"{name}_inputs"], stored[f"{name}_outputs"], strict=True):
            (got,) = device.run([inputs.reshape(tensor.shape)])
            np.testing.assert_array_equal(got.reshape(-1), expected)


# The others have 16 kB of RAM, less than the model.
@pytest.mark.parametrize("board", sorted(set(MACHINES) - {"hifive1_revb", "microbit"}))
def test_qemu_equals_tensorflow_lite_micro(board: str, shared: Path, tmp_path: Path) -> None:
    need_qemu(load_board(board))
    path = shared / "models" / "mlperf_tiny" / "kws_ref_model.tflite"
    graph = passes.legalize(passes.run(frontends.load(path)))
    program = pipeline.compile_graph(graph, load_board(board), name="kws")
    firmware = pipeline.build(program, tmp_path / "out")
    stored = np.load(shared / "baselines" / "tflm_cmsis_nn_outputs.npz")
    shape = graph[graph.inputs[0]].shape
    with QemuMachine(firmware.elf, program.board) as machine:
        device = DeviceEngine(DeviceClient(machine.transport), program)
        for inputs, expected in zip(stored["kws_inputs"], stored["kws_outputs"], strict=True):
            (got,) = device.run([inputs.reshape(shape)])
            np.testing.assert_array_equal(got.reshape(-1), expected)


@pytest.mark.parametrize("model", [path for path, name in MODELS.items() if name not in ("", "kws")])
def test_a_cortex_m55_equals_the_reference(model: str, shared: Path, tmp_path: Path) -> None:
    board = load_board("mps3_an547")
    need_qemu(board)
    graph = passes.legalize(passes.run(frontends.load(shared / "models" / model)))
    program = pipeline.compile_graph(graph, board, name="model")
    assert any(step.kernel.isa == "helium" for step in program.steps)
    firmware = pipeline.build(program, tmp_path / "out")
    with QemuMachine(firmware.elf, board) as machine:
        client = DeviceClient(machine.transport)
        device = DeviceEngine(client, program)
        assert verify(program, random_vectors(graph, 1, seed=6), {"device": device}).agrees
        for step in program.steps:
            # QEMU executes an instruction a nanosecond.
            counted = client.run_layer(step.index) * 1e9 / board.clock_hz
            if step.kernel.isa == "helium":
                assert step.kernel.work is not None
                predicted = step.kernel.work(step.op, graph).instructions
                assert abs(predicted - counted) <= 0.1 * max(counted, 2000), step.kernel.symbol


def test_arena_is_near_the_lower_bound(built: tuple[str, Program, Firmware]) -> None:
    _, program, firmware = built
    plan = program.plan
    assert plan.arena_size <= 1.02 * plan.lower_bound or plan.arena_size - plan.lower_bound < 16
    assert firmware.sizes.arena == plan.arena_size
    assert firmware.sizes.weights == program.weight_bytes
