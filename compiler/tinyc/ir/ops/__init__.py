"""The operators. `OPS` maps TFLite's names to classes; a new op file is listed here once.

`ConvDepthwise2D`, `PatchStage` and `TokenBlock` are not there: they stand for several of them. Nor are the
functions that exist in float32 alone: none is left when a graph is stored.
"""

from __future__ import annotations

from tinyc.ir.ops.abs import Abs
from tinyc.ir.ops.add import Add
from tinyc.ir.ops.add_n import AddN
from tinyc.ir.ops.arg_extreme import ArgMax, ArgMin
from tinyc.ir.ops.assign_variable import AssignVariable
from tinyc.ir.ops.attention import Attention
from tinyc.ir.ops.average_pool_2d import AveragePool2D
from tinyc.ir.ops.base import Activation, Op, Padding, Source
from tinyc.ir.ops.batch_matmul import BatchMatMul
from tinyc.ir.ops.cast import Cast
from tinyc.ir.ops.comparison import Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual
from tinyc.ir.ops.concatenation import Concatenation
from tinyc.ir.ops.conv_2d import Conv2D
from tinyc.ir.ops.conv_depthwise_2d import ConvDepthwise2D
from tinyc.ir.ops.cumsum import Cumsum
from tinyc.ir.ops.curved import Gelu, Silu, SquaredRelu
from tinyc.ir.ops.depthwise_conv_1d import DepthwiseConv1D
from tinyc.ir.ops.depthwise_conv_2d import DepthwiseConv2D
from tinyc.ir.ops.dequantize import Dequantize
from tinyc.ir.ops.div import Div
from tinyc.ir.ops.elu import Elu
from tinyc.ir.ops.embedding import Embedding
from tinyc.ir.ops.exp import Exp
from tinyc.ir.ops.extremes import LogicalAnd, LogicalOr, Maximum, Minimum
from tinyc.ir.ops.float_functions import Ceil, Cos, Floor, Round, Sin, Square
from tinyc.ir.ops.floored import FloorDiv, FloorMod
from tinyc.ir.ops.fully_connected import FullyConnected
from tinyc.ir.ops.gather import Gather, GatherNd
from tinyc.ir.ops.hard_swish import HardSwish
from tinyc.ir.ops.l2_normalization import L2Normalization
from tinyc.ir.ops.l2_pool_2d import L2Pool2D
from tinyc.ir.ops.leaky_relu import LeakyRelu
from tinyc.ir.ops.linear import Linear
from tinyc.ir.ops.log import Log
from tinyc.ir.ops.log_softmax import LogSoftmax
from tinyc.ir.ops.logical_not import LogicalNot
from tinyc.ir.ops.logistic import Logistic
from tinyc.ir.ops.lookup import Lookup
from tinyc.ir.ops.max_pool_2d import MaxPool2D
from tinyc.ir.ops.mean import Mean
from tinyc.ir.ops.mul import Mul
from tinyc.ir.ops.neg import Neg
from tinyc.ir.ops.norm import LayerNorm, RmsNorm
from tinyc.ir.ops.pad import Pad
from tinyc.ir.ops.pad_v2 import PadV2
from tinyc.ir.ops.patch_stage import PatchStage
from tinyc.ir.ops.prelu import Prelu
from tinyc.ir.ops.quantize import Quantize
from tinyc.ir.ops.reduce_extreme import ReduceAll, ReduceAny, ReduceMax, ReduceMin
from tinyc.ir.ops.relu import Relu
from tinyc.ir.ops.relu6 import Relu6
from tinyc.ir.ops.relu_0_to_1 import Relu0To1
from tinyc.ir.ops.relu_n1_to_1 import ReluN1To1
from tinyc.ir.ops.reshape import Reshape
from tinyc.ir.ops.resize_bilinear import ResizeBilinear
from tinyc.ir.ops.rsqrt import Rsqrt
from tinyc.ir.ops.select_v2 import SelectV2
from tinyc.ir.ops.sequence_length import SequenceLength
from tinyc.ir.ops.softmax import Softmax
from tinyc.ir.ops.space_to_batch_nd import BatchToSpaceNd, SpaceToBatchNd
from tinyc.ir.ops.split import Split
from tinyc.ir.ops.sqrt import Sqrt
from tinyc.ir.ops.squared_difference import SquaredDifference
from tinyc.ir.ops.stream_sum import Finish, StreamSum
from tinyc.ir.ops.stream_taps import StreamTaps
from tinyc.ir.ops.stream_window import StreamWindow
from tinyc.ir.ops.strided_slice import StridedSlice
from tinyc.ir.ops.sub import Sub
from tinyc.ir.ops.sum import Sum
from tinyc.ir.ops.svdf import Svdf
from tinyc.ir.ops.take import Take
from tinyc.ir.ops.tanh import Tanh
from tinyc.ir.ops.token_block import TokenBlock
from tinyc.ir.ops.token_pool import Pooling, TokenPool
from tinyc.ir.ops.transpose import Transpose
from tinyc.ir.ops.transpose_conv import TransposeConv
from tinyc.ir.ops.unidirectional_sequence_lstm import UnidirectionalSequenceLstm
from tinyc.ir.ops.unsupported import Unsupported

