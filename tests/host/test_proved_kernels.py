"""Kernels that are proved at compile time, on all the inputs that the proof is about."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.common import single_op_graph
from support.exhaustive import (
    BINARY,
    SUMS,
    all_pairs,
    binary_layer,
    flat_and_steep,
    int8_tensor,
    pool_of_ties,
    softmax_layer,
)
from support.programs import fastest_kernel, program_of
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.ir.graph import Graph
from tinyc.ir.ops import Activation, Add, Mean, Mul, Sub
from tinyc.ir.ops.elementwise import Binary
from tinyc.ir.tensor import Array
from tinyc.toolchain.host import HostBundle

pytestmark = pytest.mark.host

BOARD = load_board("nrf52840")


def kernel_of(graph: Graph) -> str:
    kernel = fastest_kernel(graph, BOARD)
    return kernel.symbol


def assert_c_equals_reference(layers: list[tuple[Graph, tuple[Array, ...]]]) -> None:
    programs = []
    for index, (graph, _) in enumerate(layers):
        kernel = fastest_kernel(graph, BOARD)
        assert kernel.isa == "cortex_m4", graph.ops[0]
        programs.append(program_of(graph, [kernel], f"m{index}"))
    answers = HostBundle(programs).run_all([(index, data) for index, (_, data) in enumerate(layers)])
    for (graph, data), answer in zip(layers, answers, strict=True):
        (expected,) = interpreter.run(graph, data)
        different = np.argwhere(expected != answer[0])
        assert not len(different), f"{graph.ops[0]}: {len(different)} differ, first at {different[0]}"


@pytest.mark.parametrize("activation", [Activation.NONE, Activation.RELU6], ids=lambda a: a.value)
def test_all_pairs_of_inputs(activation: Activation) -> None:
    assert_c_equals_reference(
        [(binary_layer(op, numbers, activation), all_pairs()) for op, numbers in BINARY]
    )


@pytest.mark.parametrize("op", [Add, Sub, Mul], ids=lambda op: op.kind)
def test_rows_of_constants_are_repeated(op: type[Binary]) -> None:
    rng = np.random.default_rng(6)
    layers = []
    for shape, row in (
        ((2, 5, 6, 3), (2, 1, 1, 3)),
        ((4, 6, 3), (3,)),
        ((2, 3, 4, 5), (1, 3, 1, 5)),
        ((31, 5), (1, 5)),
        ((6, 3), (2, 1, 3)),
    ):
        for constant in ("left", "right"):
            tensors = {name: int8_tensor(name, shape, *SUMS[0][0]) for name in ("left", "right")}
            tensors[constant] = int8_tensor(constant, row, *SUMS[0][1])
            data = rng.integers(-128, 128, row).astype(np.int8)
            tensors[constant] = tensors[constant].with_(data=data)
            layer = op(name="layer", inputs=("left", "right"), outputs=("y",))
            (result,) = layer.output_shapes(list(tensors.values()))
            graph = single_op_graph(layer, [*tensors.values(), int8_tensor("y", result, *SUMS[0][2])])
            layers.append((graph, (rng.integers(-128, 128, shape).astype(np.int8),)))
    assert_c_equals_reference(layers)


def test_means_at_and_beside_ties() -> None:
    rng = np.random.default_rng(2)
    layers = []
    for count in (1, 2, 3, 4, 6, 9, 16, 25, 49, 64, 125, 255, 256, 257, 600):
        graph, data = pool_of_ties(count, rng)
        layers.append((graph, (data,)))
    assert kernel_of(layers[-1][0]) == "tinyc_average_pool_2d_s8_wide__cortex_m4"
    assert_c_equals_reference(layers)


def test_means_over_more_than_16_bits_hold() -> None:
    rng = np.random.default_rng(5)
    layers = []
    for shape, axis in (((600, 7), 0), ((3, 257, 4), 1), ((2, 1000), 1)):
        layer = Mean(name="layer", inputs=("x",), outputs=("y",), axes=(axis,))
        x = int8_tensor("x", shape, 0.1, -128)
        graph = single_op_graph(layer, [x, int8_tensor("y", layer.output_shapes([x])[0], 0.2, -100)])
        data = rng.integers(100, 128, shape).astype(np.int8)
        layers += [(graph, (data,)), (graph, (-data,))]
    assert_c_equals_reference(layers)


def test_softmax_of_any_depth() -> None:
    rng = np.random.default_rng(3)
    cases = [(depth, scale) for depth in (1, 3, 4, 5, 511, 512, 600, 4095) for scale in (1e-4, 0.05, 4.0)]
    assert_c_equals_reference(
        [(softmax_layer(depth, scale), (flat_and_steep(depth, rng),)) for depth, scale in cases]
    )


def test_a_sum_is_linear_unless_rounding_forbids_it() -> None:
    rng = np.random.default_rng(4)
    chosen = []
    for _ in range(40):
        left, right = (float(np.exp(rng.uniform(-4, 0))) for _ in range(2))
        scales = (left, right, max(left, right) * float(rng.uniform(0.4, 2)))
        numbers = [(scale, int(rng.integers(-128, 128))) for scale in scales]
        chosen.append(kernel_of(binary_layer(Add, numbers, shape=(8,))))
    assert chosen.count("tinyc_add_s8_linear__cortex_m4") >= 38
    blurred = ((0.02, -3), (0.03, 7), (0.04, 2))
    assert kernel_of(binary_layer(Add, blurred, shape=(8,))) == "tinyc_add_s8_table__cortex_m4"
    assert kernel_of(binary_layer(Add, blurred, shape=(3,))) == "tinyc_add_s8__portable"
