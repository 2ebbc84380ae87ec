"""One decoder per TensorFlow Lite operator: what the file stores, as an op of the IR.

A decoder raises `Reject` for a variant that tinyc does not compile. To add an operator, write its
decoder and list it in `DECODERS`.
"""

from __future__ import annotations

from collections.abc import Callable

from tinyc.frontends import (
    tflite_elementwise,
    tflite_movement,
    tflite_recurrent,
    tflite_reductions,
    tflite_space,
    tflite_take,
)
from tinyc.frontends.tflite_node import (
    Decoder,
    Node,
    Reject,
    binary,
    finite,
    pair,
    plain,
    present,
)
from tinyc.ir.ops import (
    Add,
    AveragePool2D,
    BatchMatMul,
    Conv2D,
    DepthwiseConv2D,
    Dequantize,
    FullyConnected,
    HardSwish,
    L2Pool2D,
    LeakyRelu,
    Logistic,
    MaxPool2D,
    Mul,
    Op,
    Quantize,
    Relu,
    Relu6,
    Reshape,
    Softmax,
    Sub,
    Tanh,
)
from tinyc.ir.tensor import DType


def _convolution(op: Callable[..., Op], options_type: str) -> Decoder:
    def decode(node: Node) -> Op:
        return op(
            **node.common(*present(node, 2, 3)),
            stride=pair(node, options_type, ("StrideH", "StrideW"), "stride"),
            dilation=pair(node, options_type, ("DilationHFactor", "DilationWFactor"), "dilation"),
            padding=node.padding(options_type),
            activation=node.activation(options_type),
        )

    return decode


def _fully_connected(node: Node) -> Op:
    kind = "FullyConnectedOptions"
    if node.option(kind, "WeightsFormat", 0):
        raise Reject("shuffled weights", "the default weights format")
    return FullyConnected(
        **node.common(*present(node, 2, 3)),
        activation=node.activation(kind),
        keep_num_dims=bool(node.option(kind, "KeepNumDims", False)),
    )


def _batch_matmul(node: Node) -> Op:
    kind = "BatchMatMulOptions"
    adj_x, adj_y = (bool(node.option(kind, field, False)) for field in ("AdjX", "AdjY"))
    return BatchMatMul(**node.common(*present(node, 2, 2)), adj_x=adj_x, adj_y=adj_y)


def _pool(op: Callable[..., Op]) -> Decoder:
    kind = "Pool2DOptions"

    def decode(node: Node) -> Op:
        filters = pair(node, kind, ("FilterHeight", "FilterWidth"), "filter")
        strides = pair(node, kind, ("StrideH", "StrideW"), "stride")
        return op(
            **node.common(*present(node, 1, 1)),
            filter_height=filters[0],
            filter_width=filters[1],
            stride_height=strides[0],
            stride_width=strides[1],
            padding=node.padding(kind),
            activation=node.activation(kind),
        )

    return decode


def _softmax(node: Node) -> Op:
    beta = finite(node.option("SoftmaxOptions", "Beta", 1.0), "beta")
    return Softmax(**node.common(*present(node, 1, 1)), beta=beta)


def _leaky_relu(node: Node) -> Op:
    alpha = finite(node.option("LeakyReluOptions", "Alpha", 0.0), "alpha")
    return LeakyRelu(**node.common(*present(node, 1, 1)), alpha=alpha)


def _dequantize(node: Node) -> Op:
    (x,) = present(node, 1, 1)
    if x.dtype is DType.FLOAT32:
        # Half floats were widened when they were read.
        return Reshape(**node.common(x), shape=node.results[0].shape)
    return Dequantize(**node.common(x))


DECODERS: dict[str, Decoder] = {
    **tflite_recurrent.DECODERS,
    **tflite_reductions.DECODERS,
    **tflite_elementwise.DECODERS,
    **tflite_movement.DECODERS,
    **tflite_space.DECODERS,
    **tflite_take.DECODERS,
    "ADD": binary(Add, "AddOptions"),
    "AVERAGE_POOL_2D": _pool(AveragePool2D),
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _convolution(Conv2D, "Conv2DOptions"),
    "DEPTHWISE_CONV_2D": _convolution(DepthwiseConv2D, "DepthwiseConv2DOptions"),
    "DEQUANTIZE": _dequantize,
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": plain(HardSwish),
    "L2_POOL_2D": _pool(L2Pool2D),
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": plain(Logistic),
    "MAX_POOL_2D": _pool(MaxPool2D),
    "MUL": binary(Mul, "MulOptions"),
    "QUANTIZE": plain(Quantize),
    "RELU": plain(Relu),
    "RELU6": plain(Relu6),
    "SOFTMAX": _softmax,
    "SUB": binary(Sub, "SubOptions"),
    "TANH": plain(Tanh),
}
