"""Decoders of reductions, of operators along one axis and of TRANSPOSE_CONV."""

from __future__ import annotations

from collections.abc import Callable

from tinyc.frontends.tflite_node import Decoder, Node, Reject, normal_axis, pair, plain, present
from tinyc.ir.ops import (
    Activation,
    ArgMax,
    ArgMin,
    Cumsum,
    L2Normalization,
    LogSoftmax,
    Mean,
    Op,
    ReduceAll,
    ReduceAny,
    ReduceMax,
    ReduceMin,
    Rsqrt,
    Sum,
    TransposeConv,
)
from tinyc.ir.tensor import DType


def _reduction(op: Callable[..., Op]) -> Decoder:
    def decode(node: Node) -> Op:
        return op(
            **node.common(present(node, 2, 2)[0]),
            axes=node.integers(1, "axes"),
            keep_dims=bool(node.option("ReducerOptions", "KeepDims", False)),
        )

    return decode


def _one_axis(node: Node) -> int:
    rank = len(node.operand(0).shape)
    axes = node.integers(1, "axis")
    if len(axes) != 1:
        raise Reject(f"{len(axes)} axes", "one axis")
    return normal_axis(axes[0], rank)


def _arg(op: Callable[..., Op]) -> Decoder:
    def decode(node: Node) -> Op:
        if node.results[0].dtype is not DType.INT32:
            raise Reject(f"gives positions as {node.results[0].dtype.value[0]}", "int32")
        return op(**node.common(present(node, 2, 2)[0]), axis=_one_axis(node))

    return decode


def _cumsum(node: Node) -> Op:
    kind = "CumsumOptions"
    return Cumsum(
        **node.common(present(node, 2, 2)[0]),
        axis=_one_axis(node),
        exclusive=bool(node.option(kind, "Exclusive", False)),
        reverse=bool(node.option(kind, "Reverse", False)),
    )


def _l2_normalization(node: Node) -> Op:
    if node.activation("L2NormOptions") is not Activation.NONE:
        raise Reject("a fused activation", "none")
    return L2Normalization(**node.common(*present(node, 1, 1)))


def _transpose_conv(node: Node) -> Op:
    kind = "TransposeConvOptions"
    _, filters, x, *bias = present(node, 3, 4)
    shape = node.integers(0, "output shape")
    if len(shape) != 4:
        raise Reject(f"the output shape has {len(shape)} extents", "4")
    return TransposeConv(
        **node.common(x, filters, *bias),
        output_size=(shape[1], shape[2]),
        stride=pair(node, kind, ("StrideH", "StrideW"), "stride"),
        padding=node.padding(kind),
        activation=node.activation(kind),
    )


DECODERS: dict[str, Decoder] = {
    "ARG_MAX": _arg(ArgMax),
    "ARG_MIN": _arg(ArgMin),
    "CUMSUM": _cumsum,
    "L2_NORMALIZATION": _l2_normalization,
    "LOG_SOFTMAX": plain(LogSoftmax),
    "MEAN": _reduction(Mean),
    "REDUCE_ALL": _reduction(ReduceAll),
    "REDUCE_ANY": _reduction(ReduceAny),
    "REDUCE_MAX": _reduction(ReduceMax),
    "REDUCE_MIN": _reduction(ReduceMin),
    "RSQRT": plain(Rsqrt),
    "SUM": _reduction(Sum),
    "TRANSPOSE_CONV": _transpose_conv,
}
