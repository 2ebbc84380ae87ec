"""Pairs of layers in one kernel: which ones can be fused, what a fused graph is, and when it is chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import pytest

from strategies.common import random_inputs
from support.classifiers import separable_network
from tinyc import interpreter
from tinyc.boards import load_board
from tinyc.fusion import fuse, fusible
from tinyc.ir import printer
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Conv2D, ConvDepthwise2D, PatchStage
from tinyc.ir.ops.base import Op
from tinyc.kernels import catalogue, cortex_m4_conv_depthwise
from tinyc.kernels.depthwise_geometry import geometries
from tinyc.kernels.kernel import Kernel, Work
from tinyc.kernels.sliding_planes import Tiles, best_tiles
from tinyc.objective import Objective
from tinyc.patches import patches_of
from tinyc.pipeline import compile_graph
from tinyc.selection import choose
from tinyc.variants import candidates

pytestmark = pytest.mark.unit

BOARD = load_board("nrf52840")
GRAPH = separable_network(np.random.default_rng(0))


def test_a_pair_is_a_convolution_whose_only_reader_is_the_depthwise_layer_behind_it() -> None:
    assert list(fusible(GRAPH)) == [0, 2, 4]
    between = GRAPH.ops[2].outputs[0]
    assert list(fusible(GRAPH.rebuilt(outputs=(between, *GRAPH.outputs)))) == [0, 4]
    again = GRAPH.ops[3].with_(name="again", outputs=("again",))
    twice = GRAPH.rebuilt(
        ops=(*GRAPH.ops, again),
        tensors=[GRAPH[GRAPH.ops[3].outputs[0]].with_(name="again")],
        outputs=(*GRAPH.outputs, "again"),
    )
    assert list(fusible(verify(twice))) == [0, 4]
    order = (GRAPH.ops[1], GRAPH.ops[0], *GRAPH.ops[2:])
    assert list(fusible(dataclasses.replace(GRAPH, ops=order))) == [2, 4]


@pytest.mark.parametrize("firsts", [(), (0,), (2, 4), (0, 2, 4)])
def test_a_fused_graph_is_the_same_model(firsts: tuple[int, ...]) -> None:
    fused = verify(fuse(GRAPH, firsts))
    assert len(fused.ops) == len(GRAPH.ops) - len(firsts)
    assert not set(fused.tensors) & {GRAPH.ops[first].outputs[0] for first in firsts}
    assert fused.expanded().ops == GRAPH.ops and fused.digest() == GRAPH.digest()
    assert fused.macs() == GRAPH.macs()
    inputs = random_inputs(np.random.default_rng(1), GRAPH)
    for one, other in zip(interpreter.run(GRAPH, inputs), interpreter.run(fused, inputs), strict=True):
        assert one.tobytes() == other.tobytes()
    assert not firsts or "pointwise_0 + depthwise_0" not in printer.format_graph(fused)


def test_there_is_no_pair_elsewhere() -> None:
    with pytest.raises(KeyError):
        fuse(GRAPH, [1])


def test_a_fused_op_prints_its_parts() -> None:
    op = fusible(GRAPH)[0]
    text = printer.format_op(op)
    assert op.name == "pointwise_0 + depthwise_0" and "= CONV_2D(" in text and "int8[1, 20, 16, 16]" in text


def arenas(board_name: str, objective: Objective) -> tuple[int, int, set[str]]:
    """(arena with fused pairs, arena without, kinds of op of the former), without patches."""
    board = load_board(board_name)

    def arena(*left_out: type[Op]) -> tuple[int, set[str]]:
        def candidates(op: Op, graph: Graph) -> Iterable[Kernel]:
            return () if isinstance(op, left_out) else catalogue.candidates(op, graph)

        steps, plan = choose(GRAPH, board, objective, candidates=candidates)
        return plan.arena_size, {step.op.kind for step in steps}

    fused, kinds = arena(PatchStage)
    return fused, arena(PatchStage, ConvDepthwise2D)[0], kinds


def is_pair(op: object) -> bool:
    return isinstance(op, ConvDepthwise2D)


def test_ram_gains_by_the_tensors_that_are_not_there() -> None:
    fused, alone, kinds = arenas("nrf52840", Objective.RAM)
    assert ConvDepthwise2D.kind in kinds and fused < 0.8 * alone


@pytest.mark.parametrize("board", ["mps2_an386", "microbit", "host"])
def test_boards_without_the_instructions_do_not_fuse(board: str) -> None:
    if not {"dsp", "fpu"} <= load_board(board).features:
        fused, alone, kinds = arenas(board, Objective.RAM)
        assert ConvDepthwise2D.kind not in kinds and fused == alone


def priced(cycles: int):  # type: ignore[no-untyped-def]
    """The catalogue, with fused kernels that take so many cycles."""

    def found(op, graph):  # type: ignore[no-untyped-def]
        kernels = catalogue.candidates(op, graph)
        if not is_pair(op):
            return kernels
        return [
            dataclasses.replace(kernel, work=lambda op, graph: Work(cycles, cycles)) for kernel in kernels
        ]

    return found


@pytest.mark.parametrize(("cycles", "pairs"), [(1, 3), (10**9, 0)])
def test_time_fuses_what_is_faster(cycles: int, pairs: int) -> None:
    steps, _ = choose(GRAPH, BOARD, Objective.TIME, candidates=priced(cycles))
    assert sum(is_pair(step.op) for step in steps) == pairs
    assert [step.index for step in steps] == list(range(len(GRAPH.ops) - pairs))


def test_measured_pairs_replace_predicted_ones() -> None:
    slow = {
        (index, kernel.symbol): Work(10**9, 10**9)
        for index, op in fusible(GRAPH).items()
        for kernel in catalogue.candidates(op, GRAPH)
    }
    steps, _ = choose(GRAPH, BOARD, Objective.TUNED, measured=slow)
    assert not any(is_pair(step.op) for step in steps)
    fast = {at: Work(1, 1) for at in slow if at[0] == 2}
    steps, _ = choose(GRAPH, BOARD, Objective.TUNED, measured=slow | fast)
    assert [step.index for step in steps if is_pair(step.op)] == [2]


@pytest.mark.parametrize("objective", [Objective.RAM, Objective.TIME, Objective.BALANCED])
def test_the_kernels_by_name_make_the_same_program(objective: Objective) -> None:
    program = compile_graph(GRAPH, BOARD, name="net", optimize=objective)
    symbols, stages = [step.kernel.symbol for step in program.steps], patches_of(program.graph)
    again = compile_graph(GRAPH, BOARD, name="net", optimize=objective, kernels=symbols, patches=stages)
    assert again.graph.ops == program.graph.ops and again.plan == program.plan
    assert program.digest == GRAPH.digest()
    with pytest.raises(ValueError, match="kernels for"):
        compile_graph(GRAPH, BOARD, name="net", kernels=symbols[:-1], patches=stages)


def test_kernels_that_would_fuse_are_listed_with_their_costs() -> None:
    program = compile_graph(GRAPH, BOARD, name="net", optimize=Objective.TIME)
    names = {kernel.symbol for kernel in cortex_m4_conv_depthwise.KERNELS}
    for step, found in zip(program.steps, candidates(program), strict=True):
        fusing = {one.kernel.symbol for one in found} & names
        assert bool(fusing) == (is_pair(step.op) or isinstance(step.op, Conv2D))
        assert all(one.reason for one in found if not one.chosen)


def test_tiles_cover_the_image_once_and_fit() -> None:
    second = GRAPH.ops[1]
    geometry = next(geometries(second, GRAPH))  # type: ignore[arg-type]
    for limit in (0, 3000, 5000, 100_000):
        tiles = best_tiles(geometry, 64, limit)
        assert tiles is not None
        least = 64 + Tiles(geometry, 1, 0).buffer
        assert 64 + tiles.buffer <= (limit if limit >= least else 1.25 * least)
        filled = [row for first, last in tiles.fills() for row in range(first, last)]
        assert filled == list(range(geometry.input[0])) and sum(tiles.heights) == geometry.output[0]
