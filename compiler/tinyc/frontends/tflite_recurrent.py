"""Decoders of the layers with variable tensors: SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM."""

from __future__ import annotations

from tinyc.frontends.tflite_node import Decoder, Node, Reject, finite, present
from tinyc.ir.ops import Op, Svdf, UnidirectionalSequenceLstm

_TANH = 4


def _svdf(node: Node) -> Op:
    kind = "SVDFOptions"
    return Svdf(
        **node.common(*present(node, 5, 5)),
        rank=int(node.option(kind, "Rank", 0)),
        activation=node.activation(kind),
    )


def _lstm(node: Node) -> Op:
    kind = "UnidirectionalSequenceLSTMOptions"
    if len(node.inputs) != 24:
        raise Reject(f"has {len(node.inputs)} inputs", "24")
    variants = {
        "peepholes": range(9, 12),
        "a projection": range(16, 18),
        "layer normalization": range(20, 24),
    }
    for name, positions in variants.items():
        if any(node.inputs[position] is not None for position in positions):
            raise Reject(f"has {name}", "a plain LSTM")
    if node.option(kind, "FusedActivationFunction", 0) != _TANH:
        raise Reject("the activation is not TANH", "TANH")
    places = (0, *range(1, 9), *range(12, 16), 18, 19)
    return UnidirectionalSequenceLstm(
        **node.common(*(node.operand(place) for place in places)),
        time_major=bool(node.option(kind, "TimeMajor", False)),
        cell_clip=finite(node.option(kind, "CellClip", 0.0), "cell clip"),
    )


DECODERS: dict[str, Decoder] = {
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
