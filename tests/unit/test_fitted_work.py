"""Predicted work: every C kernel states it, from counts that make sense."""

from __future__ import annotations

import math

import numpy as np
import pytest

from strategies import STRATEGIES, strategy_of
from tinyc.ir.ops import (
    Activation,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Padding,
    Reshape,
    TransposeConv,
)
from tinyc.ir.ops.base import Op
from tinyc.kernels import features, loop_features, work
from tinyc.kernels.catalogue import CATALOGUE
from tinyc.kernels.token_block import BLOCKS
from tinyc.kernels.work import FittedWork, predict

pytestmark = pytest.mark.unit

FITTED = [kernel for kernel in CATALOGUE if isinstance(kernel.work, FittedWork)]
ROWS = {row.symbol for block in BLOCKS for row in block.rows}


def test_symbols_are_unique_within_an_operator() -> None:
    """A layer's kernel is found again by its symbol."""
    names = [(kernel.op, kernel.symbol) for kernel in CATALOGUE]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kernel", FITTED, ids=lambda kernel: f"{kernel.op.kind}-{kernel.symbol}")
def test_every_fitted_kernel_has_costs_for_its_features(kernel) -> None:  # type: ignore[no-untyped-def]
    assert kernel.work.is_fitted
    assert all(cost >= 0 for pair in work.table()[kernel.work.symbol].values() for cost in pair)
    rng = np.random.default_rng(0)
    graphs = [strategy_of(kernel)(rng) for _ in range(60)]
    taken = [graph for graph in graphs if kernel.accepts(graph.ops[0], graph)]
    for graph in taken:
        (op,) = graph.ops
        counts = kernel.work.features(op, graph)
        assert all(count >= 0 for count in counts.values()), counts
        found = kernel.work(op, graph)
        assert 0 < found.instructions <= found.cycles


def test_every_row_kernel_has_costs() -> None:
    assert set(work.table()) >= ROWS
    assert all(cost >= 0 for name in ROWS for pair in work.table()[name].values() for cost in pair)


def test_the_table_holds_no_kernel_that_is_gone() -> None:
    assert set(work.table()) <= {kernel.work.symbol for kernel in FITTED} | ROWS


def test_predict_multiplies_and_adds() -> None:
    found = predict({"calls": 1, "macs": 10, "free": 7}, {"calls": (20, 30), "macs": (2.5, 3.5)})
    assert (found.instructions, found.cycles) == (45, 65)


def test_a_kernel_that_was_never_fitted_says_so() -> None:
    unknown = FittedWork("tinyc_unknown__portable", features.elements)
    graph = STRATEGIES[FullyConnected](np.random.default_rng(0))
    assert not unknown.is_fitted
    with pytest.raises(LookupError, match="fit_work"):
        unknown(graph.ops[0], graph)


def brute_taps(op: Op, graph) -> int:  # type: ignore[no-untyped-def]
    """Positions of all windows that lie inside the input, counted one by one."""
    operands, (result,) = graph.operands(op), graph.results(op)
    x = operands[0]
    window = op.window(operands)  # type: ignore[attr-defined]
    count = 0
    for y in range(result.shape[1]):
        for left in range(result.shape[2]):
            for ky in range(window.kernel[0]):
                for kx in range(window.kernel[1]):
                    row = y * window.stride[0] - window.pads[0] + ky * window.dilation[0]
                    column = left * window.stride[1] - window.pads[2] + kx * window.dilation[1]
                    count += 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
    return count * x.shape[0]


@pytest.mark.parametrize("op", [Conv2D, DepthwiseConv2D])
def test_taps_of_a_convolution(op: type[Op]) -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        graph = STRATEGIES[op](rng)
        (layer,) = graph.ops
        counts = features.portable_convolution(layer, graph)
        channels = graph.results(layer)[0].shape[3]
        assert counts["taps"] == channels * brute_taps(layer, graph)


def test_taps_of_a_transposed_convolution() -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        graph = STRATEGIES[TransposeConv](rng)
        (layer,) = graph.ops
        assert isinstance(layer, TransposeConv)
        (x, filters, *_), (result,) = graph.operands(layer), graph.results(layer)
        met = [
            sum(
                0 <= at * layer.stride[axis] + tap - layer.pads(filters)[axis] < result.shape[1 + axis]
                for at in range(x.shape[1 + axis])
                for tap in range(filters.shape[1 + axis])
            )
            for axis in (0, 1)
        ]
        taps = x.shape[0] * result.shape[3] * met[0] * met[1]
        assert loop_features.transpose_conv(layer, graph)["taps"] == taps
        assert loop_features.float_transpose_conv(layer, graph)["taps"] == taps


@pytest.mark.parametrize(("kept", "reduced"), [((1, 1, 2, 3), (1, 1, 1, 4)), ((2, 1, 3, 2), (3, 1, 2, 5))])
def test_a_reduction_carries_as_its_counters_do(kept: tuple[int, ...], reduced: tuple[int, ...]) -> None:
    def carries(extents: tuple[int, ...]) -> int:
        at, count = [0] * len(extents), 0
        for _ in range(math.prod(extents)):
            for axis in reversed(range(len(extents))):
                at[axis] += 1
                if at[axis] < extents[axis]:
                    break
                at[axis], count = 0, count + 1
        return count

    outputs = math.prod(kept)
    expected = carries(kept) + outputs * carries(reduced)
    assert loop_features.reduction(kept, reduced)["carries"] == expected


def test_im2col_fills_or_widens_every_element_of_a_row() -> None:
    rng = np.random.default_rng(2)
    for _ in range(40):
        graph = STRATEGIES[Conv2D](rng)
        (op,) = graph.ops
        counts = features.panel_convolution(op, graph)
        _, height, width, depth = graph.operands(op)[1].shape
        moved = counts["filled"] + 4 * counts["widened_words"] + counts["widened_bytes"]
        pixels = graph.results(op)[0].elements // graph.results(op)[0].shape[3]
        assert moved == pixels * counts["groups"] * height * width * depth


def test_a_pool_counts_only_what_lies_inside() -> None:
    graph = STRATEGIES[AveragePool2D](np.random.default_rng(0))
    x = graph[graph.inputs[0]].with_(shape=(1, 4, 4, 6))
    op = AveragePool2D(
        name="pool",
        inputs=("x",),
        outputs=("y",),
        filter_height=3,
        filter_width=3,
        padding=Padding.SAME,
        activation=Activation.NONE,
    )
    table = {"x": x, "y": x.with_(name="y")}
    counts = features.pooling(op, graph.rebuilt(ops=(op,), tensors=table, inputs=("x",), outputs=("y",)))
    # Along an axis of 4 the windows hold 2, 3, 3 and 2 elements; one block of four channels, two alone.
    assert (counts["four_taps"], counts["one_taps"]) == (100, 200)
    assert (counts["fours"], counts["ones"], counts["four_rows"]) == (16, 32, 40)


def test_a_reshape_in_place_copies_nothing() -> None:
    graph = STRATEGIES[Reshape](np.random.default_rng(4))
    (op,) = graph.ops
    assert features.reshape(op, graph)["copies"] == 0
    kept = graph.rebuilt(outputs=(*graph.outputs, *graph.inputs))
    assert features.reshape(op, kept)["copies"] == 1
