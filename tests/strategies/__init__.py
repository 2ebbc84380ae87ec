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
    mean,
    movement,
    pooling,
    quantize,
    softmax,
    token_block,
    unary,
)
from tinyc.ir.graph import Graph
from tinyc.ir.ops import (
    OPS,
    Abs,
    Add,
    AveragePool2D,
    BatchMatMul,
    Concatenation,
    Conv2D,
    ConvDepthwise2D,
    DepthwiseConv2D,
    Dequantize,
    Elu,
    Exp,
    FullyConnected,
    Gelu,
    HardSwish,
    LeakyRelu,
    Log,
    Logistic,
    MaxPool2D,
    Mean,
    Mul,
    Neg,
    Pad,
    Quantize,
    Relu,
    Relu0To1,
    Relu6,
    ReluN1To1,
    Reshape,
    SequenceLength,
    Softmax,
    Split,
    Sqrt,
    StridedSlice,
    Sub,
    Tanh,
    TokenBlock,
    Transpose,
)
from tinyc.ir.ops.base import Op

Strategy = Callable[[np.random.Generator], Graph]

STRATEGIES: dict[type[Op], Strategy] = {
    Conv2D: conv_2d.random_graph,
    ConvDepthwise2D: conv_depthwise_2d.random_graph,
    DepthwiseConv2D: depthwise_conv_2d.random_graph,
    FullyConnected: fully_connected.random_graph,
    Abs: unary.random_abs,
    Add: elementwise.random_add,
    AveragePool2D: pooling.random_average_pool,
    BatchMatMul: batch_matmul.random_graph,
    Dequantize: quantize.random_dequantize,
    Elu: unary.random_elu,
    Exp: unary.random_exp,
    Gelu: unary.random_gelu,
    HardSwish: unary.random_hard_swish,
    LeakyRelu: unary.random_leaky_relu,
    Log: unary.random_log,
    Logistic: unary.random_logistic,
    MaxPool2D: pooling.random_max_pool,
    Mean: mean.random_graph,
    Mul: elementwise.random_mul,
    Neg: unary.random_neg,
    Quantize: quantize.random_quantize,
    Relu: unary.random_relu,
    Relu0To1: unary.random_relu_0_to_1,
    Relu6: unary.random_relu6,
    ReluN1To1: unary.random_relu_n1_to_1,
    SequenceLength: token_block.sequence_length,
    Softmax: softmax.random_graph,
    Sqrt: unary.random_sqrt,
    TokenBlock: token_block.token_block,
    Sub: elementwise.random_sub,
    Tanh: unary.random_tanh,
    Transpose: movement.random_transpose,
    StridedSlice: movement.random_strided_slice,
    Split: movement.random_split,
    Reshape: movement.random_reshape,
    Pad: movement.random_pad,
    Concatenation: movement.random_concatenation,
}

IN_FILES = tuple(op for op in STRATEGIES if op.kind in OPS and op is not SequenceLength)
"""Those that model files hold."""

MICRO_ONLY = (Elu,)
"""Those with an int8 form in TensorFlow Lite Micro only, not in LiteRT's reference kernels."""
