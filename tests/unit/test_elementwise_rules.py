"""What the operators on elements refuse, by name and with what they would take."""

from __future__ import annotations

import numpy as np
import pytest

from support.tflite_writer import Layer, write_layers
from tinyc import passes
from tinyc.errors import TinycError
from tinyc.frontends.tflite import load_bytes
from tinyc.ir.tensor import DType, Quantization, Tensor

pytestmark = pytest.mark.unit

SHAPE = (1, 4)


def int8(name: str, scale: float = 0.5, zero_point: int = 0) -> Tensor:
    return Tensor(name, SHAPE, DType.INT8, Quantization((scale,), (zero_point,)))


def int16(name: str, scale: float = 0.5) -> Tensor:
    return Tensor(name, SHAPE, DType.INT16, Quantization((scale,), (0,)))


def plain(name: str, dtype: DType) -> Tensor:
    return Tensor(name, SHAPE, dtype)


def wide(name: str, zero_point: int, scale: float = 0.5) -> Tensor:
    return Tensor(name, SHAPE, DType.INT32, Quantization((scale,), (zero_point,)))


INT32_WITH_SCALE = [wide(name, 0) for name in "aby"]


@pytest.mark.parametrize(
    ("kind", "tensors", "reason"),
    [
        ("MAXIMUM", [int8("a"), int8("b", 0.25), int8("y")], "different scales or zero points"),
        ("SELECT_V2", [plain("c", DType.BOOL), int8("a"), int8("b"), int8("y", 0.25)], "different scales"),
        ("SELECT_V2", [int8("c"), int8("a"), int8("b"), int8("y")], "condition is int8, not bool"),
        ("NEG", [int8("x", 0.5, 3), int8("y", 0.5, 3)], "NEG of zero point 3"),
        ("NEG", [int8("x"), int8("y", 0.25)], "NEG keeps the scale"),
        ("ADD_N", [int8("a", 0.5, 7), int8("b", 0.5, 7), int8("y")], "sums of zero point 7"),
        ("ADD_N", [int8("a"), int8("b", 0.25), int8("y")], "different scales or zero points"),
        ("EQUAL", [int8("a", 2.0**15), int8("b"), plain("y", DType.BOOL)], "too large to compare"),
        (
            "LESS",
            [plain("a", DType.BOOL), plain("b", DType.BOOL), plain("y", DType.BOOL)],
            "computes in bool",
        ),
        ("GREATER", [int8("a"), int8("b"), int8("y")], "works on int8"),
        ("LOGICAL_AND", [plain(name, DType.INT32) for name in "aby"], "works on int32"),
        ("ADD", INT32_WITH_SCALE, "int32 with a scale"),
        ("DIV", [int8("a", 1.0), int8("b", 2.0**-12), int8("y", 2.0**-12)], "too fine for a quotient"),
        ("QUANTIZE", [int8("x"), wide("y", 3)], "int32 with zero point 3"),
        ("QUANTIZE", [wide("x", 0), wide("y", 0, 0.25)], "works on int32"),
        ("CEIL", [int8("x"), int8("y")], "no quantized form"),
        ("EXP", [int16("x", 2.0**-8), int16("y")], "no finite result"),
        ("RSQRT", [int16("x", 2.0**-40), int16("y", 2.0**-20)], "too fine"),
        ("WHILE", [int8("x"), int8("y")], "how often"),
    ],
)
def test_a_layer_is_refused_with_its_reason(kind: str, tensors: list[Tensor], reason: str) -> None:
    names = [tensor.name for tensor in tensors]
    layer = Layer(kind, tuple(names[:-1]), (names[-1],))
    data = write_layers([layer], tensors, names[:-1], names[-1:])
    with pytest.raises(TinycError) as caught:
        passes.legalize(passes.run(load_bytes(data, "single")))
    (problem,) = caught.value.problems
    assert problem.where.startswith(f"#0 {kind} ")
    assert reason in problem.what


def test_slopes_have_to_broadcast_to_the_input() -> None:
    x = Tensor("x", (1, 1), DType.INT8, Quantization((0.5,), (0,)))
    alpha = int8("alpha").with_(data=np.ones(SHAPE, np.int8))
    data = write_layers([Layer("PRELU", ("x", "alpha"), ("y",))], [x, alpha, int8("y")], ("x",), ("y",))
    with pytest.raises(TinycError, match=r"slopes of shape \[1, 4\] do not broadcast to \[1, 1\]"):
        passes.legalize(passes.run(load_bytes(data, "slopes")))
