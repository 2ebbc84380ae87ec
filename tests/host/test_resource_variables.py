"""Resource variables become states: against TensorFlow Lite, its Micro form, and in the generated C."""

from __future__ import annotations

import numpy as np
import pytest

from support.gru import FEATURES, UNITS, gru
from support.litert import reference_interpreter
from support.litert import run_interpreter as run_litert
from support.resource_model import with_variables
from support.tflite_micro import micro_interpreter, run_micro
from tinyc import interpreter, passes
from tinyc.boards import load_board
from tinyc.errors import TinycError
from tinyc.frontends.tflite import load_bytes
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Concatenation, Op, Relu, Reshape, StridedSlice
from tinyc.ir.tensor import Array, DType, Quantization, Shape, Tensor
from tinyc.pipeline import compile_graph
from tinyc.toolchain.host import HostModel

pytestmark = pytest.mark.host

SCALE = Quantization((0.5,), (3,))


def _graph(
    shapes: dict[str, Shape], ops: list[Op], inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> Graph:
    tensors = {name: Tensor(name, shape, DType.INT8, SCALE) for name, shape in shapes.items()}
    return verify(Graph("kept", tensors, tuple(ops), inputs, outputs))


def window() -> tuple[bytes, tuple[Shape, ...]]:
    """The last four of a sequence of frames: three are kept."""
    shapes = {"x": (1, 1, 2), "old": (1, 3, 2), "all": (1, 4, 2), "new": (1, 3, 2), "y": (1, 4, 2)}
    ops: list[Op] = [
        Concatenation(name="all", inputs=("old", "x"), outputs=("all",), axis=1),
        StridedSlice(
            name="new",
            inputs=("all",),
            outputs=("new",),
            begin=(0, 1, 0),
            size=(1, 3, 2),
            strides=(1, 1, 1),
            shape=(1, 3, 2),
        ),
        Relu(name="y", inputs=("all",), outputs=("y",)),
    ]
    graph = _graph(shapes, ops, ("x", "old"), ("y", "new"))
    initial = {"old": np.arange(-3, 3, dtype=np.int8).reshape(1, 3, 2)}
    return with_variables(graph, {"old": "new"}, initial), ((1, 1, 2),)


def shift() -> tuple[bytes, tuple[Shape, ...]]:
    """Two delays in a row; what the second one held is an output as it is."""
    shapes = dict.fromkeys(("x", "first", "second", "kept", "late"), (1, 4))
    ops: list[Op] = [
        Relu(name="kept", inputs=("x",), outputs=("kept",)),
        Reshape(name="late", inputs=("first",), outputs=("late",), shape=(1, 4)),
    ]
    graph = _graph(shapes, ops, ("x", "first", "second"), ("second", "kept", "late"))
    initial = {"first": np.array([[1, 2, 3, 4]], np.int8), "second": np.array([[9, 9, 9, 9]], np.int8)}
    data = with_variables(graph, {"first": "kept", "second": "late"}, initial)
    return data, ((1, 4),)


def _vectors(shapes: tuple[Shape, ...]) -> list[list[Array]]:
    rng = np.random.default_rng(4)
    return [[rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes] for _ in range(7)]


@pytest.mark.parametrize("model", [window, shift], ids=lambda model: model.__name__)
def test_variables_are_states(model) -> None:  # type: ignore[no-untyped-def]
    data, shapes = model()
    graph, vectors = passes.legalize(passes.run(load_bytes(data, "kept"))), _vectors(shapes)
    expected = [row[0].tobytes() for row in interpreter.run_sequence(graph, vectors)]
    litert, micro = reference_interpreter(data), micro_interpreter(data)
    assert [run_litert(litert, inputs)[0].tobytes() for inputs in vectors] == expected
    assert [run_micro(micro, inputs, 1)[0].tobytes() for inputs in vectors] == expected
    program = compile_graph(graph, load_board("host"), name="kept")
    for sanitize in (False, True):
        with HostModel(program, sanitize=sanitize) as host:
            assert [row[0].tobytes() for row in host.run_many(vectors)] == expected


def test_a_gru_frame_by_frame_gives_what_all_frames_at_once_give() -> None:
    """The batch model has no state: its cells are side by side, and the first of them reads zeros."""
    count = 7
    frames = [x[0] for x in _vectors(((1, FEATURES),))]
    zeros = np.zeros((1, UNITS), np.int8)
    batch = compile_graph(passes.legalize(passes.run(gru(count))), load_board("host"), name="batch")
    with HostModel(batch) as host:
        *rows, _ = host.run([*frames, zeros])
    expected = [row.tobytes() for row in rows]
    assert len(set(expected)) == count
    data = with_variables(gru(1), {"h0": "h1"}, {})
    micro = micro_interpreter(data)
    assert [run_micro(micro, [x], 1)[0].tobytes() for x in frames] == expected
    graph = passes.legalize(passes.run(load_bytes(data, "step")))
    assert [state.name for state in graph.states] == ["h0"]
    with HostModel(compile_graph(graph, load_board("host"), name="step")) as host:
        for _ in range(2):
            assert [host.run([x])[0].tobytes() for x in frames] == expected
            host.reset()


def test_variables_that_exchange_their_values_are_refused() -> None:
    shapes = dict.fromkeys(("x", "a", "b", "y"), (1, 4))
    ops: list[Op] = [Relu(name="y", inputs=("x",), outputs=("y",))]
    graph = _graph(shapes, ops, ("x", "a", "b"), ("y", "a", "b"))
    data = with_variables(graph, {"a": "b", "b": "a"}, {})
    with pytest.raises(TinycError, match="exchange their values"):
        load_bytes(data, "kept")
