"""One decoder per TensorFlow Lite operator: what the file stores, as an op of the IR.

A decoder raises `Reject` for a variant that tinyc does not compile. To add an operator, write its
decoder and list it in `DECODERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

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
    Mean,
    Mul,
    Op,
    Pad,
    Padding,
    Quantize,
    Relu,
    Relu6,
    Reshape,
    Softmax,
    Source,
    Split,
    StridedSlice,
    Sub,
    Tanh,
    Transpose,
)
from tinyc.ir.tensor import DType, Shape, Tensor

_ACTIVATIONS = (Activation.NONE, Activation.RELU, Activation.RELU_N1_TO_1, Activation.RELU6)
_ACTIVATION_NAMES = {4: "TANH", 5: "SIGN_BIT"}
_PADDINGS = (Padding.SAME, Padding.VALID)


class Reject(Exception):  # noqa: N818
    """This variant of an operator cannot be compiled: `reason`, and what would be accepted."""

    def __init__(self, reason: str, accepted: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.accepted = accepted


@dataclass(frozen=True, slots=True)
class Node:
    """An operator of the file with its tensors; absent optional inputs are None."""

    kind: str
    name: str
    inputs: tuple[Tensor | None, ...]
    results: tuple[Tensor, ...]
    options: Mapping[str, int | float] | None
    options_type: str
    source: Source

    def operand(self, position: int) -> Tensor:
        """An input that must be there."""
        if position >= len(self.inputs) or (tensor := self.inputs[position]) is None:
            raise Reject(f"input {position} is absent")
        return tensor

    def integers(self, position: int, what: str) -> tuple[int, ...]:
        """The values of a constant integer input."""
        tensor = self.operand(position)
        if tensor.data is None:
            raise Reject(f"{what} is computed at run time", f"a constant {what}")
        if tensor.dtype not in (DType.INT32, DType.INT64) or tensor.elements > 64:
            raise Reject(f"{what} is {tensor.dtype.value[0]}{list(tensor.shape)}", f"a few int32 for {what}")
        return tuple(int(value) for value in tensor.data.reshape(-1))

    def option(self, options_type: str, field: str, default: Any) -> Any:
        """A field of the options table, or the schema's default when the file has no table."""
        if self.options is None:
            return default
        if self.options_type != options_type:
            raise Reject(f"options are {self.options_type}", options_type)
        return self.options[field]

    def common(self, *inputs: Tensor) -> dict[str, Any]:
        """The fields that every op has."""
        return {
            "name": self.name,
            "inputs": tuple(tensor.name for tensor in inputs),
            "outputs": tuple(tensor.name for tensor in self.results),
            "source": self.source,
        }

    def activation(self, options_type: str) -> Activation:
        code = int(self.option(options_type, "FusedActivationFunction", 0))
        if not 0 <= code < len(_ACTIVATIONS):
            name = _ACTIVATION_NAMES.get(code, str(code))
            raise Reject(f"fused activation {name}", ", ".join(a.value for a in _ACTIVATIONS))
        return _ACTIVATIONS[code]

    def padding(self, options_type: str) -> Padding:
        code = int(self.option(options_type, "Padding", 0))
        if not 0 <= code < len(_PADDINGS):
            raise Reject(f"padding {code}", "SAME, VALID")
        return _PADDINGS[code]


Decoder: TypeAlias = Callable[[Node], Op]


def _present(node: Node, least: int, most: int) -> tuple[Tensor, ...]:
    """The inputs, without absent ones at the end. Rejects a wrong number."""
    tensors = list(node.inputs)
    while tensors and tensors[-1] is None:
        tensors.pop()
    found = tuple(tensor for tensor in tensors if tensor is not None)
    if len(found) != len(tensors) or not least <= len(found) <= most:
        raise Reject(f"has {len(found)} inputs", str(least) if least == most else f"{least} to {most}")
    return found


def _bounded(value: int, what: str) -> int:
    if not 1 <= value <= 1 << 16:
        raise Reject(f"{what} is {value}", f"a positive {what}")
    return int(value)


def _pair(node: Node, options_type: str, fields: tuple[str, str], what: str) -> tuple[int, int]:
    height, width = (_bounded(node.option(options_type, field, 1), what) for field in fields)
    return height, width


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise Reject(f"{what} is {value}", f"a finite {what}")
    return float(value)


def _plain(op: Callable[..., Op]) -> Decoder:
    """Ops with one input and no options."""

    def decode(node: Node) -> Op:
        return op(**node.common(*_present(node, 1, 1)))

    return decode


def _binary(op: Callable[..., Op], options_type: str) -> Decoder:
    def decode(node: Node) -> Op:
        return op(**node.common(*_present(node, 2, 2)), activation=node.activation(options_type))

    return decode


def _convolution(op: Callable[..., Op], options_type: str) -> Decoder:
    def decode(node: Node) -> Op:
        return op(
            **node.common(*_present(node, 2, 3)),
            stride=_pair(node, options_type, ("StrideH", "StrideW"), "stride"),
            dilation=_pair(node, options_type, ("DilationHFactor", "DilationWFactor"), "dilation"),
            padding=node.padding(options_type),
            activation=node.activation(options_type),
        )

    return decode


def _fully_connected(node: Node) -> Op:
    kind = "FullyConnectedOptions"
    if node.option(kind, "WeightsFormat", 0):
        raise Reject("shuffled weights", "the default weights format")
    return FullyConnected(
        **node.common(*_present(node, 2, 3)),
        activation=node.activation(kind),
        keep_num_dims=bool(node.option(kind, "KeepNumDims", False)),
    )


