"""Files with resource variables: an input of a graph becomes a variable, an output its next value."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import pytest

from support.tflite_writer import write
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array

_SCHEMA = "tflite_micro.tensorflow.lite.micro.python.schema_py_generated"


def with_variables(graph: Graph, variables: dict[str, str], initial: dict[str, Array]) -> bytes:
    """`variables` are input → output of `graph`; CALL_ONCE assigns the `initial` values, by input.

    Skips where the schema's object interface is absent.
    """
    schema: Any = pytest.importorskip(
        "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
        reason="tflite-micro is not installed",
    )
    model = schema.ModelT.InitFromPackedBuf(write(graph))
    main = model.subgraphs[0]
    names = [tensor.name.decode() for tensor in main.tensors]
    start: Any = schema.SubGraphT()
    start.tensors, start.operators, start.inputs, start.outputs = [], [], [], []

    def code(kind: str) -> int:
        entry = schema.OperatorCodeT()
        entry.builtinCode = entry.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        entry.deprecatedBuiltinCode = min(entry.builtinCode, 127)
        entry.version = 1
        model.operatorCodes.append(entry)
        return len(model.operatorCodes) - 1

    codes = {kind: code(kind) for kind in ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")}

    def operator(kind: str, inputs: list[int], outputs: list[int]) -> Any:
        found = schema.OperatorT()
        found.opcodeIndex, found.inputs, found.outputs = codes[kind], inputs, outputs
        return found

    def handle(subgraph: Any, name: str) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = f"{name}_handle", [], schema.TensorType.RESOURCE
        subgraph.tensors.append(tensor)
        made = operator("VAR_HANDLE", [], [len(subgraph.tensors) - 1])
        made.builtinOptionsType = schema.BuiltinOptions.VarHandleOptions
        made.builtinOptions = schema.VarHandleOptionsT()
        made.builtinOptions.container, made.builtinOptions.sharedName = "", name
        subgraph.operators.append(made)
        return len(subgraph.tensors) - 1

    body, main.operators = main.operators, []
    once = operator("CALL_ONCE", [], [])
    once.builtinOptionsType = schema.BuiltinOptions.CallOnceOptions
    once.builtinOptions = schema.CallOnceOptionsT()
    once.builtinOptions.initSubgraphIndex = 1
    main.operators.append(once)
    handles = {name: handle(main, name) for name in variables}
    reads = [operator("READ_VARIABLE", [handles[name]], [names.index(name)]) for name in variables]
    writes = [
        operator("ASSIGN_VARIABLE", [handles[name], names.index(after)], [])
        for name, after in variables.items()
    ]
    main.operators += [*reads, *body, *writes]
    for name, value in initial.items():
        buffer, tensor = schema.BufferT(), schema.TensorT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        model.buffers.append(buffer)
        stored = main.tensors[names.index(name)]
        tensor.name, tensor.shape, tensor.type = f"{name}_initial", list(value.shape), stored.type
        tensor.quantization, tensor.buffer = stored.quantization, len(model.buffers) - 1
        start.tensors.append(tensor)
        value_index = len(start.tensors) - 1
        start.operators.append(operator("ASSIGN_VARIABLE", [handle(start, name), value_index], []))
    main.inputs = [index for index in main.inputs if names[index] not in variables]
    main.outputs = [index for index in main.outputs if names[index] not in variables.values()]
    model.subgraphs.append(start)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
