"""What is compiled for which types and instruction sets, found by asking the kernels about random layers."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from strategies import FLOAT_STRATEGIES, STRATEGIES
from strategies.int4 import for_kernel
from tinyc.frontends.tflite_ops import DECODERS
from tinyc.frontends.tflite_refused import CUSTOM, why
from tinyc.frontends.tflite_shapes import CONSTANTS
from tinyc.frontends.tflite_variables import KINDS
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import DType
from tinyc.kernels.catalogue import CATALOGUE

MICRO = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
    BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D
    DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL
    FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF
    L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR
    LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2
    PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH
    TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
""".split()  # noqa: SIM905
"""The builtin operators of TensorFlow Lite Micro: `python_ops_resolver.cc` of 20 August 2026."""

_INT4 = "int4 weights"
_COLUMNS = ("int8", _INT4, "int16", "int32", "bool", "uint8", "float32")
_DRAWS = 150
_FLOAT_DRAWS = 10


TAKEN = {*DECODERS, *CONSTANTS, *KINDS}
"""Those that a .tflite file may hold."""


def _type(op: Op, graph: Graph) -> DType:
    """The type that a layer computes with: that of its first activation that is not a condition."""
    types = [tensor.dtype for tensor in graph.activations(op)]
    return next((dtype for dtype in types if dtype is not DType.BOOL), DType.BOOL)


def instruction_sets(op: type[Op]) -> dict[str, set[str]]:
    """The instruction sets with a kernel for at least one of many random layers, by type."""
    kernels = [kernel for kernel in CATALOGUE if kernel.op is op]
    found: dict[str, set[str]] = defaultdict(set)
    for layer, graph in _layers(op):
        dtype = _type(layer, graph).value[0]
        for kernel in kernels:
            column = _INT4 if kernel.weight_bits == 4 else dtype
            if kernel.isa not in found[column] and kernel.accepts(layer, for_kernel(kernel, graph)):
                found[column].add(kernel.isa)
    return found


def _layers(op: type[Op]) -> Iterator[tuple[Op, Graph]]:
    for strategies, draws in ((STRATEGIES, _DRAWS), (FLOAT_STRATEGIES, _FLOAT_DRAWS)):
        rng = np.random.default_rng(zlib.crc32(op.kind.encode()))
        for _ in range(draws if op in strategies else 0):
            graph = strategies[op](rng)
            yield next(each for each in graph.ops if type(each) is op), graph


def types_table() -> Iterator[str]:
    """operator × type: the instruction sets."""
    yield f"| operator | {' | '.join(_COLUMNS)} |"
    yield "|---|" + "---|" * len(_COLUMNS)
    for op in sorted({*STRATEGIES, *FLOAT_STRATEGIES}, key=lambda op: op.kind):
        found = instruction_sets(op)
        yield f"| {op.kind} | {' | '.join(', '.join(sorted(found[name])) for name in _COLUMNS)} |"


def refused_table() -> Iterator[str]:
    """The operators of TensorFlow Lite Micro that are not compiled, and why."""
    yield "| operator | why not |"
    yield "|---|---|"
    for kind in sorted(set(MICRO) - TAKEN):
        yield f"| {kind} | {why(kind)} |"
    yield f"| custom ones | {CUSTOM} |"
