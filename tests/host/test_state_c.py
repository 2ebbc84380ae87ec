"""State in the generated C: sequences, resets, and runs layer by layer."""

from __future__ import annotations

import pytest

from support.stateful import sequence, with_state
from tinyc import interpreter, verification
from tinyc.boards import load_board
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
