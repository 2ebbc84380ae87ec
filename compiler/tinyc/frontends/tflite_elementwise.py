"""Decoders of the operators that work element by element."""

from __future__ import annotations

from tinyc.frontends.tflite_node import Decoder, Node, Reject, plain, present
from tinyc.ir.ops import Abs, Elu, Exp, Gelu, Log, Neg, Op, Relu0To1, ReluN1To1, Sqrt


def _gelu(node: Node) -> Op:
    approximate = bool(node.option("GeluOptions", "Approximate", False))
    return Gelu(**node.common(*present(node, 1, 1)), approximate=approximate)


def _only_float(node: Node) -> Op:
    """Operators that TensorFlow Lite computes in float32 alone: no converter gives them in int8."""
    raise Reject("TensorFlow Lite has no quantized form of it, and tinyc computes in integers")


DECODERS: dict[str, Decoder] = {
    "ABS": plain(Abs),
    "ELU": plain(Elu),
    "EXP": plain(Exp),
    "GELU": _gelu,
    "LOG": plain(Log),
    "NEG": plain(Neg),
    "RELU_0_TO_1": plain(Relu0To1),
    "RELU_N1_TO_1": plain(ReluN1To1),
    "SQRT": plain(Sqrt),
    **dict.fromkeys(("CEIL", "COS", "FLOOR", "ROUND", "SIN", "SQUARE"), _only_float),
}