OPS: dict[str, type[Op]] = {
    op.kind: op
    for op in (
        Abs,
        Add,
        AddN,
        ArgMax,
        ArgMin,
        AssignVariable,
        Attention,
        AveragePool2D,
        BatchMatMul,
        BatchToSpaceNd,
        Cast,
        Ceil,
        Concatenation,
        Conv2D,
        Cos,
        Cumsum,
        DepthwiseConv1D,
        DepthwiseConv2D,
        Dequantize,
        Div,
        Elu,
        Embedding,
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
        LayerNorm,
        LeakyRelu,
        Less,
        LessEqual,
        Linear,
        Log,
        LogicalAnd,
        LogicalNot,
        LogicalOr,
        LogSoftmax,
        Logistic,
        Lookup,
        MaxPool2D,
        Maximum,
        Mean,
        Minimum,
        Mul,
        Neg,
        NotEqual,
        Pad,
        Prelu,
        PadV2,
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
        RmsNorm,
        Round,
        SelectV2,
        Rsqrt,
        SequenceLength,
        Silu,
        Sin,
        Softmax,
        SpaceToBatchNd,
        Split,
        Sqrt,
        Square,
        SquaredDifference,
        SquaredRelu,
        StreamSum,
        StreamTaps,
        StreamWindow,
        StridedSlice,
        Sub,
        Sum,
        Svdf,
        Take,
        Tanh,
        TokenPool,
        Transpose,
        TransposeConv,
        UnidirectionalSequenceLstm,
    )
}

__all__ = [
    "OPS",
    "Abs",
    "Activation",
    "Add",
    "AddN",
    "ArgMax",
    "ArgMin",
    "AssignVariable",
    "Attention",
    "AveragePool2D",
    "BatchMatMul",
    "BatchToSpaceNd",
    "Cast",
    "Ceil",
    "Concatenation",
    "Conv2D",
    "ConvDepthwise2D",
    "Cos",
    "Cumsum",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dequantize",
    "Div",
    "Elu",
    "Embedding",
    "Equal",
    "Exp",
    "Finish",
    "Floor",
    "FloorDiv",
    "FloorMod",
    "FullyConnected",
    "Gather",
    "GatherNd",
    "Gelu",
    "Greater",
    "GreaterEqual",
    "HardSwish",
    "L2Normalization",
    "L2Pool2D",
    "LayerNorm",
    "LeakyRelu",
    "Less",
    "LessEqual",
    "Linear",
    "Log",
    "LogSoftmax",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "Logistic",
    "Lookup",
    "MaxPool2D",
    "Maximum",
    "Mean",
    "Minimum",
    "Mul",
    "Neg",
    "NotEqual",
    "Op",
    "Pad",
    "PadV2",
    "Padding",
    "PatchStage",
    "Pooling",
    "Prelu",
    "Quantize",
    "ReduceAll",
    "ReduceAny",
    "ReduceMax",
    "ReduceMin",
    "Relu",
    "Relu0To1",
    "Relu6",
    "ReluN1To1",
    "Reshape",
    "ResizeBilinear",
    "RmsNorm",
    "Round",
    "Rsqrt",
    "SelectV2",
    "SequenceLength",
    "Silu",
    "Sin",
    "Softmax",
    "Source",
    "SpaceToBatchNd",
    "Split",
    "Sqrt",
    "Square",
    "SquaredDifference",
    "SquaredRelu",
    "StreamSum",
    "StreamTaps",
    "StreamWindow",
    "StridedSlice",
    "Sub",
    "Sum",
    "Svdf",
    "Take",
    "Tanh",
    "TokenBlock",
    "TokenPool",
    "Transpose",
    "TransposeConv",
    "UnidirectionalSequenceLstm",
    "Unsupported",
]
