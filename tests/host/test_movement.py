"""Operators that move elements, as files hold them: LiteRT = interpreter = C under sanitizers."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from support.litert import reference_interpreter, run_interpreter
from support.movement_layers import DRAWS, draw
from support.programs import program_of
from support.tflite_writer import Layer, write_layers
from tinyc import interpreter, passes
from tinyc.frontends.tflite import load_bytes
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Gather, GatherNd, Op
from tinyc.ir.tensor import DType, Tensor
from tinyc.kernels import catalogue
from tinyc.program import Program
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host

FILES, IN_C = 60, 12


def compiled(graph: Graph, name: str) -> Program:
    kernels = [next(k for k in catalogue.candidates(op, graph) if k.isa == "portable") for op in graph.ops]
    return program_of(graph, kernels, name)


@pytest.mark.parametrize("kind", DRAWS)
def test_operators_that_stand_for_several_equal_tensorflow_lite(kind: str) -> None:
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    programs, records = [], []
    for case in range(FILES):
        data, inputs = draw(kind, rng)
        graph = load_bytes(data, "file")
        expected = run_interpreter(reference_interpreter(data), inputs)
        found = interpreter.run(graph, inputs)
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True)), (case, graph.ops)
        optimized = passes.legalize(passes.run(graph), allow_float=True)
        if len(programs) < IN_C and optimized.ops:
            records.append((len(programs), tuple(inputs)))
            programs.append(compiled(optimized, f"m{len(programs)}"))
    answers = HostBundle(programs).run_all(tuple(records))
    for (index, values), actual in zip(records, answers, strict=True):
        expected = interpreter.run(programs[index].graph, values)
        assert all(np.array_equal(a, b) for a, b in zip(expected, actual, strict=True)), programs[index].graph


def test_shapes_and_zeros_are_known_when_compiling() -> None:
    def ints(name: str, *values: int) -> Tensor:
        return Tensor(name, (len(values),), DType.INT32, None, np.array(values, np.int32))

    tensors = [
        Tensor("x", (3, 1), DType.INT32),
        *(ints("left", 3, 1), ints("right", 2, 1, 40), Tensor("shape", (3,), DType.INT32)),
        *(Tensor(name, (2, 3, 40), DType.INT32) for name in ("wide", "zeros")),
        Tensor("y", (4, 3, 40), DType.INT32),
    ]
    layers = [
        Layer("BROADCAST_ARGS", ("left", "right"), ("shape",)),
        Layer("BROADCAST_TO", ("x", "shape"), ("wide",), "BroadcastToOptions"),
        Layer("ZEROS_LIKE", ("wide",), ("zeros",), "ZerosLikeOptions"),
        Layer("CONCATENATION", ("zeros", "wide"), ("y",), "ConcatenationOptions", {"Axis": 0}),
    ]
    data = write_layers(layers, tensors, ("x",), ("y",))
    graph = passes.legalize(passes.run(load_bytes(data, "shapes")))
    assert [op.kind for op in graph.ops] == ["RESHAPE", "TAKE", "CONCATENATION"]
    x = np.arange(3, dtype=np.int32).reshape(3, 1)
    (expected,) = run_interpreter(reference_interpreter(data), [x])
    assert np.array_equal(interpreter.run(graph, [x])[0], expected)
    (answer,) = HostBundle([compiled(graph, "m0")]).run(0, [[x]])
    assert np.array_equal(answer[0], expected)


@pytest.mark.parametrize(
    "op",
    [
        Gather(name="layer", inputs=("data", "i"), outputs=("y",), axis=1),
        GatherNd(name="layer", inputs=("data", "i"), outputs=("y",)),
    ],
    ids=lambda op: op.kind,
)
def test_indices_outside_stand_for_the_nearest_inside(op: Op) -> None:
    data, indices = Tensor("data", (3, 4), DType.INT32), Tensor("i", (5, 2), DType.INT32)
    (shape,) = op.output_shapes((data, indices))
    tensors = {t.name: t for t in (data, indices, data.with_(name="y", shape=shape))}
    graph = Graph("outside", tensors, (op,), ("data", "i"), ("y",))
    values = np.arange(12, dtype=np.int32).reshape(3, 4)
    wild = np.array([[-1, 9], [2**31 - 1, -(2**31)], [1, 4], [3, 1], [-7, -7]], dtype=np.int32)
    inside = np.clip(wild, 0, 3 if isinstance(op, Gather) else [2, 3]).astype(np.int32)
    expected = interpreter.run(graph, [values, inside])
    assert np.array_equal(interpreter.run(graph, [values, wild])[0], expected[0])
    (answer,) = HostBundle([compiled(graph, "m0")]).run(0, [[values, wild]])
    assert np.array_equal(answer[0], expected[0])
