"""State in graphs: what may update one, how it is stored, and where it lies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from strategies import STRATEGIES
from strategies.common import random_inputs
from support.tflite_writer import Layer, write, write_layers
from tinyc import interpreter, passes, pipeline
from tinyc.boards import load_board
from tinyc.errors import TinycError
from tinyc.frontends.tflite import load_bytes
from tinyc.frontends.tflite_node import Reject
from tinyc.frontends.tflite_reader import RawModel, RawOperator, RawTensor
from tinyc.frontends.tflite_variables import Settled, Variables
from tinyc.ir import serialize
from tinyc.ir.graph import Graph, GraphError, verify
from tinyc.ir.ops import Relu, Source, Svdf, UnidirectionalSequenceLstm, Unsupported
from tinyc.ir.state import State
from tinyc.ir.tensor import DType, Quantization, Tensor
from tinyc.passes.intervals import find_bounds
from tinyc.split import Split

pytestmark = pytest.mark.unit


def svdf() -> Graph:
    return STRATEGIES[Svdf](np.random.default_rng(3))


def test_state_goes_from_one_inference_to_the_next() -> None:
    graph, rng = svdf(), np.random.default_rng(1)
    vectors = [random_inputs(rng, graph) for _ in range(4)]
    state = interpreter.initial_state(graph)
    for inputs, outputs in zip(vectors, interpreter.run_sequence(graph, vectors), strict=True):
        values = interpreter.trace(graph, inputs, state=state)
        assert values[graph.outputs[0]].tobytes() == outputs[0].tobytes()
        state = interpreter.next_state(graph, values)
    assert any(value.any() for value in state.values())
    first, again = interpreter.run(graph, vectors[0]), interpreter.run(graph, vectors[0])
    assert first[0].tobytes() == again[0].tobytes()


def test_states_are_stored_printed_and_hashed() -> None:
    graph = svdf()
    (state,) = graph.states
    assert serialize.parse(serialize.dump(graph)) == graph
    assert serialize.parse(serialize.dump(graph)).digest() == graph.digest()
    other = State(state.name, state.update, state.initial + state.initial.dtype.type(1))
    changed = Graph(graph.name, graph.tensors, graph.ops, graph.inputs, graph.outputs, (other,))
    assert changed.digest() != graph.digest()
    assert serialize.parse(serialize.dump(changed)).states[0].initial.tobytes() == other.initial.tobytes()


def test_passes_keep_states_and_what_updates_them() -> None:
    graph = svdf()
    (op,), (state,) = graph.ops, graph.states
    # Nobody reads the layer's output.
    y = graph["x"].with_(name="other")
    relu = Relu(name="relu", inputs=("x",), outputs=("other",))
    unread = graph.rebuilt(ops=[op, relu], tensors=[y], outputs=("other",))
    done = passes.run(verify(unread))
    assert done.ops[0].kind == "SVDF"
    assert done.states == graph.states
    assert state.update in done.tensors
    assert "y" in find_bounds(done)


def test_a_state_is_updated_once_and_read_before() -> None:
    graph = svdf()
    (op,), (state,) = graph.ops, graph.states

    def checked(*ops: object, **changes: object) -> None:
        fields = {"ops": ops or graph.ops, "states": graph.states, **changes}
        verify(Graph("odd", table, inputs=graph.inputs, outputs=graph.outputs, **fields))  # type: ignore[arg-type]

    table = {**graph.tensors, "late": graph[state.name].with_(name="late")}
    late = Relu(name="late", inputs=(state.name,), outputs=("late",))
    with pytest.raises(GraphError, match="reads state 'state' after its update"):
        checked(op, late)
    with pytest.raises(GraphError, match="is never updated"):
        checked(states=(State(state.name, "nothing", state.initial),))
    with pytest.raises(GraphError, match="RELU 'late' cannot update the state"):
        checked(late, op, states=(State(state.name, "late", state.initial),))
    with pytest.raises(GraphError, match="initial value of state 'state' does not fit"):
        checked(states=(State(state.name, state.update, state.initial[:, 1:]),))


def test_nothing_shares_the_memory_of_a_state() -> None:
    program = pipeline.compile_graph(svdf(), load_board("host"), name="svdf")
    graph, plan = program.graph, program.plan
    (state,) = graph.states
    assert plan.offset(state.name) == plan.offset(state.update)
    places = [(plan.offset(name), plan.offset(name) + graph[name].bytes) for name in ("x", "y", state.name)]
    for (_, end), (start, _) in zip(sorted(places), sorted(places)[1:], strict=False):
        assert end <= start
    assert graph.state_bytes() == graph[state.name].bytes


def test_states_of_a_file_are_named_by_their_layer() -> None:
    graph = STRATEGIES[UnidirectionalSequenceLstm](np.random.default_rng(3))
    loaded = load_bytes(write(graph), "lstm")
    assert [state.name for state in loaded.states] == ["y/state", "y/state_2"]


def test_an_operator_with_state_that_is_not_compiled_is_listed() -> None:
    scale = Quantization((0.5,), (0,))
    tensors = [Tensor(name, (1, 4), DType.INT8, scale) for name in ("x", "state", "y")]
    data = write_layers([Layer("RNN", ("x", "state"), ("y",))], tensors, ("x",), ("y",), variables={"state"})
    graph = load_bytes(data, "rnn")
    assert isinstance(graph.ops[0], Unsupported)
    with pytest.raises(TinycError, match="1 operator of 1 cannot be compiled"):
        passes.legalize(graph)


def test_what_serves_several_users_takes_no_state() -> None:
    board = load_board("nrf52840").split()
    program = pipeline.compile_graph(svdf(), board, name="svdf")
    assert board.model_map is not None
    with pytest.raises(TinycError, match="a model with state has no image of its own"):
        pipeline.render(program, Split(board.model_map))


def _variables() -> Variables:
    """One variable, called `/a`, whose handle is tensor 5."""
    variables = Variables()
    variables.handle(RawOperator(0, "VAR_HANDLE", (), (5,), "", None, "/a"))
    return variables


_VALUE = RawTensor("a", (1, 2), DType.INT8, "int8", Quantization((0.5,), (7,)), None, False)


def test_a_variable_that_is_only_read_is_a_constant() -> None:
    variables = _variables()
    read = variables.read(5, _VALUE, "a")
    assert variables.read(5, _VALUE, "again") is read
    settled = variables.settle(("a",))
    assert settled.tensors[0].constant.tolist() == [[7, 7]]
    assert not settled.ops
    assert not settled.states


def test_a_variable_that_is_assigned_before_it_is_read_keeps_nothing() -> None:
    variables, value = _variables(), Tensor("x", (1, 2), DType.INT8)
    variables.assign(5, value, Source("file", 1))
    assert variables.read(5, _VALUE, "a") is value
    assert variables.settle(()) == Settled((), (), ())


def test_what_variables_cannot_be_is_refused() -> None:
    with pytest.raises(Reject, match="computed at run time"):
        _variables().read(6, _VALUE, "a")
    once = RawModel({}, (RawOperator(0, "ADD", (), (), "", None),), (), ())
    with pytest.raises(Reject, match="runs ADD once"):
        _variables().initialize(once)
    given = Tensor("x", (1, 3), DType.INT8, None, np.zeros((1, 3), np.int8))
    wrong = {0: _VALUE, 1: replace(_VALUE, shape=given.shape, data=given.constant)}
    steps = (
        RawOperator(0, "VAR_HANDLE", (), (0,), "", None, "/a"),
        RawOperator(1, "ASSIGN_VARIABLE", (0, 1), (), "", None),
    )
    variables = _variables()
    variables.initialize(RawModel(wrong, steps, (), ()))
    variables.read(5, _VALUE, "a")
    with pytest.raises(Reject, match="is initialized with int8"):
        variables.settle(())
