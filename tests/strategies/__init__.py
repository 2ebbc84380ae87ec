"""Random single-op graphs, one strategy per operator: the table that drives the kernel tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from strategies import (
    batch_matmul,
    conv_2d,
    conv_depthwise_2d,
    depthwise_conv_2d,
    elementwise,
    fully_connected,
    movement,
    norms,
    pairwise,
    patch_stage,
    pooling,
    quantize,
    real,
    recurrent,
    reductions,
    softmax,
    space,
    streams,
    take,
    token_block,
    transpose_conv,
    unary,
)
from strategies.int16 import sometimes_weighted_int16
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    OPS,
    Abs,
    Add,
    AddN,
    ArgMax,
    ArgMin,
    AssignVariable,
    AveragePool2D,
    BatchMatMul,
    BatchToSpaceNd,
    Cast,
    Ceil,
    Concatenation,
    Conv2D,
    ConvDepthwise2D,
    Cos,
    Cumsum,
    DepthwiseConv2D,
    Dequantize,
    Div,
    Elu,
    Equal,
    Exp,
    Floor,
    FloorDiv,
    FloorMod,
    FullyConnected,
    Gather,
    GatherNd,
    Gelu,
    Greater,
    GreaterEqual,
    HardSwish,
    L2Normalization,
    L2Pool2D,
    LeakyRelu,
    Less,
    LessEqual,
    Log,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    Logistic,
    LogSoftmax,
    Lookup,
    Maximum,
    MaxPool2D,
    Mean,
    Minimum,
    Mul,
    Neg,
    NotEqual,
    Pad,
    PadV2,
    PatchStage,
    Prelu,
    Quantize,
    ReduceAll,
    ReduceAny,
    ReduceMax,
    ReduceMin,
    Relu,
    Relu0To1,
    Relu6,
    ReluN1To1,
    Reshape,
    ResizeBilinear,
    Round,
    Rsqrt,
    SelectV2,
    SequenceLength,
    Sin,
    Softmax,
    SpaceToBatchNd,
    Split,
    Sqrt,
    Square,
    SquaredDifference,
    StreamSum,
    StreamTaps,
    StreamWindow,
    StridedSlice,
    Sub,
    Sum,
    Svdf,
    Take,
    Tanh,
    TokenBlock,
    Transpose,
    TransposeConv,
    UnidirectionalSequenceLstm,
)
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import DType
from tinyc.kernels.kernel import Kernel

Strategy = Callable[[np.random.Generator], Graph]

_INTEGERS: dict[type[Op], Strategy] = {
    ConvDepthwise2D: conv_depthwise_2d.random_graph,
    LogicalNot: pairwise.random_logical_not,
    **{op: pairwise.extreme(op) for op in (LogicalAnd, LogicalOr)},
    Dequantize: quantize.random_dequantize,
    Lookup: unary.random_lookup,
    Quantize: quantize.random_quantize,
    SequenceLength: token_block.sequence_length,
    TokenBlock: token_block.token_block,
    Transpose: movement.random_transpose,
    StridedSlice: movement.random_strided_slice,
    Split: movement.random_split,
    Reshape: movement.random_reshape,
    Pad: movement.random_pad,
    PatchStage: patch_stage.random_graph,
    Concatenation: movement.random_concatenation,
    ArgMax: reductions.random_arg_max,
    ArgMin: reductions.random_arg_min,
    ReduceAll: reductions.random_reduce_all,
    ReduceAny: reductions.random_reduce_any,
    AssignVariable: recurrent.random_assign_variable,
    StreamSum: streams.random_sum,
    StreamTaps: streams.random_taps,
    StreamWindow: streams.random_window,
    Svdf: recurrent.random_svdf,
    UnidirectionalSequenceLstm: recurrent.random_lstm,
    PadV2: movement.random_pad_v2,
    Take: take.random_take,
    Gather: take.random_gather,
    GatherNd: take.random_gather_nd,
    Cast: space.random_cast,
}
_REALS_TOO: dict[type[Op], Strategy] = {
    Conv2D: sometimes_weighted_int16(conv_2d.random_graph),
    DepthwiseConv2D: sometimes_weighted_int16(depthwise_conv_2d.random_graph),
    FullyConnected: sometimes_weighted_int16(fully_connected.random_graph),
    Abs: unary.random_abs,
    AddN: pairwise.random_add_n,
    Div: pairwise.random_div,
    Prelu: pairwise.random_prelu,
    SelectV2: pairwise.random_select,
    SquaredDifference: pairwise.random_squared_difference,
    **{op: pairwise.floored(op) for op in (FloorDiv, FloorMod)},
    **{op: pairwise.extreme(op) for op in (Maximum, Minimum)},
    **{op: pairwise.comparison(op) for op in (Equal, NotEqual, Greater, GreaterEqual, Less, LessEqual)},
    Add: elementwise.random_add,
    AveragePool2D: pooling.random_average_pool,
    BatchMatMul: batch_matmul.random_graph,
    Elu: unary.random_elu,
    Exp: unary.random_exp,
    Gelu: unary.random_gelu,
    HardSwish: unary.random_hard_swish,
    LeakyRelu: unary.random_leaky_relu,
    Log: unary.random_log,
    Logistic: unary.random_logistic,
    MaxPool2D: pooling.random_max_pool,
    Mean: reductions.random_mean,
    Mul: elementwise.random_mul,
    Neg: unary.random_neg,
    Relu: unary.random_relu,
    Relu0To1: unary.random_relu_0_to_1,
    Relu6: unary.random_relu6,
    ReluN1To1: unary.random_relu_n1_to_1,
    Softmax: softmax.random_graph,
    Sqrt: unary.random_sqrt,
    Sub: elementwise.random_sub,
    Tanh: unary.random_tanh,
    Cumsum: reductions.random_cumsum,
    L2Normalization: norms.random_l2_normalization,
    LogSoftmax: norms.random_log_softmax,
    ReduceMax: reductions.random_reduce_max,
    ReduceMin: reductions.random_reduce_min,
    Rsqrt: unary.random_rsqrt,
    Sum: reductions.random_sum,
    TransposeConv: sometimes_weighted_int16(transpose_conv.random_graph),
    ResizeBilinear: space.random_resize_bilinear,
    SpaceToBatchNd: space.random_space_to_batch_nd,
    BatchToSpaceNd: space.random_batch_to_space_nd,
}
STRATEGIES = _INTEGERS | _REALS_TOO
"""Layers in int8, int16 and bool."""

FLOAT_STRATEGIES: dict[type[Op], Strategy] = {
    **{op: real.real(strategy) for op, strategy in _REALS_TOO.items()},
    **{op: real.real(STRATEGIES[op], stays=("y",)) for op in (ArgMax, ArgMin)},
    Cast: space.random_float_cast,
    L2Pool2D: real.real(pooling.random_l2_pool),
    Svdf: recurrent.random_float_svdf,
    UnidirectionalSequenceLstm: real.real(recurrent.random_lstm),
    **{op: real.alone(op) for op in (Ceil, Cos, Floor, Round, Sin, Square)},
}
"""Layers in float32."""


def strategy_of(kernel: Kernel) -> Strategy:
    """Layers of the kernel's operator, in the type that its name says."""
    in_float = "_f32__" in kernel.symbol and kernel.op in FLOAT_STRATEGIES
    return (FLOAT_STRATEGIES if in_float else STRATEGIES)[kernel.op]


_MADE_HERE = (AssignVariable, Lookup, SequenceLength, StreamSum, StreamTaps, StreamWindow)
IN_FILES = tuple(op for op in STRATEGIES if op.kind in OPS and op not in _MADE_HERE)
"""Those that model files hold."""

MICRO_ONLY = (AddN, Cumsum, Elu, Sum, Svdf, UnidirectionalSequenceLstm)
"""Those that LiteRT's reference kernels do not compute in int8, or otherwise than TensorFlow Lite Micro."""

WIDE_MICRO_ONLY = (Rsqrt, SquaredDifference)
"""Those of which that is so in int16."""


def is_micro_only(graph: Graph) -> bool:
    """Whether TensorFlow Lite Micro is the standard for this layer."""
    op = graph.ops[0]
    if isinstance(op, Quantize):
        return (graph[op.inputs[0]].dtype, graph[op.outputs[0]].dtype) == (DType.INT8, DType.INT32)
    wide = graph[op.inputs[0]].dtype is DType.INT16
    return isinstance(op, (*MICRO_ONLY, *WIDE_MICRO_ONLY) if wide else MICRO_ONLY)
