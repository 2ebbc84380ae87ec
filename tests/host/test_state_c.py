"""State in the generated C: sequences, resets, and runs layer by layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from strategies import STRATEGIES
from support.stateful import sequence, with_state
from support.tflite_writer import write
from tinyc import interpreter, verification
from tinyc.boards import load_board
from tinyc.cli.app import app
from tinyc.ir.ops import Op, Svdf, UnidirectionalSequenceLstm
from tinyc.memory.budget import budget
from tinyc.pipeline import compile_graph
from tinyc.toolchain.host import HostModel

pytestmark = pytest.mark.host


@pytest.mark.parametrize("op", [Svdf, UnidirectionalSequenceLstm], ids=lambda op: op.kind)
@pytest.mark.parametrize("sanitize", [False, True], ids=["library", "sanitizers"])
def test_a_sequence_equals_the_reference_and_begins_again(op: type[Op], sanitize: bool) -> None:
    graph = with_state(op)
    program = compile_graph(graph, load_board("host"), name="kept")
    vectors = sequence(graph, 5)
    expected = list(interpreter.run_sequence(program.graph, vectors))
    with HostModel(program, sanitize=sanitize) as model:
        for _ in range(2):
            found = [model.run(inputs) for inputs in vectors]
            assert [b"".join(a.tobytes() for a in row) for row in found] == [
                b"".join(a.tobytes() for a in row) for row in expected
            ]
            model.reset()
        for inputs, outputs in zip(vectors, expected, strict=True):
            values = model.trace(inputs)
            assert values[graph.outputs[0]].tobytes() == outputs[0].tobytes()
        assert [row[0].tobytes() for row in model.run_many(vectors)] == [row[0].tobytes() for row in expected]
    assert budget(program).state == graph.state_bytes() <= program.plan.arena_size


class Forgetful(HostModel):
    """Loses its state after three inferences."""

    count = 0

    def run(self, inputs):  # type: ignore[no-untyped-def]
        self.count += 1
        if self.count % 4 == 0:
            self.reset()
        return super().run(inputs)


def test_verify_takes_vectors_as_a_sequence() -> None:
    graph = with_state(UnidirectionalSequenceLstm)
    program = compile_graph(graph, load_board("host"), name="kept")
    vectors = sequence(graph, 6)
    with HostModel(program) as model:
        result = verification.verify(program, vectors, {"host": model}, layers=True)
    assert result.agrees
    with Forgetful(program) as model:
        result = verification.verify(program, vectors, {"host": model})
    assert not result.agrees
    # Who resets before each vector does not notice.
    with Forgetful(program) as model:
        alone = verification.verify(program, vectors, {"host": model}, reset=True)
    assert alone.agrees
    expected = [interpreter.run(program.graph, inputs)[0].tobytes() for inputs in vectors]
    assert [outputs[0].tobytes() for outputs in alone.outputs] == expected
    assert [outputs[0].tobytes() for outputs in result.outputs] != expected


@pytest.mark.parametrize("reset", [False, True])
def test_run_takes_inputs_as_one_sequence_or_each_as_one(reset: bool, tmp_path: Path) -> None:
    graph = STRATEGIES[UnidirectionalSequenceLstm](np.random.default_rng(5))
    (tmp_path / "kept.tflite").write_bytes(write(graph))
    vectors = sequence(graph, 4)
    np.save(tmp_path / "x.npy", np.stack([inputs[0] for inputs in vectors]))
    options = ["--board", "host", "--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "y.npy")]
    arguments = ["run", str(tmp_path / "kept.tflite"), *options, *(["--reset"] if reset else [])]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    rows = interpreter.run_sequence(graph, vectors)
    expected = (
        [interpreter.run(graph, inputs)[0] for inputs in vectors] if reset else [row[0] for row in rows]
    )
    assert np.load(tmp_path / "y.npy").tobytes() == np.stack(expected).tobytes()
