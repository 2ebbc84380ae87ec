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
    Add,
    AveragePool2D,
    BatchMatMul,
    Concatenation,
    Conv2D,
    ConvDepthwise2D,
    DepthwiseConv2D,
    Dequantize,
    FullyConnected,
    HardSwish,
    LeakyRelu,
    Logistic,
    MaxPool2D,
    Mean,
    Mul,
    Pad,
    Quantize,
    Relu,
    Relu6,
    Reshape,
    SequenceLength,
    Softmax,
    Split,
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
    Add: elementwise.random_add,
    AveragePool2D: pooling.random_average_pool,
    BatchMatMul: batch_matmul.random_graph,
    Dequantize: quantize.random_dequantize,
    HardSwish: unary.random_hard_swish,
    LeakyRelu: unary.random_leaky_relu,
    Logistic: unary.random_logistic,
    MaxPool2D: pooling.random_max_pool,
    Mean: mean.random_graph,
    Mul: elementwise.random_mul,
    Quantize: quantize.random_quantize,
    Relu: unary.random_relu,
    Relu6: unary.random_relu6,
    SequenceLength: token_block.sequence_length,
    Softmax: softmax.random_graph,
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
