"""The FlatBuffer of a .tflite as plain values, with every offset, count and size checked.

The schema bindings do not verify a file: a bad offset surfaces as some exception of `struct` or
NumPy, or as nonsense. Everything is therefore read here, under one guard that turns any of those
into a single TinycError, with a budget so that a small file cannot ask for much work.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import tflite

from tinyc.errors import TinycError
from tinyc.ir.tensor import Array, DType, Quantization, Shape

MAX_RANK = 8
MAX_TENSORS = 50_000
MAX_OPERATORS = 20_000
MAX_OPERANDS = 1024
# No microcontroller holds a tensor of this size.
MAX_ELEMENTS = 1 << 26
# Products and ratios of two scales stay normal float32 numbers.
SMALLEST_SCALE, LARGEST_SCALE = 1e-18, 1e18

DTYPES = {
    tflite.TensorType.INT8: DType.INT8,
    tflite.TensorType.UINT8: DType.UINT8,
    tflite.TensorType.BOOL: DType.BOOL,
    tflite.TensorType.INT16: DType.INT16,
    tflite.TensorType.INT32: DType.INT32,
    tflite.TensorType.INT64: DType.INT64,
    tflite.TensorType.FLOAT32: DType.FLOAT32,
}
_TYPE_NAMES = {code: name for name, code in vars(tflite.TensorType).items() if isinstance(code, int)}
_OPERATOR_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
_OPTIONS_NAMES = {
    code: name for name, code in vars(tflite.BuiltinOptions).items() if isinstance(code, int) and code
}
# What the bindings, struct and NumPy raise on nonsense.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class RawTensor:
    """A tensor of the file. `dtype` is None for a type the compiler does not know, named `type_name`."""

    name: str
    shape: Shape
    dtype: DType | None
    type_name: str
    quantization: Quantization | None
    data: Array | None
    stateful: bool
    open_axes: frozenset[int] = frozenset()
    """Whose extents the file leaves open; `shape` has a guess there."""


@dataclass(frozen=True, slots=True)
class RawOperator:
    """An operator of the file; tensors by index, -1 for an absent optional input.

    `options` holds the scalar fields of the options table of the schema class `options_type`, or is
    None when the file has no table.
    """

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: str
    options: Mapping[str, int | float] | None
    variable: str = ""
    """What a VAR_HANDLE calls its variable."""
    called: RawModel | None = None
    """The subgraph of a CALL_ONCE."""
    loop: tuple[RawModel, RawModel] | None = None
    """The condition and the body of a WHILE."""


@dataclass(frozen=True, slots=True)
class RawModel:
    tensors: dict[int, RawTensor]
    operators: tuple[RawOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Damaged(ValueError):  # noqa: N818
    """The file contradicts itself."""


class Reader:
    """Reads one file. `place` says what is being read, for the error."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data = data
        self.where = where
        self.place = "header"
        # Honest files hardly share vectors; hostile ones point thousands of tables at a long one.
        self.budget = 8 * len(data) + 65536
        self._finite: dict[tuple[int, DType], bool] = {}

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turns everything that damaged bytes can raise into one TinycError."""
        try:
            yield
        except TinycError:
            raise
        except Damaged as error:
            raise self.error(f"{self.place}: {error}") from error
        except _DAMAGE as error:
            raise self.error(f"{self.place} cannot be read") from error

    def error(self, detail: str) -> TinycError:
        return TinycError(f"not a valid .tflite: {detail}", where=self.where)

    def spend(self, amount: int) -> None:
        self.budget -= amount
        if self.budget < 0:
            raise Damaged("the tables hold more than the file has bytes for")

    def count(self, table: Any, name: str, limit: int) -> int:
        """Length of a vector."""
        length = int(getattr(table, f"{name}Length")())
        if not 0 <= length <= limit:
            raise Damaged(f"{length} {name.lower()}, at most {limit} can be")
        self.spend(4 * length)
        return length

    def numbers(self, table: Any, name: str, limit: int) -> Array:
        """A vector of numbers, empty when absent."""
        if self.count(table, name, limit) == 0:
            return np.zeros(0, dtype=np.int64)
        return np.asarray(getattr(table, f"{name}AsNumpy")())

    def indices(self, table: Any, name: str, bound: int, *, optional: bool = False) -> tuple[int, ...]:
        """A vector of tensor indices, each below `bound`."""
        values = tuple(int(value) for value in self.numbers(table, name, MAX_OPERANDS))
        for value in values:
            if not (0 <= value < bound or (optional and value == -1)):
                raise Damaged(f"{name.lower()} name tensor {value} of {bound}")
        return values

    def text(self, raw: bytes | None) -> str:
        self.spend(len(raw or b""))
        return (raw or b"").decode("utf-8", errors="replace")


def read(data: bytes, where: str) -> RawModel:
    """The main subgraph of the file. Raises TinycError that names the damaged place."""
    reader = Reader(data, where)
    if len(data) < 16 or data[4:8] != b"TFL3":
        found = "empty" if not data else "too short" if len(data) < 16 else "without the identifier TFL3"
        raise reader.error(f"the file is {found}")
    with reader.guard():
        return _read_model(reader)


def _read_model(reader: Reader) -> RawModel:
    reader.place = "model"
    model = tflite.Model.GetRootAs(reader.data, 0)
    if model.Version() != 3:
        raise Damaged(f"schema version {model.Version()}, only 3 is known")
    if reader.count(model, "Subgraphs", 1024) < 1:
        raise Damaged("there is no subgraph")
    kinds = []
    for index in range(reader.count(model, "OperatorCodes", 4096)):
        reader.place = f"operator code {index}"
        kinds.append(_kind(reader, model.OperatorCodes(index)))
    return _read_subgraph(reader, model, kinds, 0)


def _read_subgraph(reader: Reader, model: Any, kinds: list[str], number: int) -> RawModel:
    """A subgraph. Others are reached by CALL_ONCE and WHILE of the first one."""

    def other(index: int | float) -> RawModel:
        if not 0 < index < int(model.SubgraphsLength()):
            raise Damaged(f"it calls subgraph {index}")
        return _read_subgraph(reader, model, kinds, int(index))

    reader.place = f"subgraph {number}"
    graph = model.Subgraphs(number)
    tensor_count = reader.count(graph, "Tensors", MAX_TENSORS)
    inputs = reader.indices(graph, "Inputs", tensor_count)
    outputs = reader.indices(graph, "Outputs", tensor_count)
    operators = []
    for index in range(reader.count(graph, "Operators", MAX_OPERATORS)):
        reader.place = f"operator {index}"
        operator = _operator(reader, graph.Operators(index), index, kinds, tensor_count)
        options = {} if operator.options is None or number else operator.options
        if operator.kind == "CALL_ONCE" and options:
            operator = replace(operator, called=other(options["InitSubgraphIndex"]))
        elif operator.kind == "WHILE" and options:
            loop = other(options["CondSubgraphIndex"]), other(options["BodySubgraphIndex"])
            operator = replace(operator, loop=loop)
        operators.append(operator)
    used = {*inputs, *outputs}
    for operator in operators:
        used.update(operator.inputs, operator.outputs)
    buffers = reader.count(model, "Buffers", 2 * MAX_TENSORS)
    tensors = {}
    for index in sorted(used - {-1}):
        reader.place = f"tensor {index}"
        tensors[index] = _tensor(reader, graph.Tensors(index), model, buffers)
    return RawModel(tensors, tuple(operators), inputs, outputs)


def _kind(reader: Reader, code: Any) -> str:
    # Old files keep the code in a byte; newer ones saturate it there.
    number = max(int(code.DeprecatedBuiltinCode()), int(code.BuiltinCode()))
    if number == tflite.BuiltinOperator.CUSTOM:
        return f"CUSTOM {reader.text(code.CustomCode())[:64]}".strip()
    return str(_OPERATOR_NAMES.get(number, f"OPERATOR {number}"))


def _operator(reader: Reader, table: Any, index: int, kinds: list[str], tensors: int) -> RawOperator:
    code = int(table.OpcodeIndex())
    if not 0 <= code < len(kinds):
        raise Damaged(f"operator code {code} of {len(kinds)}")
    inputs = reader.indices(table, "Inputs", tensors, optional=True)
    outputs = reader.indices(table, "Outputs", tensors)
    options_type = _OPTIONS_NAMES.get(int(table.BuiltinOptionsType()), "")
    options: dict[str, int | float] | None = None
    variable = ""
    raw = table.BuiltinOptions()
    if options_type and raw is not None:
        view = getattr(tflite, options_type)()
        view.Init(raw.Bytes, raw.Pos)
        options = {name: getattr(view, name)() for name in _scalar_fields(options_type)}
        if options_type == "VarHandleOptions":
            variable = f"{reader.text(view.Container())}/{reader.text(view.SharedName())}"
    return RawOperator(index, kinds[code], inputs, outputs, options_type, options, variable)


@cache
def _scalar_fields(options_type: str) -> tuple[str, ...]:
    """The fields of an options table that are neither vectors nor strings nor tables.

    Only those have an `Add` function and a getter without arguments whose value an empty table
    gives as a number.
    """
    table = getattr(tflite, options_type)
    empty = table()
    # A vtable of its own size and nothing else, and a table that points to it.
    empty.Init(struct.pack("<HHi", 4, 4, 4), 4)
    fields = []
    for name, member in vars(table).items():
        if hasattr(tflite, f"{options_type}Add{name}") and member.__code__.co_argcount == 1:
            value = member(empty)
            if isinstance(value, int | float):
                fields.append(name)
    return tuple(fields)


def _tensor(reader: Reader, table: Any, model: Any, buffers: int) -> RawTensor:
    name = reader.text(table.Name())
    type_code = int(table.Type())
    if type_code not in _TYPE_NAMES:
        raise Damaged(f"element type {type_code} is unknown")
    dtype = DTYPES.get(type_code)
    shape = _shape(reader, table)
    if table.Sparsity() is not None:
        dtype = None
    number = int(table.Buffer())
    if not 0 <= number < max(buffers, 1):
        raise Damaged(f"buffer {number} of {buffers}")
    data: Array | None = None
    if number:
        buffer = model.Buffers(number)
        if buffer.Offset() or buffer.Size():
            raise Damaged("weights outside of the FlatBuffer are not supported")
        length = int(buffer.DataLength())
        if length:
            data, dtype = _constant(reader, buffer.DataAsNumpy(), number, type_code, dtype, shape)
    quantization = None if dtype is None else _quantization(reader, table.Quantization(), shape, dtype)
    type_name = _TYPE_NAMES[type_code].lower()
    stateful = bool(table.IsVariable())
    return RawTensor(name, shape, dtype, type_name, quantization, data, stateful, _open_axes(reader, table))


def _shape(reader: Reader, table: Any) -> Shape:
    shape = [int(extent) for extent in reader.numbers(table, "Shape", MAX_RANK)]
    # A dynamic batch is one sample.
    if shape and shape[0] == -1:
        shape[0] = 1
    if any(extent < 1 for extent in shape):
        raise Damaged(f"shape {shape} has an extent that is not positive")
    if math.prod(shape) > MAX_ELEMENTS:
        raise Damaged(f"shape {shape} has more than {MAX_ELEMENTS} elements")
    return tuple(shape)


def _open_axes(reader: Reader, table: Any) -> frozenset[int]:
    signature = reader.numbers(table, "ShapeSignature", MAX_RANK)
    return frozenset(axis for axis, extent in enumerate(signature) if extent == -1)


def _constant(
    reader: Reader, raw: Array, number: int, type_code: int, dtype: DType | None, shape: Shape
) -> tuple[Array | None, DType | None]:
    """The data of a tensor and its type; half floats and int4 are widened, unknown types give no data."""
    if type_code == tflite.TensorType.INT4:
        return _nibbles(reader, raw, shape), DType.INT8
    half = type_code == tflite.TensorType.FLOAT16
    if dtype is None and not half:
        return None, None
    numpy_type = np.dtype("<f2") if half else np.dtype(dtype.numpy).newbyteorder("<")  # type: ignore[union-attr]
    expected = math.prod(shape) * numpy_type.itemsize
    if raw.nbytes != expected:
        raise Damaged(f"shape {list(shape)} needs {expected} bytes, its buffer has {raw.nbytes}")
    data = raw.view(numpy_type).reshape(shape)
    if half:
        # A copy: charge for it.
        reader.spend(raw.nbytes)
        data, dtype = data.astype(np.float32), DType.FLOAT32
    assert dtype is not None
    if dtype is DType.FLOAT32:
        key = (number, dtype)
        if key not in reader._finite:
            reader._finite[key] = bool(np.isfinite(data).all())
        if not reader._finite[key]:
            raise Damaged("the weights hold NaN or infinity")
    if dtype is DType.BOOL and int(raw.max()) > 1:
        raise Damaged("a boolean is neither 0 nor 1")
    return data.astype(dtype.numpy, copy=False), dtype


def _nibbles(reader: Reader, raw: Array, shape: Shape) -> Array:
    """int8 of int4 elements, two in a byte, the first one in the low half.

    What is left over of the last byte may hold anything.
    """
    count = math.prod(shape)
    if raw.nbytes != (count + 1) // 2:
        raise Damaged(f"shape {list(shape)} needs {(count + 1) // 2} bytes, its buffer has {raw.nbytes}")
    reader.spend(count)
    both = raw.view(np.int8)
    pairs = np.stack([(both << 4) >> 4, both >> 4], axis=-1)
    return np.ascontiguousarray(pairs.reshape(-1)[:count].reshape(shape))


def _quantization(reader: Reader, table: Any, shape: Shape, dtype: DType) -> Quantization | None:
    if table is None or dtype in (DType.FLOAT32, DType.BOOL):
        return None
    scales = reader.numbers(table, "Scale", MAX_ELEMENTS).astype(np.float64)
    if not len(scales):
        return None
    zero_points = reader.numbers(table, "ZeroPoint", MAX_ELEMENTS).astype(np.int64)
    if not np.isfinite(scales).all() or (scales < 0).any():
        raise Damaged("a scale is negative or not finite")
    if (scales < SMALLEST_SCALE).any() or (scales > LARGEST_SCALE).any():
        if dtype in (DType.INT32, DType.INT64):
            # The scale of a bias follows from its layer; converters let tiny ones become 0.
            return None
        raise Damaged(f"a scale is not between {SMALLEST_SCALE:g} and {LARGEST_SCALE:g}")
    if len(zero_points) not in (0, 1, len(scales)):
        raise Damaged(f"{len(zero_points)} zero points for {len(scales)} scales")
    if len(zero_points) != len(scales):
        zero_points = np.broadcast_to(zero_points if len(zero_points) else np.int64(0), scales.shape)
    info = np.iinfo(dtype.numpy)
    if (zero_points < info.min).any() or (zero_points > info.max).any():
        raise Damaged(f"a zero point does not fit into {dtype.value[0]}")
    axis: int | None = None
    if len(scales) > 1:
        axis = int(table.QuantizedDimension())
        if not 0 <= axis < len(shape) or shape[axis] != len(scales):
            raise Damaged(f"{len(scales)} scales along axis {axis} of shape {list(shape)}")
    return Quantization(tuple(map(float, scales)), tuple(map(int, zero_points)), axis)
