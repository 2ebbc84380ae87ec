"""Decoders of the operators that work element by element."""

from __future__ import annotations

from tinyc.frontends.tflite_node import Decoder, Node, Reject, binary, plain, present
from tinyc.ir.ops import (
    Abs,
    AddN,
    Ceil,
    Cos,
    Div,
    Elu,
    Equal,
    Exp,
    Floor,
    FloorDiv,
    FloorMod,
    Gelu,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Log,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    Maximum,
    Minimum,
    Neg,
    NotEqual,
    Op,
    Prelu,
    Relu0To1,
    ReluN1To1,
    Round,
    SelectV2,
    Sin,
    Sqrt,
    Square,
    SquaredDifference,
)


def _gelu(node: Node) -> Op:
    approximate = bool(node.option("GeluOptions", "Approximate", False))
    return Gelu(**node.common(*present(node, 1, 1)), approximate=approximate)


def _add_n(node: Node) -> Op:
    return AddN(**node.common(*present(node, 2, 1024)))


def _select(node: Node) -> Op:
    """The older form, which repeats nothing but a single condition."""
    condition, *values = present(node, 3, 3)
    if condition.shape and len({tensor.shape for tensor in (condition, *values)}) > 1:
        raise Reject(f"a condition of shape {list(condition.shape)}", "a single one, or one per element")
    return SelectV2(**node.common(condition, *values))


DECODERS: dict[str, Decoder] = {
    "ABS": plain(Abs),
    "ADD_N": _add_n,
    "CEIL": plain(Ceil),
    "COS": plain(Cos),
    "DIV": binary(Div, "DivOptions"),
    "ELU": plain(Elu),
    "EQUAL": plain(Equal, 2),
    "EXP": plain(Exp),
    "FLOOR": plain(Floor),
    "FLOOR_DIV": plain(FloorDiv, 2),
    "FLOOR_MOD": plain(FloorMod, 2),
    "GELU": _gelu,
    "GREATER": plain(Greater, 2),
    "GREATER_EQUAL": plain(GreaterEqual, 2),
    "LESS": plain(Less, 2),
    "LESS_EQUAL": plain(LessEqual, 2),
    "LOG": plain(Log),
    "LOGICAL_AND": plain(LogicalAnd, 2),
    "LOGICAL_NOT": plain(LogicalNot),
    "LOGICAL_OR": plain(LogicalOr, 2),
    "MAXIMUM": plain(Maximum, 2),
    "MINIMUM": plain(Minimum, 2),
    "NEG": plain(Neg),
    "NOT_EQUAL": plain(NotEqual, 2),
    "PRELU": plain(Prelu, 2),
    "RELU_0_TO_1": plain(Relu0To1),
    "RELU_N1_TO_1": plain(ReluN1To1),
    "ROUND": plain(Round),
    "SELECT": _select,
    "SELECT_V2": plain(SelectV2, 3),
    "SIN": plain(Sin),
    "SQRT": plain(Sqrt),
    "SQUARE": plain(Square),
    "SQUARED_DIFFERENCE": plain(SquaredDifference, 2),
}