def _batch_matmul(node: Node) -> Op:
    kind = "BatchMatMulOptions"
    adj_x, adj_y = (bool(node.option(kind, field, False)) for field in ("AdjX", "AdjY"))
    return BatchMatMul(**node.common(*_present(node, 2, 2)), adj_x=adj_x, adj_y=adj_y)


def _pool(op: Callable[..., Op]) -> Decoder:
    kind = "Pool2DOptions"

    def decode(node: Node) -> Op:
        filters = _pair(node, kind, ("FilterHeight", "FilterWidth"), "filter")
        strides = _pair(node, kind, ("StrideH", "StrideW"), "stride")
        return op(
            **node.common(*_present(node, 1, 1)),
            filter_height=filters[0],
            filter_width=filters[1],
            stride_height=strides[0],
            stride_width=strides[1],
            padding=node.padding(kind),
            activation=node.activation(kind),
        )

    return decode


def _mean(node: Node) -> Op:
    return Mean(
        **node.common(_present(node, 2, 2)[0]),
        axes=node.integers(1, "axes"),
        keep_dims=bool(node.option("ReducerOptions", "KeepDims", False)),
    )


def _softmax(node: Node) -> Op:
    beta = _finite(node.option("SoftmaxOptions", "Beta", 1.0), "beta")
    return Softmax(**node.common(*_present(node, 1, 1)), beta=beta)


def _leaky_relu(node: Node) -> Op:
    alpha = _finite(node.option("LeakyReluOptions", "Alpha", 0.0), "alpha")
    return LeakyRelu(**node.common(*_present(node, 1, 1)), alpha=alpha)


def _dequantize(node: Node) -> Op:
    (x,) = _present(node, 1, 1)
    if x.dtype is DType.FLOAT32:
        # Half floats were widened when they were read.
        return Reshape(**node.common(x), shape=node.results[0].shape)
    return Dequantize(**node.common(x))


def _pad(node: Node) -> Op:
    x, paddings, *fill = _present(node, 2, 3)
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
    return Reshape(**node.common(_present(node, 1, 2)[0]), shape=node.results[0].shape)


def _renamed(node: Node) -> Op:
    """SQUEEZE and EXPAND_DIMS: the elements stay where they are."""
    return Reshape(**node.common(_present(node, 1, 2)[0]), shape=node.results[0].shape)


def _transpose(node: Node) -> Op:
    x = _present(node, 2, 2)[0]
    order = node.integers(1, "permutation")
    rank = len(x.shape)
    permutation = tuple(axis + rank if axis < 0 else axis for axis in order)
    return Transpose(**node.common(x), permutation=permutation)


def _axis(value: int, rank: int) -> int:
    if not -rank <= value < rank:
        raise Reject(f"axis {value} of an input of rank {rank}", f"an axis in {-rank} .. {rank - 1}")
    return value % rank


def _concatenation(node: Node) -> Op:
    kind = "ConcatenationOptions"
    tensors = _present(node, 1, 1024)
    if node.activation(kind) is not Activation.NONE:
        raise Reject("a fused activation", "none")
    axis = _axis(int(node.option(kind, "Axis", 0)), len(tensors[0].shape))
    return Concatenation(**node.common(*tensors), axis=axis)


def _strided_slice(node: Node) -> Op:
    kind = "StridedSliceOptions"
    x = _present(node, 4, 4)[0]
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
    x = _present(node, 3, 3)[0]
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
    _, x = _present(node, 2, 2)
    (axis,) = node.integers(0, "axis") or (0,)
    axis, count = _axis(axis, len(x.shape)), len(node.results)
    if not count or x.shape[axis] % count:
        raise Reject(f"{count} parts of an extent of {x.shape[axis]}", "equal parts")
    return Split(**node.common(x), axis=axis, sizes=(x.shape[axis] // count,) * count)


def _split_v(node: Node) -> Op:
    x = _present(node, 3, 3)[0]
    sizes = list(node.integers(1, "sizes"))
    (axis,) = node.integers(2, "axis") or (0,)
    axis = _axis(axis, len(x.shape))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    return Split(**node.common(x), axis=axis, sizes=tuple(sizes))


DECODERS: dict[str, Decoder] = {
    "ADD": _binary(Add, "AddOptions"),
    "AVERAGE_POOL_2D": _pool(AveragePool2D),
    "BATCH_MATMUL": _batch_matmul,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution(Conv2D, "Conv2DOptions"),
    "DEPTHWISE_CONV_2D": _convolution(DepthwiseConv2D, "DepthwiseConv2DOptions"),
    "DEQUANTIZE": _dequantize,
    "EXPAND_DIMS": _renamed,
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": _plain(HardSwish),
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _plain(Logistic),
    "MAX_POOL_2D": _pool(MaxPool2D),
    "MEAN": _mean,
    "MUL": _binary(Mul, "MulOptions"),
    "PAD": _pad,
    "PADV2": _pad,
    "QUANTIZE": _plain(Quantize),
    "RELU": _plain(Relu),
    "RELU6": _plain(Relu6),
    "RESHAPE": _reshape,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _renamed,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _binary(Sub, "SubOptions"),
    "TANH": _plain(Tanh),
    "TRANSPOSE": _transpose,
}
