"""Small Keras models through TensorFlow Lite's own converter: every output byte is the reference kernels'.

LiteRT's kernels round once in fully connected layers, TensorFlow Lite Micro's and tinyc's C twice
(`Rounding`): the NumPy reference is held against LiteRT by the first rule, against TensorFlow Lite Micro and
the C by the second.
The last line of a run counts the models.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.keras_zoo import FAMILIES, Case, Numbers, fused_lstm
from support.kernel_firmware import KernelFirmware
from support.litert import reference_interpreter, run_interpreter
from support.tflite_micro import micro_interpreter, run_micro
from tinyc import interpreter, passes, pipeline
from tinyc.boards import load_board
from tinyc.errors import TinycError
from tinyc.frontends import tflite
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array
from tinyc.objective import Objective
from tinyc.program import Program
from tinyc.quantize.fixed_point import Rounding
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.filterwarnings("ignore")

INPUTS = 4
# Versions of operators that LiteRT has for speed alone: ELU, TILE 3, DEPTH_TO_SPACE 2. All but ELU only move.
NOT_PLAIN = {
    *("elu", "repeat-vector", "tile", "upsample-nearest-0", "upsample-nearest-1", "upsample1d"),
    *("depth-to-space-2", "depth-to-space-3"),
}
# LiteRT's SUM and TensorFlow Lite Micro's differ, and RSQRT of int16. tinyc's are the latter's.
NOT_IN_LITERT = {
    *("sum-1", "sum-2", "sum-12", "sum-last", "unit-norm"),
    *("sum-1-int16", "sum-12-int16", "squared-difference-int16", "rsqrt-int16"),
}
# Operators that TensorFlow Lite Micro lacks, or has in float32 alone; and its RELU6 takes its output to have
# the scale of its input, LiteRT's does not.
NOT_IN_MICRO = {
    *("relu6", "selu", "gelu", "gelu-exact", "encoder", "exponential", "exp", "mish", "relu-threshold"),
    *("sqrt", "log", "logical", "take", "repeat-vector", "tile"),
    *("upsample-nearest-0", "upsample-nearest-1", "upsample1d"),
    *("globalmaxpooling1d-int16", "max-12-int16", "min-last-int16", "resize-bilinear-int16"),
    *("pad-reflect-int16", "take-int16"),
    *("gelu-int16", "gelu-exact-int16", "exp-int16", "log-int16", "mish-int16"),
    # Its ratio of scales is another one than LiteRT's, rarely with another result.
    "multiply-2-int16",
    # It refuses int4 weights with a scale for each unit.
    *(
        "dense-1-int4",
        "dense-2-int4",
        "residual-int4",
        "auto-encoder-int4",
        "temporal-int4",
        "two-heads-int4",
    ),
}
# The converter leaves an operator of several values in float32.
IN_FLOAT = {"add-n": "ADD_N", "where-not_equal": "NOT_EQUAL", "cumsum": "CUMSUM"}
FILES: dict[str, bytes] = {}
# Models of each family that run on the emulated chip.
ON_CHIP = 3


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Convert all models, in a process without a history."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    path = tmp_path_factory.mktemp("zoo") / "zoo.npz"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "support.keras_zoo.convert", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(path) as archive:
        FILES.update({name: archive[name].tobytes() for name in archive.files})


def loaded(case: Case) -> Graph:
    return tflite.load_bytes(FILES[case.name], case.name)


def compiled(case: Case, board: str, *, allow_float: bool = True) -> Program:
    graph = passes.legalize(passes.run(loaded(case)), allow_float=allow_float)
    # For flash, weights of four bits stay two in a byte.
    objective = Objective.FLASH if case.numbers is Numbers.INT4 else Objective.BALANCED
    name = case.name.replace("-", "_")
    return pipeline.compile_graph(graph, load_board(board), optimize=objective, name=name)


def agrees(case: Case, expected: Sequence[Array], actual: Sequence[Array]) -> None:
    for number, (left, right) in enumerate(zip(expected, actual, strict=True)):
        assert left.shape == right.shape and left.dtype == right.dtype, case.name
        wrong = np.argwhere(left != right)
        assert not len(wrong), (
            f"{case.name}, output {number}: {len(wrong)} of {left.size} differ, "
            f"first at {wrong[0].tolist()}: {left[tuple(wrong[0])]} and {right[tuple(wrong[0])]}"
        )


@pytest.mark.unit
def test_there_are_enough_models() -> None:
    names = [case.name for cases in FAMILIES.values() for case in cases]
    assert len(set(names)) == len(names) >= 150


def runners(case: Case) -> list[tuple[Rounding, Callable[[Sequence[Array]], Sequence[Array]]]]:
    """The implementations of TensorFlow Lite that are the standard for this model, with their rounding."""
    data, found = FILES[case.name], []
    if case.name not in NOT_IN_LITERT:
        golden = reference_interpreter(data, plain=case.name not in NOT_PLAIN)
        found.append((Rounding.SINGLE, lambda inputs: run_interpreter(golden, inputs)))
    # It takes the shapes of the file as they are, guesses too.
    if case.name not in NOT_IN_MICRO and not case.open_batch:
        micro, outputs = micro_interpreter(data), len(loaded(case).outputs)
        found.append((Rounding.DOUBLE, lambda inputs: run_micro(micro, inputs, outputs)))
    return found


@pytest.mark.host
@pytest.mark.parametrize("family", FAMILIES)
def test_every_byte_is_that_of_the_reference_kernels(
    family: str, record_property: Callable[[str, object], None]
) -> None:
    cases = FAMILIES[family]
    programs = [compiled(case, "host") for case in cases]
    rng = np.random.default_rng(5)
    records, expected = [], []
    for index, (case, program) in enumerate(zip(cases, programs, strict=True)):
        raw, standards = loaded(case), runners(case)
        assert standards
        for _ in range(INPUTS):
            inputs = tuple(random_inputs(rng, raw))
            for rounding, run in standards:
                exact = run(inputs)
                for graph in (raw, program.graph):
                    agrees(case, exact, interpreter.run(graph, inputs, rounding))
            records.append((index, inputs))
            expected.append(interpreter.run(program.graph, inputs))
    answers = HostBundle(programs).run_all(records)
    for (index, _), reference, answer in zip(records, expected, answers, strict=True):
        agrees(cases[index], reference, answer)
    record_property("Keras models", len(cases))


@pytest.mark.host
def test_a_fused_lstm_keeps_its_state_as_tensorflow_lite_micro() -> None:
    data = FILES[fused_lstm.NAME]
    graph = passes.legalize(passes.run(tflite.load_bytes(data, "lstm")))
    assert [op.kind for op in graph.ops] == ["UNIDIRECTIONAL_SEQUENCE_LSTM"]
    rng = np.random.default_rng(5)
    sequence = [tuple(random_inputs(rng, graph)) for _ in range(INPUTS)]
    micro = micro_interpreter(data)
    expected = [run_micro(micro, inputs, 1) for inputs in sequence]
    program = pipeline.compile_graph(graph, load_board("host"), name="lstm")
    answers = HostBundle([program]).run_all([(0, inputs) for inputs in sequence])
    for standard, reference, answer in zip(
        expected, interpreter.run_sequence(graph, sequence), answers, strict=True
    ):
        assert standard[0].tobytes() == reference[0].tobytes() == answer[0].tobytes()


@pytest.mark.unit
@pytest.mark.parametrize("name", IN_FLOAT)
def test_what_stays_in_float_is_refused_by_name_unless_allowed(name: str) -> None:
    (case,) = (case for family in FAMILIES.values() for case in family if case.name == name)
    with pytest.raises(TinycError) as caught:
        compiled(case, "host", allow_float=False)
    (problem,) = caught.value.problems
    assert IN_FLOAT[name] in problem.where and problem.what == "computes in float32"


@pytest.mark.emulated
def test_a_sample_answers_alike_on_the_emulated_chip(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    cases = [case for family in FAMILIES.values() for case in family[:: -(-len(family) // ON_CHIP)]]
    assert len(cases) >= 30
    firmware = KernelFirmware([compiled(case, "nrf52840") for case in cases], tmp_path)
    rng = np.random.default_rng(6)
    for index, (case, program) in enumerate(zip(cases, firmware.programs, strict=True)):
        inputs = tuple(random_inputs(rng, program.graph))
        answer = firmware.run(index, inputs, rng)
        agrees(case, interpreter.run(program.graph, inputs), answer.outputs)
        assert not answer.misdeed, f"{case.name}: {answer.misdeed}"
    record_property("Keras models on the emulated chip", len(cases))
