"""Shape rules and error messages of the arithmetic, pooling and activation operators."""

from __future__ import annotations

import numpy as np
import pytest

from tinyc.ir.ops import (
    OPS,
    Add,
    AveragePool2D,
    Dequantize,
    HardSwish,
    LeakyRelu,
    MaxPool2D,
    Mean,
    Padding,
    Quantize,
    Relu,
    Softmax,
)
from tinyc.ir.ops.base import Op
from tinyc.ir.ops.convolution import Pads
from tinyc.ir.ops.elementwise import Binary, broadcast_shape, sum_scaling
from tinyc.ir.ops.mean import mean_multiplier
from tinyc.ir.ops.quantize import quantize_real
from tinyc.ir.ops.softmax import LARGEST_DEPTH, exponential_table
from tinyc.ir.tensor import DType, Quantization, Shape, Tensor
from tinyc.kernels.broadcast import walk
from tinyc.kernels.portable_elementwise import _mean_extents
from tinyc.quantize.fixed_point import Rounding
from tinyc.quantize.fixed_point_functions import exp_of_negative, reciprocal

pytestmark = pytest.mark.unit


def tensor(
    name: str, *shape: int, dtype: DType = DType.INT8, scale: float = 0.1, zero_point: int = 0
) -> Tensor:
    quantization = None if dtype is DType.FLOAT32 else Quantization((scale,), (zero_point,))
    return Tensor(name, shape, dtype, quantization)


def evaluate(op: Op, x: Tensor, y: Tensor, data: np.ndarray) -> np.ndarray:
    (result,) = op.reference([data], [x], [y], Rounding.DOUBLE)
    return result


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ((2, 3), (2, 3), (2, 3)),
        ((2, 3), (3,), (2, 3)),
        ((2, 1), (1, 3), (2, 3)),
        ((), (4,), (4,)),
        ((1, 1, 1, 5), (7, 1), (1, 1, 7, 5)),
    ],
)
def test_operands_broadcast(left: Shape, right: Shape, expected: Shape) -> None:
    assert broadcast_shape(left, right) == expected == broadcast_shape(right, left)


@pytest.mark.parametrize("kind", [kind for kind, op in OPS.items() if issubclass(op, Binary)])
def test_a_binary_op_says_what_does_not_fit(kind: str) -> None:
    op = OPS[kind](name="layer", inputs=("a", "b"), outputs=("y",))
    with pytest.raises(ValueError, match=r"shapes \[2, 3\] and \[2, 4\] do not broadcast"):
        op.output_shapes([tensor("a", 2, 3), tensor("b", 2, 4)])
    with pytest.raises(ValueError, match="one type, got int8 and int16"):
        op.output_shapes([tensor("a", 2), tensor("b", 2, dtype=DType.INT16)])
    with pytest.raises(ValueError, match="needs 2 inputs, got 1"):
        op.output_shapes([tensor("a", 2)])


def test_a_sum_with_too_fine_an_output_scale_is_refused() -> None:
    fine = tensor("y", 2, scale=1e-9)
    with pytest.raises(ValueError, match="output scale 1e-09 is too fine"):
        sum_scaling(tensor("a", 2), tensor("b", 2), fine)


@pytest.mark.parametrize("op", [AveragePool2D, MaxPool2D])
def test_pools_have_tensorflows_output_sizes(op: type[AveragePool2D] | type[MaxPool2D]) -> None:
    def shape(padding: Padding, window: int, stride: int, pads: Pads = (0, 0, 0, 0)) -> Shape:
        layer = op(
            name="layer",
            inputs=("x",),
            outputs=("y",),
            filter_height=window,
            filter_width=window,
            stride_height=stride,
            stride_width=stride,
            padding=padding,
            pads=pads,
        )
        return layer.output_shapes([tensor("x", 2, 7, 10, 3)])[0]

    assert shape(Padding.VALID, 3, 2) == (2, 3, 4, 3)
    assert shape(Padding.SAME, 3, 2) == (2, 4, 5, 3)
    assert shape(Padding.SAME, 9, 1) == (2, 7, 10, 3)
    with pytest.raises(ValueError, match="filter 8x8 is larger than the input 7x10"):
        shape(Padding.VALID, 8, 1)
    with pytest.raises(ValueError, match="have to be positive"):
        shape(Padding.VALID, 3, 0)
    assert shape(Padding.EXPLICIT, 3, 2, (1, 1, 0, 1)) == (2, 4, 5, 3)
    with pytest.raises(ValueError, match=r"pads \[1, 0, 0, 0\] with SAME padding"):
        shape(Padding.SAME, 3, 1, (1, 0, 0, 0))
    with pytest.raises(ValueError, match="as wide as the filter"):
        shape(Padding.EXPLICIT, 3, 1, (0, 3, 0, 0))


