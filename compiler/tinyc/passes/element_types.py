"""Which element types an op may have: int8 as a rule, and what integers and booleans do besides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    Add,
    AddN,
    ArgMax,
    ArgMin,
    BatchToSpaceNd,
    Cast,
    Concatenation,
    Cumsum,
    Dequantize,
    Div,
    Elu,
    Equal,
    FloorDiv,
    FloorMod,
    Gather,
    GatherNd,
    HardSwish,
    L2Normalization,
    L2Pool2D,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    LogSoftmax,
    Maximum,
    Minimum,
    Mul,
    NotEqual,
    Op,
    Pad,
    Prelu,
    Quantize,
    ReduceAll,
    ReduceAny,
    Relu0To1,
    ReluN1To1,
    Reshape,
    SelectV2,
    SpaceToBatchNd,
    Split,
    Sqrt,
    SquaredDifference,
    StridedSlice,
    Sub,
    Take,
    Transpose,
)
from tinyc.ir.ops.comparison import Comparison
from tinyc.ir.ops.float_functions import FloatFunction
from tinyc.ir.tensor import DType, Tensor

Finding: TypeAlias = tuple[str, str]

GATHERS = (Gather, GatherNd)
MOVES = (
    *GATHERS,
    *(BatchToSpaceNd, Concatenation, Pad, Reshape, SpaceToBatchNd, Split, StridedSlice, Take, Transpose),
)
_INT32 = (Add, Sub, Mul, Div, SquaredDifference, Maximum, Minimum)
_NOT_INT16 = (
    *(AddN, ArgMax, ArgMin, Cumsum, Div, Elu, HardSwish, L2Normalization, LogSoftmax, Relu0To1, ReluN1To1),
    Sqrt,
)
_ONLY_INT32 = (FloorDiv, FloorMod)
_ONLY_FLOAT = (FloatFunction, L2Pool2D)
_SIGNED = {DType.INT8, DType.INT16, DType.INT32}
_TRUTHS = (LogicalAnd, LogicalOr, LogicalNot, ReduceAll, ReduceAny)
ANY_FLOAT = "int8; float32 with --allow-float"


def type_findings(op: Op, graph: Graph, tensors: Iterable[Tensor], allow_float: bool) -> Iterator[Finding]:
    """What is wrong with the types of an op, and what would be accepted.

    `tensors` are those that it computes with: no indices, no constants.
    """
    types, results = _types(tensors), graph.results(op)
    if isinstance(op, Quantize | Dequantize):
        # int32 only from and to the int8 and int16 of TensorFlow Lite's kernels.
        of_int32 = isinstance(op, Quantize) and len(types) == 2 and types <= _SIGNED
        if not of_int32 and types - {DType.INT8, DType.UINT8, DType.INT16, DType.FLOAT32}:
            yield f"works on {listed(types)}", "int8, uint8, int16 and float32; int32 with int8 or int16"
    elif isinstance(op, Cast):
        if DType.FLOAT32 in types and not allow_float:
            yield "computes in float32", "bool, int8, uint8, int16 and int32; float32 with --allow-float"
        elif DType.INT64 in types:
            yield f"casts {listed(types)}", "bool, int8, uint8, int16 and int32"
    elif isinstance(op, _TRUTHS):
        yield from _only(types, {DType.BOOL})
    elif isinstance(op, _ONLY_FLOAT):
        if types - {DType.FLOAT32}:
            yield "TensorFlow Lite has no quantized form of it", "float32 between DEQUANTIZE and QUANTIZE"
        elif not allow_float:
            yield "computes in float32", ANY_FLOAT
    elif isinstance(op, Comparison):
        # The shape rule has seen to it that both operands have one type.
        truths = {DType.BOOL} if isinstance(op, Equal | NotEqual) else set()
        known = {DType.INT8, DType.INT16, DType.INT32} | truths
        yield from _computes(_types(graph.operands(op)), known, allow_float)
        yield from _only(_types(results), {DType.BOOL})
    elif isinstance(op, SelectV2):
        moved = _types((*graph.operands(op)[1:], *results))
        yield from _computes(moved, {DType.INT8, DType.INT16, DType.INT32, DType.BOOL}, allow_float)
    elif isinstance(op, MOVES):
        yield from _computes(types, set(DType) - {DType.FLOAT32}, allow_float)
    else:
        known = {DType.INT8, DType.INT16} | ({DType.INT32} if isinstance(op, _INT32) else set())
        known -= {DType.INT16} if isinstance(op, _NOT_INT16) else set()
        known = {DType.INT32} if isinstance(op, _ONLY_INT32) else known
        # int8 slopes of int16, of which the shape rule knows.
        yield from _computes(_types(results) if isinstance(op, Prelu) else types, known, allow_float)
        if types == {DType.INT32} and any(tensor.quantization is not None for tensor in results):
            yield "computes in int32 with a scale", "plain int32, without one"


def _types(tensors: Iterable[Tensor]) -> set[DType]:
    return {tensor.dtype for tensor in tensors}


def _only(types: set[DType], allowed: set[DType]) -> Iterator[Finding]:
    if types - allowed:
        yield f"works on {listed(types)}", listed(allowed)


def _computes(types: set[DType], known: set[DType], allow_float: bool) -> Iterator[Finding]:
    """One type out of `known`, or float32 where it may be."""
    if DType.UINT8 in types - known:
        yield "has the old uint8 quantization", "int8, which newer converters give"
    elif DType.FLOAT32 in types and not allow_float:
        yield "computes in float32", ANY_FLOAT
    elif len(types) > 1:
        yield f"mixes {listed(types)}", "one type"
    elif not types <= known | {DType.FLOAT32}:
        yield f"computes in {listed(types)}", listed(known, "or")


def listed(types: Iterable[DType], last: str = "") -> str:
    """The names of types, sorted."""
    names = sorted(dtype.value[0] for dtype in types)
    if last and len(names) > 1:
        return f"{', '.join(names[:-1])} {last} {names[-1]}"
    return ", ".join(names)
