"""One decoder per TensorFlow Lite operator: what the file stores, as an op of the IR.

A decoder raises `Reject` for a variant that tinyc does not compile. To add an operator, write its
decoder and list it in `DECODERS`.
"""

from __future__ import annotations

from collections.abc import Callable

from tinyc.frontends import tflite_elementwise, tflite_reductions
from tinyc.frontends.tflite_node import (
    Decoder,
    Node,
    Reject,
    binary,
    finite,
    normal_axis,
    pair,
    plain,
    present,
)
from tinyc.frontends.tflite_slices import resolve_slice
from tinyc.ir.ops import (
    Activation,
    Add,
    AveragePool2D,
    BatchMatMul,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    Dequantize,
    FullyConnected,
    HardSwish,
    LeakyRelu,
    Logistic,
    MaxPool2D,
    Mul,
    Op,
    Pad,
    Quantize,
    Relu,
    Relu6,
    Reshape,
    Softmax,
    Split,
    StridedSlice,
    Sub,
    Tanh,
    Transpose,
)
from tinyc.ir.tensor import DType, Shape


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


def _pad(node: Node) -> Op:
    x, paddings, *fill = present(node, 2, 3)
    values = node.integers(1, "paddings")
    if paddings.shape != (len(x.shape), 2):
        raise Reject(f"paddings have shape {list(paddings.shape)}", f"shape {[len(x.shape), 2]}")
    if fill:
        if fill[0].data is None or fill[0].elements != 1:
            raise Reject("the padded value is computed at run time", "a constant")
        zero = 0 if x.quantization is None else x.zero_point
        if fill[0].data.item() != zero:
            raise Reject(f"pads with the value {fill[0].data.item()}", f"the real value 0, stored as {zero}")
    return Pad(**node.common(x), paddings=tuple(zip(values[::2], values[1::2], strict=True)))


def _reshape(node: Node) -> Op:
    # The declared shape already has what the shape input or option may leave open as -1.
    return Reshape(**node.common(present(node, 1, 2)[0]), shape=node.results[0].shape)


def _renamed(node: Node) -> Op:
    """SQUEEZE and EXPAND_DIMS: the elements stay where they are."""
    return Reshape(**node.common(present(node, 1, 2)[0]), shape=node.results[0].shape)


def _transpose(node: Node) -> Op:
    x = present(node, 2, 2)[0]
    order = node.integers(1, "permutation")
    rank = len(x.shape)
    permutation = tuple(axis + rank if axis < 0 else axis for axis in order)
    return Transpose(**node.common(x), permutation=permutation)


def _concatenation(node: Node) -> Op:
    kind = "ConcatenationOptions"
    tensors = present(node, 1, 1024)
    if node.activation(kind) is not Activation.NONE:
        raise Reject("a fused activation", "none")
    axis = normal_axis(int(node.option(kind, "Axis", 0)), len(tensors[0].shape))
    return Concatenation(**node.common(*tensors), axis=axis)


def _strided_slice(node: Node) -> Op:
    kind = "StridedSliceOptions"
    x = present(node, 4, 4)[0]
    masks = {
        name: int(node.option(kind, field, 0))
        for name, field in (
            ("begin_mask", "BeginMask"),
            ("end_mask", "EndMask"),
            ("ellipsis_mask", "EllipsisMask"),
            ("new_axis_mask", "NewAxisMask"),
            ("shrink_axis_mask", "ShrinkAxisMask"),
        )
    }
    if node.option(kind, "Offset", False):
        raise Reject("the end is an offset", "an absolute end")
    begin, end, strides = (node.integers(i, w) for i, w in ((1, "begin"), (2, "end"), (3, "strides")))
    try:
        resolved = resolve_slice(x.shape, begin, end, strides, **masks)
    except ValueError as error:
        raise Reject(str(error)) from error
    return StridedSlice(
        **node.common(x),
        begin=resolved.begin,
        size=resolved.size,
        strides=resolved.strides,
        shape=resolved.shape,
    )


def _slice(node: Node) -> Op:
    x = present(node, 3, 3)[0]
    begin, size = node.integers(1, "begin"), node.integers(2, "size")
    if not len(begin) == len(size) == len(x.shape):
        raise Reject("begin and size do not fit the input's rank")
    sizes: Shape = tuple(
        extent - first if count == -1 else count
        for extent, first, count in zip(x.shape, begin, size, strict=True)
    )
    ones = (1,) * len(sizes)
    return StridedSlice(**node.common(x), begin=begin, size=sizes, strides=ones, shape=sizes)


def _split(node: Node) -> Op:
    _, x = present(node, 2, 2)
    (axis,) = node.integers(0, "axis") or (0,)
    axis, count = normal_axis(axis, len(x.shape)), len(node.results)
    if not count or x.shape[axis] % count:
        raise Reject(f"{count} parts of an extent of {x.shape[axis]}", "equal parts")
    return Split(**node.common(x), axis=axis, sizes=(x.shape[axis] // count,) * count)


def _split_v(node: Node) -> Op:
    x = present(node, 3, 3)[0]
    sizes = list(node.integers(1, "sizes"))
    (axis,) = node.integers(2, "axis") or (0,)
    axis = normal_axis(axis, len(x.shape))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    return Split(**node.common(x), axis=axis, sizes=tuple(sizes))


DECODERS: dict[str, Decoder] = {
    **tflite_reductions.DECODERS,
    **tflite_elementwise.DECODERS,
    "ADD": binary(Add, "AddOptions"),
    "AVERAGE_POOL_2D": _pool(AveragePool2D),
    "BATCH_MATMUL": _batch_matmul,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution(Conv2D, "Conv2DOptions"),
    "DEPTHWISE_CONV_2D": _convolution(DepthwiseConv2D, "DepthwiseConv2DOptions"),
    "DEQUANTIZE": _dequantize,
    "EXPAND_DIMS": _renamed,
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": plain(HardSwish),
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": plain(Logistic),
    "MAX_POOL_2D": _pool(MaxPool2D),
    "MUL": binary(Mul, "MulOptions"),
    "PAD": _pad,
    "PADV2": _pad,
    "QUANTIZE": plain(Quantize),
    "RELU": plain(Relu),
    "RELU6": plain(Relu6),
    "RESHAPE": _reshape,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _renamed,
    "STRIDED_SLICE": _strided_slice,
    "SUB": binary(Sub, "SubOptions"),
    "TANH": plain(Tanh),
    "TRANSPOSE": _transpose,
}