def test_a_pool_needs_an_image() -> None:
    op = MaxPool2D(name="layer", inputs=("x",), outputs=("y",), filter_height=1, filter_width=1)
    with pytest.raises(ValueError, match=r"rank 4, got shape \[3, 3\]"):
        op.output_shapes([tensor("x", 3, 3)])


def test_average_pool_rounds_ties_away_from_zero() -> None:
    op = AveragePool2D(name="layer", inputs=("x",), outputs=("y",), filter_height=1, filter_width=2)
    x, y = tensor("x", 1, 1, 2, 3), tensor("y", 1, 1, 1, 3)
    data = np.array([[[[3, -3, 1], [4, -4, -1]]]], np.int8)
    assert evaluate(op, x, y, data).tolist() == [[[[4, -4, 0]]]]


@pytest.mark.parametrize(
    ("dtype", "zero_point", "most"),
    [(DType.INT16, 0, 65_534), (DType.INT8, 0, (2**31 - 1) // 129), (DType.INT8, -128, (2**31 - 1) // 257)],
)
def test_sums_stay_within_32_bits(dtype: DType, zero_point: int, most: int) -> None:
    mean = Mean(name="layer", inputs=("x",), outputs=("y",), axes=(1, 2))
    pool = AveragePool2D(
        name="layer",
        inputs=("x",),
        outputs=("y",),
        filter_height=3,
        filter_width=2**31 - 1,
        padding=Padding.SAME,
    )
    for op in (mean, pool):
        op.output_shapes([tensor("x", 1, 1, most, 1, dtype=dtype, zero_point=zero_point)])
        with pytest.raises(ValueError, match=f"a mean of {most + 1} elements, at most {most} in 32 bits"):
            op.output_shapes([tensor("x", 1, 1, most + 1, 1, dtype=dtype, zero_point=zero_point)])
        op.output_shapes([tensor("x", 1, 1, most + 1, 1, dtype=DType.FLOAT32)])


def test_softmax_shape_and_limits() -> None:
    op = Softmax(name="layer", inputs=("x",), outputs=("y",))
    assert op.output_shapes([tensor("x", 2, 5)]) == ((2, 5),)
    with pytest.raises(ValueError, match="at least one axis"):
        op.output_shapes([tensor("x")])
    with pytest.raises(ValueError, match=f"at most {LARGEST_DEPTH}"):
        op.output_shapes([tensor("x", LARGEST_DEPTH + 1)])
    with pytest.raises(ValueError, match="too small for softmax"):
        exponential_table(1e-9, 1.0)


def test_the_exponential_table_is_exponential() -> None:
    table = exponential_table(0.05, 2.0)
    exact = np.exp(-0.1 * np.arange(len(table))) * 2**31
    assert np.abs(table - exact).max() < 2**31 * 1e-6
    # exp(-13.9) is half a unit of the sum: 138.6 steps of 0.1, 3.5 steps of 4.
    assert len(table) == 139
    assert len(exponential_table(4.0, 1.0)) == 4
    assert len(exponential_table(0.01, 1.0)) == 256


def test_fixed_point_functions_are_close_to_the_real_ones() -> None:
    x = -np.linspace(0, 31, 1000)
    raw = np.round(x * 2**26).astype(np.int64)
    assert np.abs(exp_of_negative(raw, 5) / 2**31 - np.exp(raw / 2**26)).max() < 1e-6
    sums = np.linspace(2**19, 2**30, 1000).astype(np.int64)
    mantissa, exponent = reciprocal(sums, 12)
    # mantissa has 0 integer bits, sums have 12.
    assert np.abs(mantissa / 2**31 / 2.0**exponent * (sums / 2**19) - 1).max() < 1e-7


@pytest.mark.parametrize(
    ("axes", "keep_dims", "expected"),
    [
        ((1, 2), False, (2, 5)),
        ((1, 2), True, (2, 1, 1, 5)),
        ((-1,), False, (2, 3, 4)),
        ((0, -4), True, (1, 3, 4, 5)),
        ((), False, (2, 3, 4, 5)),
        ((0, 1, 2, 3), False, ()),
    ],
)
def test_mean_removes_or_keeps_axes(axes: tuple[int, ...], keep_dims: bool, expected: Shape) -> None:
    op = Mean(name="layer", inputs=("x",), outputs=("y",), axes=axes, keep_dims=keep_dims)
    assert op.output_shapes([tensor("x", 2, 3, 4, 5)]) == (expected,)


def test_mean_refuses_an_axis_that_does_not_exist() -> None:
    op = Mean(name="layer", inputs=("x",), outputs=("y",), axes=(2,))
    with pytest.raises(ValueError, match="axis 2 does not exist in an input of rank 2"):
        op.output_shapes([tensor("x", 3, 3)])


def test_a_mean_multiplier_is_the_ratio_over_the_count() -> None:
    x, y = tensor("x", 7, scale=0.5), tensor("y", 1, scale=0.25)
    multiplier, shift = mean_multiplier(x, y, 7)
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(2 / 7, rel=1e-8)
    # A scale ratio that is nearly nothing leaves no room for the shift.
    tiny, coarse = tensor("x", 7, scale=1e-9), tensor("y", 1, scale=1.0)
    assert mean_multiplier(tiny, coarse, 1024)[1] >= -31


@pytest.mark.parametrize(
    ("shape", "reduced", "expected"),
    [
        ((2, 3, 4, 5), (1, 2), (1, 1, 2, 12, 5)),
        ((2, 3, 4, 5), (0, 2), (1, 2, 3, 4, 5)),
        ((2, 3, 4, 5), (1, 3), (2, 3, 4, 5, 1)),
        ((6,), (0,), (1, 1, 1, 6, 1)),
        ((1, 3, 1, 5), (0, 2), (1, 1, 1, 1, 15)),
        ((2, 3, 4, 5, 6, 7), (0, 2, 4), None),
    ],
)
def test_a_mean_becomes_five_loops(
    shape: Shape, reduced: tuple[int, ...], expected: tuple[int, ...] | None
) -> None:
    extents = _mean_extents(shape, reduced)
    if expected is None or extents is None:
        assert extents is expected
        return
    op = Mean(name="layer", inputs=("x",), outputs=("y",), axes=reduced)
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    x, y = tensor("x", *shape, dtype=DType.FLOAT32), tensor("y", dtype=DType.FLOAT32)
    y = y.with_(shape=op.output_shapes([x])[0])
    grouped = data.reshape(extents).mean(axis=(1, 3)).reshape(y.shape)
    np.testing.assert_allclose(evaluate(op, x, y, data), grouped, rtol=1e-4, atol=1e-6)
    assert extents[1] * extents[3] == expected[1] * expected[3]


@pytest.mark.parametrize(
    ("left", "right", "loops"),
    [
        ((2, 3, 4, 5), (2, 3, 4, 5), 1),
        ((2, 3, 4, 5), (5,), 2),
        ((2, 3, 4, 5), (1,), 1),
        ((2, 1, 4, 1), (1, 3, 1, 5), 4),
        ((1, 1), (1,), 0),
    ],
)
def test_alike_axes_become_one_loop(left: Shape, right: Shape, loops: int) -> None:
    plan = walk(left, right)
    assert plan is not None
    assert sum(extent > 1 for extent in plan.extents) == loops
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 99, left), rng.integers(0, 99, right)
    total = [
        a.flat[int(np.dot(index, plan.left_strides))] + b.flat[int(np.dot(index, plan.right_strides))]
        for index in np.ndindex(plan.extents)
    ]
    assert total == (a + b).reshape(-1).tolist()


def test_five_unlike_axes_have_no_walk() -> None:
    assert walk((2, 1, 2, 1, 2), (1, 2, 1, 2, 1)) is None


def test_quantize_rounds_half_away_and_clamps_everything() -> None:
    real = np.array([0.25, -0.25, 0.24, np.inf, -np.inf, np.nan, 1e30, -1e30, 63.4, -0.0], np.float32)
    quantized = quantize_real(real, 0.5, 3, -128, 127)
    assert quantized.tolist() == [4, 2, 3, 127, -128, -128, 127, -128, 127, 3]


def test_dequantize_undoes_quantize() -> None:
    codes = np.arange(-128, 128, dtype=np.int8)
    x, real = tensor("x", 256, scale=0.037, zero_point=-5), tensor("r", 256, dtype=DType.FLOAT32)
    values = evaluate(Dequantize(name="d", inputs=("x",), outputs=("r",)), x, real, codes)
    assert values.dtype == np.float32
    back = evaluate(Quantize(name="q", inputs=("r",), outputs=("x",)), real, x, values)
    assert np.array_equal(back, codes)


def test_unary_ops_take_one_input() -> None:
    for op in (
        Relu(name="layer", inputs=("x",), outputs=("y",)),
        LeakyRelu(name="layer", inputs=("x",), outputs=("y",), alpha=0.1),
        Softmax(name="layer", inputs=("x",), outputs=("y",)),
        Quantize(name="layer", inputs=("x",), outputs=("y",)),
        Dequantize(name="layer", inputs=("x",), outputs=("y",)),
        Mean(name="layer", inputs=("x",), outputs=("y",), axes=(0,)),
    ):
        with pytest.raises(ValueError, match="needs 1 input, got 2"):
            op.output_shapes([tensor("a", 2), tensor("b", 2)])


def test_hard_swish_refuses_too_fine_an_output_scale() -> None:
    op = HardSwish(name="layer", inputs=("x",), outputs=("y",))
    with pytest.raises(ValueError, match=r"output scale 0\.001 is too fine for an input of scale 1"):
        evaluate(op, tensor("x", 1, scale=1.0), tensor("y", 1, scale=0.001), np.zeros(1, np.int8))


def test_float_references_are_the_functions() -> None:
    x = np.linspace(-8, 8, 101, dtype=np.float32)
    t = tensor("x", 101, dtype=DType.FLOAT32)
    exact = {
        "RELU": np.maximum(x, 0),
        "RELU6": np.clip(x, 0, 6),
        "HARD_SWISH": x * np.clip(x + 3, 0, 6) / 6,
        "LOGISTIC": 1 / (1 + np.exp(-x.astype(np.float64))),
        "TANH": np.tanh(x.astype(np.float64)),
        "LEAKY_RELU": np.where(x > 0, x, 0.1 * x),
        "SOFTMAX": np.exp(x.astype(np.float64)) / np.exp(x.astype(np.float64)).sum(),
    }
    for kind, expected in exact.items():
        fields = {"alpha": 0.1} if kind == "LEAKY_RELU" else {}
        op = OPS[kind](name="layer", inputs=("x",), outputs=("y",), **fields)
        y = evaluate(op, t, t, x)
        assert y.dtype == np.float32, kind
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6, err_msg=kind)


def test_a_repeated_operand_adds_to_itself() -> None:
    x = tensor("x", 3, scale=0.5)
    op = Add(name="layer", inputs=("x", "x"), outputs=("y",))
    data = np.array([10, -20, 127], np.int8)
    (y,) = op.reference([data, data], [x, x], [tensor("y", 3, scale=1.0)], Rounding.DOUBLE)
    assert y.tolist() == [10, -20, 127]
