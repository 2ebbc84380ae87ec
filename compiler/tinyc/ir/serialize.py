"""Graphs on disk: one `.npz` file with the structure as JSON text and one array per constant.

The file holds no pickles and is bounded by what it declares; reading a damaged file raises
ValueError.
"""

from __future__ import annotations

import dataclasses
import io
import json
import types
import typing
import zipfile
from enum import Enum
from typing import Any

import numpy as np

from tinyc.ir.graph import Graph, GraphError, verify
from tinyc.ir.ops import OPS
from tinyc.ir.ops.base import Op, Source
from tinyc.ir.state import State
from tinyc.ir.stream import Stream
from tinyc.ir.tensor import DType, Quantization, Tensor

FORMAT = 1


def dump(graph: Graph) -> bytes:
    """The bytes of a graph; equal graphs give equal bytes. Fused ops are stored as their parts."""
    graph = graph.expanded()
    structure = {
        "format": FORMAT,
        "name": graph.name,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "tensors": [_tensor_entry(graph.tensors[name]) for name in sorted(graph.tensors)],
        "ops": [_op_entry(op) for op in graph.ops],
    }
    if graph.states:
        structure["states"] = [[state.name, state.update] for state in graph.states]
    if graph.stream is not None:
        structure["stream"] = dataclasses.asdict(graph.stream)
    arrays = [("structure", np.frombuffer(json.dumps(structure, sort_keys=True).encode(), np.uint8))]
    arrays += [
        (f"data{index}", tensor.data)
        for index, tensor in enumerate(graph.tensors[name] for name in sorted(graph.tensors))
        if tensor.data is not None
    ]
    arrays += [(f"state{index}", state.initial) for index, state in enumerate(graph.states)]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays:
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            # A fixed date keeps the bytes equal from run to run.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue())
    return stream.getvalue()


def parse(data: bytes) -> Graph:
    """The graph that `dump` wrote. Raises ValueError for anything else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            structure = json.loads(archive["structure"].tobytes())
            if structure["format"] != FORMAT:
                raise ValueError(f"graph format {structure['format']}, this version reads {FORMAT}")
            tensors = [
                _tensor(entry, archive[f"data{index}"] if entry["constant"] else None)
                for index, entry in enumerate(structure["tensors"])
            ]
            states = tuple(
                State(name, update, archive[f"state{index}"])
                for index, (name, update) in enumerate(structure.get("states", []))
            )
        ops = tuple(_op(entry) for entry in structure["ops"])
        return verify(
            Graph(
                structure["name"],
                {tensor.name: tensor for tensor in tensors},
                ops,
                tuple(structure["inputs"]),
                tuple(structure["outputs"]),
                states,
                _stream(structure.get("stream")),
            )
        )
    except (KeyError, TypeError, IndexError, GraphError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"not a stored graph: {error}") from error


def _stream(entry: dict[str, Any] | None) -> Stream | None:
    return None if entry is None else Stream(**{name: _tuples(value) for name, value in entry.items()})


def _tensor_entry(tensor: Tensor) -> dict[str, Any]:
    quantization = tensor.quantization
    return {
        "name": tensor.name,
        "shape": tensor.shape,
        "dtype": tensor.dtype.name,
        "constant": tensor.is_constant,
        "quantization": None
        if quantization is None
        else {
            "scale": [float(scale) for scale in quantization.scale],
            "zero_point": [int(zero_point) for zero_point in quantization.zero_point],
            "axis": quantization.axis,
        },
    }


def _tensor(entry: dict[str, Any], data: Any) -> Tensor:
    stored = entry["quantization"]
    quantization = (
        None
        if stored is None
        else Quantization(tuple(stored["scale"]), tuple(stored["zero_point"]), stored["axis"])
    )
    return Tensor(entry["name"], tuple(entry["shape"]), DType[entry["dtype"]], quantization, data)


def _op_entry(op: Op) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": op.kind}
    for field in dataclasses.fields(op):
        value = getattr(op, field.name)
        if isinstance(value, Source):
            value = [value.file, value.index]
        entry[field.name] = value.name if isinstance(value, Enum) else value
    return entry


def _op(entry: dict[str, Any]) -> Op:
    cls = OPS[entry.pop("kind")]
    hints = typing.get_type_hints(cls)
    values = {name: _field(hints[name], value) for name, value in entry.items()}
    return cls(**values)


def _field(hint: Any, value: Any) -> Any:
    """JSON back to the field's type: enums by name, lists to (nested) tuples."""
    if value is None:
        return None
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(arm for arm in typing.get_args(hint) if arm is not type(None))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint[value]
    if hint is Source:
        return Source(*value)
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
