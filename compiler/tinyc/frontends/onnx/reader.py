"""The bytes of an .onnx file, checked: nodes, constants as arrays, inputs with fixed shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from tinyc.errors import Problem, TinycError
from tinyc.frontends.onnx.node import Node
from tinyc.ir.tensor import Array, Shape

MAX_NODES = 1 << 16
MAX_RANK = 8
MAX_ELEMENTS = 1 << 26
OLDEST_OPSET = 6
ONNX_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class Edge:
    """An input of the model: its ONNX name, shape and element type (NumPy's name)."""

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True, slots=True)
class Model:
    """`proto` is the file's own, with shapes that are fixed; `constants` are the initializers."""

    proto: onnx.ModelProto
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    inputs: tuple[Edge, ...]
    outputs: tuple[str, ...]


def read(data: bytes, where: str, folder: Path | None = None) -> Model:
    """The model in `data`. External data is read from `folder` and nowhere else.

    Raises TinycError for a file that is damaged, that uses what can never be compiled, or whose inputs have
    open extents other than the first.
    """
    proto = _parsed(data, where)
    for tensor in proto.graph.initializer:
        _load_external(tensor, where, folder)
    constants = _constants(proto, where)
    inputs = _inputs(proto, constants, where)
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    opset = max((versions.get(domain, 0) for domain in ONNX_DOMAINS), default=0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise TinycError(
            f"the model has operator set {opset}", where=where, allowed=f"{OLDEST_OPSET} to {newest}"
        )
    nodes = tuple(_node(entry, index, versions, opset) for index, entry in enumerate(proto.graph.node))
    outputs = tuple(entry.name for entry in proto.graph.output)
    return Model(proto, nodes, constants, inputs, outputs)


def _parsed(data: bytes, where: str) -> onnx.ModelProto:
    try:
        proto = onnx.load_model_from_string(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise TinycError(f"not a valid .onnx: {_first_line(error)}", where=where) from error
    if not proto.graph.node:
        raise TinycError("the model has no operators", where=where)
    if len(proto.graph.node) > MAX_NODES:
        raise TinycError(f"{len(proto.graph.node)} operators", where=where, allowed=f"up to {MAX_NODES}")
    if not _names_are_text(proto.graph):
        raise TinycError("not a valid .onnx: a name is not UTF-8", where=where)
    if proto.functions:
        raise TinycError(
            "the model has functions of its own",
            where=where,
            hint="onnx.inliner.inline_local_functions(model) puts their operators in place",
        )
    try:
        onnx.checker.check_model(_without_data(proto))
    except (onnx.checker.ValidationError, RuntimeError, ValueError, TypeError) as error:
        raise TinycError(f"not a valid .onnx: {_first_line(error)}", where=where) from error
    return proto


def _names_are_text(graph: onnx.GraphProto) -> bool:
    """False for names of bytes, which protobuf gives for those that are not UTF-8."""
    nodes = graph.node
    names = [
        name for node in nodes for name in (node.name, node.op_type, node.domain, *node.input, *node.output)
    ]
    names += [entry.name for entry in (*graph.input, *graph.output, *graph.initializer)]
    names += [attribute.name for node in nodes for attribute in node.attribute]
    return all(isinstance(name, str) for name in names)


def _without_data(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model for the checker: external data would be looked for beside the process."""
    if not any(tensor.data_location == TensorProto.EXTERNAL for tensor in proto.graph.initializer):
        return proto
    bare = onnx.ModelProto()
    bare.CopyFrom(proto)
    for tensor in bare.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]
            tensor.raw_data = b"\0" * _bytes(tensor, "model")
    return bare


def _bytes(tensor: TensorProto, where: str) -> int:
    _check_shape(tuple(tensor.dims), f"constant {tensor.name}", where)
    try:
        itemsize = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except KeyError as error:
        raise TinycError(f"constant {tensor.name} has an unknown type", where=where) from error
    return int(math.prod(tensor.dims)) * itemsize


def _load_external(tensor: TensorProto, where: str, folder: Path | None) -> None:
    """Put data that lies in another file into `tensor`; the file has to lie in the model's folder."""
    if tensor.data_location != TensorProto.EXTERNAL:
        return
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    what = f"constant {tensor.name} lies in the file {location!r}"
    if folder is None:
        raise TinycError(what, where=where, allowed="a model whose constants are all in it")
    path = (folder / location).resolve()
    if not location or folder.resolve() not in path.parents or not path.is_file():
        raise TinycError(what, where=where, allowed="an existing file beside the model or below it")
    length = _bytes(tensor, where)
    try:
        offset, stated = int(entries.get("offset", 0)), int(entries.get("length", length))
        if offset < 0 or stated != length or offset + length > path.stat().st_size:
            raise TinycError(f"{what}, which is too short for it", where=where)
        with path.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
    except (ValueError, OSError) as error:
        raise TinycError(f"{what}, which cannot be read: {_first_line(error)}", where=where) from error
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _constants(proto: onnx.ModelProto, where: str) -> dict[str, Array]:
    constants = {}
    if proto.graph.sparse_initializer:
        raise TinycError("the model has sparse constants", where=where, allowed="dense ones")
    for tensor in proto.graph.initializer:
        constants[tensor.name] = to_array(tensor, where)
    return constants


def to_array(tensor: TensorProto, where: str) -> Array:
    """The data of a constant; half floats are widened, 4-bit integers become int8 or uint8.

    Raises TinycError when it is damaged, has NaN or infinite values, or no numbers.
    """
    _check_shape(tuple(tensor.dims), f"constant {tensor.name}", where)
    try:
        array = np.asarray(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, RuntimeError, OverflowError) as error:
        raise TinycError(f"constant {tensor.name} is damaged: {_first_line(error)}", where=where) from error
    name = array.dtype.name
    if name in ("float16", "bfloat16", "float64"):
        array = array.astype(np.float32)
    elif name in ("int4", "uint4", "int2", "uint2"):
        array = array.astype(np.uint8 if name.startswith("u") else np.int8)
    elif array.dtype.kind not in "fiub" or array.dtype.names:
        raise TinycError(f"constant {tensor.name} holds {name}", where=where, allowed="numbers")
    return array


def _check_shape(shape: Shape, what: str, where: str) -> None:
    if len(shape) > MAX_RANK or any(extent < 0 for extent in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise TinycError(
            f"{what} has shape {list(shape)}",
            where=where,
            allowed=f"at most {MAX_RANK} axes and {MAX_ELEMENTS} elements",
        )


def _inputs(proto: onnx.ModelProto, constants: Mapping[str, Array], where: str) -> tuple[Edge, ...]:
    """Inputs that are no constants. An open first extent is a batch of one, and is fixed in `proto`."""
    edges, problems = [], []
    for entry in proto.graph.input:
        if entry.name in constants:
            continue
        kind = entry.type.tensor_type
        place = f"input {entry.name}"
        if not entry.type.HasField("tensor_type") or not kind.HasField("shape"):
            problems.append(Problem(place, "is no tensor with a shape"))
            continue
        if kind.shape.dim and not kind.shape.dim[0].HasField("dim_value"):
            kind.shape.dim[0].dim_value = 1
        if any(not extent.HasField("dim_value") or extent.dim_value < 1 for extent in kind.shape.dim):
            found = [extent.dim_param or extent.dim_value or "?" for extent in kind.shape.dim]
            allowed = "only the first extent may be open: export with a fixed shape"
            problems.append(Problem(place, f"has the shape [{', '.join(map(str, found))}]", allowed))
            continue
        shape = tuple(int(extent.dim_value) for extent in kind.shape.dim)
        _check_shape(shape, place, where)
        edges.append(Edge(entry.name, shape, _element_type(kind.elem_type)))
    if problems:
        raise TinycError("inputs of the model cannot be compiled", where=where, problems=problems)
    if not edges or not proto.graph.output:
        raise TinycError("the model has no inputs or no outputs", where=where)
    return tuple(edges)


def _element_type(code: int) -> str:
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(code).name)
    except KeyError:
        return f"type {code}"


def _node(entry: onnx.NodeProto, index: int, versions: Mapping[str, int], opset: int) -> Node:
    own = entry.domain in ONNX_DOMAINS
    return Node(
        op=entry.op_type if own else f"{entry.domain}.{entry.op_type}",
        name=entry.name,
        index=index,
        inputs=tuple(entry.input),
        outputs=tuple(entry.output),
        attributes={attribute.name: attribute for attribute in entry.attribute},
        opset=opset if own else versions.get(entry.domain, 1),
    )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
