"""Real models, compiled for the chip: the arena stays near its bound, and the C equals the interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from tinyc import frontends, interpreter, passes
from tinyc.boards import load_board
from tinyc.emit.symbols import emitted
from tinyc.memory.budget import budget
from tinyc.pipeline import compile_graph
from tinyc.program import Program
from tinyc.toolchain.host import HostModel

pytestmark = pytest.mark.host

MODELS = (
    "mlperf_tiny/ad01_int8",
    "mlperf_tiny/kws_ref_model",
    "mlperf_tiny/pretrainedResnet_quant",
    "mlperf_tiny/str_ww_ref_model",
    "mlperf_tiny/vww_96_int8",
    "tflm/hello_world_int8",
    "tflm/micro_speech_quantized",
)


def program_at(shared: Path, model: str, board: str) -> Program:
    graph = passes.run(frontends.load(shared / "models" / f"{model}.tflite"))
    return compile_graph(graph, load_board(board), name=Path(model).name)


@pytest.mark.parametrize("board", ["host", "nrf52840"])
@pytest.mark.parametrize("model", MODELS)
def test_the_arena_is_near_its_lower_bound(shared: Path, model: str, board: str) -> None:
    program = program_at(shared, model, board)
    assert program.plan.arena_size <= 1.02 * program.plan.lower_bound
    assert budget(program).weights == emitted(program).weight_bytes


@pytest.mark.parametrize("sanitize", [False, True], ids=["library", "sanitized"])
@pytest.mark.parametrize("model", MODELS)
def test_every_layer_equals_the_interpreter(shared: Path, model: str, sanitize: bool) -> None:
    # The chip's kernels, whose special instructions have plain C twins for other machines.
    program = program_at(shared, model, "nrf52840")
    inputs = random_inputs(np.random.default_rng(0), program.graph)
    values = interpreter.trace(program.graph, inputs)
    with HostModel(program, sanitize=sanitize) as host:
        for name, value in host.trace(inputs).items():
            np.testing.assert_array_equal(value, values[name], err_msg=name)
        # Again through the arena that the run before has left behind.
        for name, value in zip(program.graph.outputs, host.run(inputs), strict=True):
            np.testing.assert_array_equal(value, values[name], err_msg=name)
