"""Convolutions: shape rules, geometry, error messages, and the facts their kernels rely on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from strategies import conv_2d, depthwise_conv_2d
from strategies.common import constant, random_inputs, single_op_graph
from tinyc.interpreter import run
from tinyc.ir.graph import Graph, GraphError
from tinyc.ir.ops import Activation, Conv2D, DepthwiseConv2D, FullyConnected, Padding
from tinyc.ir.ops.convolution import LARGEST_REACH, Pads, exact_matmul
from tinyc.ir.tensor import Array, DType, Quantization, Tensor
from tinyc.kernels.catalogue import candidates
from tinyc.quantize.fixed_point import Rounding

pytestmark = pytest.mark.unit


def tensor(name: str, *shape: int, dtype: DType = DType.FLOAT32, scale: float = 0.5) -> Tensor:
    quantization = None if dtype is DType.FLOAT32 else Quantization((scale,), (0,))
    return Tensor(name, shape, dtype, quantization)


def conv(**fields: object) -> Conv2D:
    return Conv2D(name="c", inputs=("x", "w"), outputs=("y",)).with_(**fields)


def depthwise(**fields: object) -> DepthwiseConv2D:
    return DepthwiseConv2D(name="d", inputs=("x", "w"), outputs=("y",)).with_(**fields)


@pytest.mark.parametrize(
    ("extent", "kernel", "stride", "dilation", "padding", "expected", "pads"),
    [
        # DS-CNN's first layer, a stride on an even extent, and a kernel wider than the input.
        ((49, 10), (10, 4), (2, 2), (1, 1), Padding.SAME, (25, 5), (4, 5, 1, 1)),
        ((96, 96), (3, 3), (2, 2), (1, 1), Padding.SAME, (48, 48), (0, 1, 0, 1)),
        ((1, 2), (5, 5), (1, 1), (1, 1), Padding.SAME, (1, 2), (2, 2, 2, 2)),
        ((7, 7), (3, 3), (2, 3), (1, 1), Padding.VALID, (3, 2), (0, 0, 0, 0)),
        ((7, 7), (3, 2), (1, 1), (3, 2), Padding.VALID, (1, 5), (0, 0, 0, 0)),
        ((7, 7), (3, 3), (1, 1), (2, 2), Padding.SAME, (7, 7), (2, 2, 2, 2)),
        ((1, 1), (1, 1), (3, 3), (1, 1), Padding.SAME, (1, 1), (0, 0, 0, 0)),
    ],
)
def test_window_geometry(
    extent: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
    expected: tuple[int, int],
    pads: Pads,
) -> None:
    operands = [tensor("x", 2, *extent, 4), tensor("w", 6, *kernel, 4)]
    op = conv(stride=stride, dilation=dilation, padding=padding)
    assert op.output_shapes(operands) == ((2, *expected, 6),)
    assert op.window(operands).pads == pads
    assert (
        op.macs(operands, [tensor("y", 2, *expected, 6)]) == 2 * np.prod(expected) * 6 * np.prod(kernel) * 4
    )


def test_a_window_that_reaches_too_far_is_refused() -> None:
    operands = [tensor("x", 1, 5, 5, 4), tensor("w", 6, 2, 3, 4)]
    far = conv(dilation=(LARGEST_REACH - 1, 1), padding=Padding.SAME)
    assert far.output_shapes(operands) == ((1, 5, 5, 6),)
    with pytest.raises(
        ValueError, match=f"a window over 2x65539 positions, at most {LARGEST_REACH} each way"
    ):
        conv(dilation=(1, 32769), padding=Padding.SAME).output_shapes(operands)


def test_explicit_pads_count_on_each_side() -> None:
    operands = [tensor("x", 1, 4, 5, 1), tensor("w", 1, 3, 3, 1)]
    op = conv(padding=Padding.EXPLICIT, pads=(1, 0, 2, 3))
    assert op.output_shapes(operands) == ((1, 3, 8, 1),)


@pytest.mark.parametrize(
    ("op", "x", "w", "message"),
    [
        (conv(), (3, 3, 2), (1, 1, 1, 2), r"input needs shape \[batch, height, width, channels\]"),
        (conv(), (1, 3, 3, 2), (1, 1, 2), r"filters need shape"),
        (conv(), (1, 3, 3, 2), (1, 0, 1, 2), r"filters need shape"),
        (conv(), (1, 3, 3, 5), (2, 1, 1, 2), r"5 input channels are not a multiple of 2"),
        (conv(), (1, 3, 3, 4), (3, 1, 1, 2), r"3 filters cannot be split into 2 groups"),
        (conv(), (1, 3, 3, 2), (1, 4, 1, 2), r"4x1 kernel .* does not fit into 3x3"),
        (conv(dilation=(1, 2)), (1, 3, 3, 2), (1, 1, 3, 2), r"dilation 1x2 does not fit"),
        (conv(stride=(0, 1)), (1, 3, 3, 2), (1, 1, 1, 2), r"stride needs to be positive"),
        (conv(dilation=(1, -1)), (1, 3, 3, 2), (1, 1, 1, 2), r"dilation needs to be positive"),
        (conv(pads=(1, 0, 0, 0)), (1, 3, 3, 2), (1, 1, 1, 2), r"need EXPLICIT padding, not VALID"),
        (
            conv(padding=Padding.EXPLICIT, pads=(0, -1, 0, 0)),
            (1, 3, 3, 2),
            (1, 1, 1, 2),
            r"pads cannot be negative",
        ),
        (depthwise(), (1, 3, 3, 2), (2, 1, 1, 2), r"filters need shape \[1, height, width, channels\]"),
        (depthwise(), (1, 3, 3, 2), (1, 1, 1, 3), r"3 filters are not a multiple of 2 input channels"),
    ],
)
def test_a_bad_operand_is_named(
    op: Conv2D | DepthwiseConv2D, x: tuple[int, ...], w: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        op.output_shapes([tensor("x", *x), tensor("w", *w)])


def test_a_bias_of_another_length_is_refused() -> None:
    operands = [tensor("x", 1, 3, 3, 2), tensor("w", 5, 1, 1, 2), tensor("b", 4)]
    with pytest.raises(ValueError, match="bias has 4 elements for 5 output channels"):
        conv().output_shapes(operands)
    with pytest.raises(ValueError, match="bias has 3 elements for 5 units"):
        FullyConnected(name="f", inputs=(), outputs=()).output_shapes(
            [tensor("x", 1, 2), tensor("w", 5, 2), tensor("b", 3)]
        )


def test_the_graph_check_uses_the_shape_rule() -> None:
    x, w, y = (
        tensor("x", 1, 5, 5, 1),
        constant("w", np.ones((1, 3, 3, 1), np.float32)),
        tensor("y", 1, 5, 5, 1),
    )
    with pytest.raises(GraphError, match=r"its rule gives \(\(1, 3, 3, 1\),\)"):
        single_op_graph(conv(), [x, w, y])


def naive(op: Conv2D | DepthwiseConv2D, x: Array, w: Array, output: tuple[int, ...]) -> Array:
    """The definition, one product at a time; EXPLICIT padding only, x and w are integers."""
    y = np.zeros(output, np.int64)
    for n, row, column, channel in np.ndindex(*output):
        kernel = w.shape[1:3]
        for ky, kx in itertools.product(range(kernel[0]), range(kernel[1])):
            iy = row * op.stride[0] - op.pads[0] + ky * op.dilation[0]
            ix = column * op.stride[1] - op.pads[2] + kx * op.dilation[1]
            if not (0 <= iy < x.shape[1] and 0 <= ix < x.shape[2]):
                continue
            if isinstance(op, Conv2D):
                depth = w.shape[3]
                first = channel // (w.shape[0] // (x.shape[3] // depth)) * depth
                y[n, row, column, channel] += int(x[n, iy, ix, first : first + depth] @ w[channel, ky, kx])
            else:
                source = channel // (w.shape[3] // x.shape[3])
                y[n, row, column, channel] += int(x[n, iy, ix, source] * w[0, ky, kx, channel])
    return y


@pytest.mark.parametrize("dtype", [DType.FLOAT32, DType.INT16, DType.INT8])
@pytest.mark.parametrize("kind", [Conv2D, DepthwiseConv2D])
def test_the_reference_is_the_definition(kind: type[Conv2D | DepthwiseConv2D], dtype: DType) -> None:
    """Small integers, and scales whose product is the output scale: no rounding anywhere."""
    rng = np.random.default_rng(7)
    for groups in (1, 2, 3):
        op = kind(
            name="l",
            inputs=("x", "w"),
            outputs=("y",),
            stride=(2, 1),
            dilation=(1, 2),
            padding=Padding.EXPLICIT,
            pads=(2, 0, 1, 3),
        )
        values = rng.integers(-4, 5, (2, 5, 4, 2 * groups))
        weights = rng.integers(-1, 2, (3 * groups, 3, 2, 2) if kind is Conv2D else (1, 3, 2, 4 * groups))
        x = tensor("x", *values.shape, dtype=dtype)
        w = tensor("w", *weights.shape, dtype=DType.FLOAT32 if dtype is DType.FLOAT32 else DType.INT8)
        (shape,) = op.output_shapes([x, w])
        y = tensor("y", *shape, dtype=dtype, scale=0.25)
        arrays = [values.astype(dtype.numpy), weights.astype(w.dtype.numpy)]
        (actual,) = op.reference(arrays, [x, w], [y], Rounding.DOUBLE)
        assert actual.dtype == dtype.numpy
        assert np.array_equal(actual, naive(op, values, weights, shape))


@pytest.mark.parametrize("strategy", [conv_2d.random_graph, depthwise_conv_2d.random_graph])
def test_padding_holds_the_zero_point(strategy: object) -> None:
    """EXPLICIT padding equals padding the input with its zero point first."""
    rng = np.random.default_rng(11)
    seen = 0
    while seen < 12:
        graph: Graph = strategy(rng)  # type: ignore[operator]
        op = graph.ops[0]
        if op.padding is not Padding.EXPLICIT:
            continue
        seen += 1
        (data,) = random_inputs(rng, graph)
        x = graph["x"]
        top, bottom, left, right = op.pads
        padded = np.pad(data, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=x.zero_point)
        tensors = [{**graph.tensors, "x": x.with_(shape=padded.shape)}[name] for name in graph.tensors]
        other = single_op_graph(op.with_(padding=Padding.VALID, pads=(0, 0, 0, 0)), tensors)
        assert np.array_equal(run(graph, [data])[0], run(other, [padded])[0])


def test_a_fused_activation_clamps_in_quantized_units() -> None:
    x, w = tensor("x", 1, 1, 1, 1, dtype=DType.INT8), tensor("w", 1, 1, 1, 1, dtype=DType.INT8)
    y = Tensor("y", (1, 1, 1, 1), DType.INT8, Quantization((0.25,), (-10,)))
    answers = {}
    for activation in Activation:
        op = conv(activation=activation)
        values = [np.full((1, 1, 1, 1), v, np.int8) for v in (-100, 100)]
        one = np.ones((1, 1, 1, 1), np.int8)
        answers[activation] = [
            int(op.reference([v, one], [x, w], [y], Rounding.DOUBLE)[0][0, 0, 0, 0]) for v in values
        ]
    assert answers == {
        Activation.NONE: [-110, 90],
        Activation.RELU: [-10, 90],
        Activation.RELU6: [-10, 14],
        Activation.RELU_N1_TO_1: [-14, -6],
    }


def test_products_are_exact_beyond_the_range_of_doubles() -> None:
    a = np.array([[2**40 + 1, 2**40 - 1]], np.int64)
    b = np.array([[2**20 + 1], [-(2**20)]], np.int64)
    expected = (2**40 + 1) * (2**20 + 1) - (2**40 - 1) * 2**20
    assert exact_matmul(a, b)[0, 0] == expected
    small = np.array([[-128, 127]], np.int8), np.array([[-128], [127]], np.int8)
    assert exact_matmul(*small)[0, 0] == 128 * 128 + 127 * 127


def layer(bias: int = 0, *, scale: float = 1.0, weights_zero_point: int = 0, units: int = 4) -> Graph:
    """A 1x1 convolution of 4 channels whose multiplier is `scale` / 8."""
    weights = np.full((units, 1, 1, 4), 127, np.int8)
    tensors = [
        Tensor("x", (1, 2, 2, 4), DType.INT8, Quantization((0.5,), (-128,))),
        constant("w", weights, Quantization((0.25 * scale,), (weights_zero_point,))),
        constant("b", np.full(units, bias, np.int32)),
        Tensor("y", (1, 2, 2, units), DType.INT8, Quantization((1.0,), (0,))),
    ]
    return single_op_graph(Conv2D(name="c", inputs=("x", "w", "b"), outputs=("y",)), tensors)


def isas(graph: Graph) -> list[str]:
    return [kernel.isa for kernel in candidates(graph.ops[0], graph)]


def test_the_fast_requantization_is_taken_only_where_it_is_exact() -> None:
    def takes(graph: Graph, symbol: str = "tinyc_conv_2d_s8__cortex_m4") -> bool:
        return any(kernel.symbol == symbol for kernel in candidates(graph.ops[0], graph))

    reach = 4 * 127 * 255
    assert takes(layer()) and takes(layer(), "tinyc_conv_2d_s8__scalar")
    assert takes(layer(2**30 - reach - 1)) and not takes(layer(2**30 - reach))
    assert takes(layer(-(2**30) + 1)) and not takes(layer(-(2**30)))
    # A multiplier just below a half, then a half.
    assert takes(layer(scale=3.9999)) and not takes(layer(scale=4.0))
    assert isas(layer(scale=4.0)) == ["portable"]


def test_asymmetric_weights_have_no_kernel() -> None:
    assert isas(layer(weights_zero_point=1)) == []


def test_scales_beyond_fixed_point_have_no_kernel() -> None:
    assert isas(layer(scale=2.0**32)) == ["portable"]
    assert isas(layer(scale=2.0**33)) == []
