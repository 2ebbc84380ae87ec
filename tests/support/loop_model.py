"""A .tflite with a loop, a WHILE over two subgraphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import pytest

from support.tflite_writer import Layer, write_layers
from tinyc.ir.tensor import DType, Tensor

SHAPE = (1, 4)


def scalar(name: str, value: int | None = None) -> Tensor:
    return Tensor(name, (), DType.INT32, None, None if value is None else np.array(value, np.int32))


def real(name: str) -> Tensor:
    return Tensor(name, SHAPE, DType.FLOAT32)


def loop(end: int, by: int = 1, *, from_input: bool = False) -> bytes:
    """x [1, 4] float32 doubled until a counter that goes up `by` at a time has come to `end`: y.

    It begins at 0, or at a second input. Skips where the schema's object interface is absent.
    """
    schema: Any = pytest.importorskip(
        "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
        reason="tflite-micro is not installed",
    )
    start = scalar("i") if from_input else scalar("i", 0)
    inputs = ("x", "i") if from_input else ("x",)
    main: list[Tensor] = [real("x"), start, scalar("n"), real("y")]
    around = Layer(
        "WHILE", ("i", "x"), ("n", "y"), "WhileOptions", {"CondSubgraphIndex": 1, "BodySubgraphIndex": 2}
    )
    less = Layer("LESS", ("i", "end"), ("goes on",))
    truth = Tensor("goes on", (), DType.BOOL)
    count = Layer("ADD", ("i", "one"), ("next",), "AddOptions")
    double = Layer("ADD", ("x", "x"), ("twice",), "AddOptions")
    parts: Sequence[bytes] = (
        write_layers([around], main, inputs, ("y",)),
        write_layers([less], [scalar("i"), real("x"), scalar("end", end), truth], ("i", "x"), ("goes on",)),
        write_layers(
            [count, double],
            [scalar("i"), real("x"), scalar("one", by), scalar("next"), real("twice")],
            ("i", "x"),
            ("next", "twice"),
        ),
    )
    model, *others = (schema.ModelT.InitFromPackedBuf(part) for part in parts)
    for other in others:
        (graph,) = other.subgraphs
        for tensor in graph.tensors:
            tensor.buffer += len(model.buffers) if tensor.buffer else 0
        for operator in graph.operators:
            operator.opcodeIndex += len(model.operatorCodes)
        model.buffers += other.buffers
        model.operatorCodes += other.operatorCodes
        model.subgraphs.append(graph)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
