"""The last word on a graph: one error that lists everything that cannot be compiled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    ArgMax,
    ArgMin,
    AveragePool2D,
    Cast,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Maximum,
    MaxPool2D,
    Minimum,
    Op,
    ReduceMax,
    ReduceMin,
    ResizeBilinear,
    SelectV2,
    Softmax,
    Svdf,
    TransposeConv,
    UnidirectionalSequenceLstm,
    Unsupported,
)
from tinyc.ir.ops.common import channel_multipliers, quantization_mismatch
from tinyc.ir.ops.curved import Curved
from tinyc.ir.ops.wide_sums import check_wide_sums
from tinyc.ir.sequence import TRANSFORMER_KINDS
from tinyc.ir.tensor import DType, Tensor
from tinyc.passes.element_types import ANY_FLOAT, GATHERS, MOVES, Finding, listed, type_findings
from tinyc.quantize.fixed_point import Rounding

_SAME_SCALE = (
    *(*MOVES, AveragePool2D, Maximum, MaxPool2D, Minimum),
    *(ReduceMax, ReduceMin, ResizeBilinear, SelectV2),
)
_WEIGHTED = (Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv)
# Positions have no scale.
_INDICES = (ArgMax, ArgMin)
# Their zero point is 0 where they have a scale.
_CENTRED = (DType.INT16, DType.INT32)
# More elements than this are not tried out on zeros: it would only take time.
_MOST_TRIED = 1 << 22


class _Arithmetic:
    """Tries ops out on zeros, within a budget: scales that cannot be represented surface then."""

    def __init__(self) -> None:
        self._left = _MOST_TRIED

    def findings(self, op: Op, graph: Graph) -> Iterator[Finding]:
        operands, results = graph.operands(op), graph.results(op)
        self._left -= sum(tensor.elements for tensor in (*operands, *results))
        if self._left < 0:
            return
        values = [
            tensor.constant if tensor.is_constant else np.zeros(tensor.shape, tensor.dtype.numpy)
            for tensor in operands
        ]
        try:
            with np.errstate(all="ignore"):
                op.reference(values, operands, results, Rounding.DOUBLE)
        except (ValueError, KeyError) as error:
            yield str(error), ""


def legalize(graph: Graph, *, allow_float: bool = False) -> Graph:
    """The graph itself when all of it can be compiled.

    `allow_float` lets float32 ops pass: in a graph that is going to be quantized, or is compiled in float32.
    Raises TinycError with one problem per finding: layer name, index, reason, what is accepted.
    """
    problems = []
    arithmetic = _Arithmetic()
    for index, op in enumerate(graph.ops):
        position = index if op.source is None else op.source.index
        kind = op.operator if isinstance(op, Unsupported) else op.kind
        for reason, accepted in _findings(op, graph, allow_float, arithmetic):
            tail = f"accepted: {accepted}" if accepted else ""
            problems.append(Problem(f"#{position} {kind} {op.name}", reason, tail))
    if problems:
        layers = len({problem.where for problem in problems})
        plural = "operator" if layers == 1 else "operators"
        raise TinycError(
            f"{layers} {plural} of {len(graph.ops)} cannot be compiled",
            where=f"model {graph.name}",
            problems=problems,
            allowed=_operators(graph),
            hint=_hint(graph, allow_float),
        )
    return graph


def _operators(graph: Graph) -> str:
    """The operators there are, when the model has one that is not among them."""
    strange = [op for op in graph.ops if isinstance(op, Unsupported) and op.operator not in op.known]
    return ", ".join(sorted({kind for op in strange for kind in op.known}))


def _hint(graph: Graph, allow_float: bool) -> str:
    kinds = {op.kind for op in graph.ops if any(t.dtype is DType.FLOAT32 for t in graph.results(op))}
    if not allow_float and kinds - {"DEQUANTIZE", "UNSUPPORTED"}:
        return (
            "run `tinyc quantize` on the float model with calibration data, or pass --allow-float to compute "
            "in float32"
        )
    return ""


def _findings(op: Op, graph: Graph, allow_float: bool, arithmetic: _Arithmetic) -> Iterator[Finding]:
    operands, results = graph.operands(op), graph.results(op)
    if isinstance(op, Unsupported):
        yield op.reason, op.accepted
        return
    values = operands[:1] if isinstance(op, GATHERS) else graph.activations(op)
    tensors = (*values, *(() if isinstance(op, _INDICES) else results))
    if op.kind in TRANSFORMER_KINDS or _widens(op, graph):
        found = list(_transformer(op, graph, allow_float))
    elif op.state_outputs:
        # The shape rules of layers with state say all else about their types.
        real = isinstance(op, Svdf | UnidirectionalSequenceLstm) and results[0].dtype is DType.FLOAT32
        found = [("computes in float32", ANY_FLOAT)] if real and not allow_float else []
    else:
        found = list(type_findings(op, graph, tensors, allow_float))
        if not found and not isinstance(op, (*MOVES, Cast)):
            found = list(_quantizations(tensors))
    if not found and isinstance(op, _SAME_SCALE):
        moved = _moved(op, graph)
        if moved and (mismatch := quantization_mismatch(moved, results)):
            found.append((mismatch, "one type, scale and zero point"))
    if not found and isinstance(op, _WEIGHTED):
        found = list(_weights(op, operands, results))
    if not found and isinstance(op, Softmax) and results[0].dtype is DType.INT8:
        y = results[0]
        if abs(y.scale - 1 / 256) > 1e-6 or y.zero_point != -128:
            found.append((f"gives scale {y.scale:g}, zero point {y.zero_point}", "1/256 and -128"))
    if not found and not isinstance(op, (*_WEIGHTED, *_SAME_SCALE)):
        found = list(arithmetic.findings(op, graph))
    yield from found


def _moved(op: Op, graph: Graph) -> tuple[Tensor, ...]:
    """The operands whose elements become those of the result."""
    operands = graph.operands(op)
    if isinstance(op, GATHERS):
        return operands[:1]
    if isinstance(op, AveragePool2D | MaxPool2D):
        return graph.activations(op)
    return operands[1:] if isinstance(op, SelectV2) else operands


def _widens(op: Op, graph: Graph) -> bool:
    """An activation from int8 to int16, which only transformers have."""
    types = (graph[op.inputs[0]].dtype, graph[op.outputs[0]].dtype)
    return isinstance(op, Curved) and types == (DType.INT8, DType.INT16)


def _transformer(op: Op, graph: Graph, allow_float: bool) -> Iterator[Finding]:
    """Layers of transformers mix int8 and int16; token ids and lengths have no scale."""
    results = graph.results(op)
    if any(tensor.dtype is DType.FLOAT32 for tensor in results):
        if not allow_float:
            yield "computes in float32", ANY_FLOAT
        return
    for tensor in results:
        if op.kind != "SEQUENCE_LENGTH" and (
            tensor.quantization is None or tensor.dtype not in (DType.INT8, DType.INT16)
        ):
            yield f"{tensor.name!r} is {tensor.dtype.value[0]}", "int8 or int16 with a scale"


def _quantizations(tensors: tuple[Tensor, ...]) -> Iterator[Finding]:
    for tensor in tensors:
        if tensor.dtype not in (DType.INT8, DType.UINT8, *_CENTRED):
            continue
        if tensor.dtype is DType.INT32 and tensor.quantization is None:
            continue
        if tensor.quantization is None:
            yield f"{tensor.name!r} has no scale", "quantized tensors with scale and zero point"
        elif tensor.quantization.per_channel:
            yield f"{tensor.name!r} is an activation with one scale per channel", "one scale"
        elif tensor.dtype in _CENTRED and tensor.zero_point != 0:
            yield (
                f"{tensor.name!r} is {tensor.dtype.value[0]} with zero point {tensor.zero_point}",
                "zero point 0",
            )


def _weights(op: Op, operands: tuple[Tensor, ...], results: tuple[Tensor, ...]) -> Iterator[Finding]:
    x, weights, *rest = operands
    real = x.dtype is DType.FLOAT32
    if not weights.is_constant or any(not bias.is_constant for bias in rest):
        yield "weights or bias are computed at run time", "constants"
        return
    expected = DType.FLOAT32 if real else DType.INT8
    if weights.dtype is not expected:
        yield f"weights are {weights.dtype.value[0]}", expected.value[0]
        return
    biases = {DType.FLOAT32} if real else {DType.INT32}
    if x.dtype is DType.INT16:
        # No kernel of TensorFlow Lite reads a 32-bit bias of these.
        only_wide = isinstance(op, DepthwiseConv2D | TransposeConv)
        biases = {DType.INT64} if only_wide else {DType.INT32, DType.INT64}
    if any(bias.dtype not in biases for bias in rest):
        yield f"bias is {rest[0].dtype.value[0]}", listed(biases)
    if real:
        return
    if weights.quantization is None:
        yield "weights have no scale", "symmetric int8 weights"
    elif any(weights.quantization.zero_point):
        yield "weights have a zero point other than 0", "symmetric int8 weights"
    else:
        try:
            with np.errstate(all="ignore"):
                _, shift = channel_multipliers(x, weights, results[0])
            check_wide_sums(operands, shift)
        except ValueError as error:
            yield str(error), "an output scale that is not far finer than the input's"
