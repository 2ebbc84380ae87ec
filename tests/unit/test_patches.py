"""Layers computed in patches: what a patch needs, what a graph with stages is, and when stages are chosen."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from strategies import patch_stage
from strategies.common import activation, random_inputs, single_op_graph
from support.classifiers import separable_network
from tinyc import interpreter
from tinyc.boards import Board, load_board
from tinyc.fusion import fuse
from tinyc.ir.graph import verify
from tinyc.ir.ops import Add, Conv2D, PatchStage
from tinyc.kernels import catalogue
from tinyc.kernels.patch_schedule import ROWS, Schedule, reach
from tinyc.objective import Objective
from tinyc.patches import Patches, patches_of, with_patches
from tinyc.pipeline import compile_graph
from tinyc.report import layer_entries
from tinyc.selection import choose
from tinyc.variants import candidates, total

pytestmark = pytest.mark.unit

GRAPH = separable_network(np.random.default_rng(0))
STAGES = [
    (Patches(0, 2, 2, 16, rolling=True),),
    (Patches(0, 4, 1, 3, rolling=False), Patches(4, 2, 2, 8, rolling=False)),
]


@pytest.mark.parametrize("stages", STAGES)
def test_a_graph_in_patches_is_the_same_model(stages: tuple[Patches, ...]) -> None:
    patched = verify(with_patches(GRAPH, stages))
    assert len(patched.ops) == len(GRAPH.ops) - sum(each.count - 1 for each in stages)
    assert patched.expanded().ops == GRAPH.ops and patched.digest() == GRAPH.digest()
    assert patched.macs() == GRAPH.macs() and patches_of(patched) == stages
    inputs = random_inputs(np.random.default_rng(1), GRAPH)
    for one, other in zip(interpreter.run(GRAPH, inputs), interpreter.run(patched, inputs), strict=True):
        assert one.tobytes() == other.tobytes()


def test_stages_are_told_beside_fused_pairs() -> None:
    stages = (Patches(2, 2, 1, 8, rolling=True),)
    fused = fuse(with_patches(GRAPH, stages), [0, 3])
    assert patches_of(fused) == stages and len(fused.ops) == 3


def test_every_row_is_made_once_where_rows_roll_and_kept_as_long_as_it_is_read() -> None:
    rng = np.random.default_rng(2)
    checked: Counter[bool] = Counter()
    for _ in range(150):
        graph = patch_stage.random_graph(rng)
        (stage,) = graph.ops
        assert isinstance(stage, PatchStage)
        try:
            schedule = Schedule.of(stage, graph)
        except ValueError:
            continue
        for axis in schedule.axes:
            made: dict[str, list[int]] = {}
            for patch, spans in enumerate(axis.held):
                for op, cut in zip(stage.parts, axis.cuts[patch], strict=True):
                    span = spans[op.outputs[0]]
                    start, end = axis.kept(patch, op.outputs[0])
                    assert end - start == span.new - span.first
                    made.setdefault(op.outputs[0], []).extend(range(span.new, span.end))
                    if cut is not None:
                        assert cut.outputs == span.end - span.new
                        inputs = [spans[tensor.name] for tensor in schedule.graph.activations(op)]
                        assert all(held.first <= cut.first < cut.end <= held.end for held in inputs)
            result = stage.outputs[0]
            assert made[result] == list(range(len(made[result])))
            if stage.rolling:
                assert all(len(rows) == len(set(rows)) for rows in made.values())
        checked[stage.rolling] += 1
    assert min(checked.values()) > 30


def without_patches(board: Board, objective: Objective) -> int:
    """The arena of the choice without patches."""
    _, plan = choose(
        GRAPH,
        board,
        objective,
        candidates=lambda op, graph: () if isinstance(op, PatchStage) else catalogue.candidates(op, graph),
    )
    return plan.arena_size


@pytest.mark.parametrize("name", ["host", "microbit"])
def test_ram_takes_patches_and_the_names_make_the_same_program(name: str) -> None:
    board = load_board(name)
    program = compile_graph(GRAPH, board, name="net", optimize=Objective.RAM)
    stages = patches_of(program.graph)
    assert stages and program.plan.arena_size < 0.75 * without_patches(board, Objective.RAM)
    assert program.digest == GRAPH.digest()
    again = compile_graph(
        GRAPH,
        board,
        name="net",
        optimize=Objective.RAM,
        kernels=[step.kernel.symbol for step in program.steps],
        patches=stages,
    )
    assert again.graph.ops == program.graph.ops and again.plan == program.plan
    fast = compile_graph(GRAPH, board, name="net", optimize=Objective.TIME)
    slower, faster = total(program), total(fast)
    assert slower is not None and faster is not None
    saved = fast.plan.arena_size / program.plan.arena_size
    assert 1 <= slower.cycles / faster.cycles < saved**4


def test_other_objectives_take_patches_only_where_nothing_else_fits() -> None:
    board = load_board("microbit")
    program = compile_graph(GRAPH, board, name="net", optimize=Objective.TIME)
    assert not patches_of(program.graph)
    spare = board.memory.ram - program.plan.arena_size
    small = dataclasses.replace(board, memory=dataclasses.replace(board.memory, ram=board.memory.ram - 9000))
    fitting = compile_graph(GRAPH, small, name="net", optimize=Objective.TIME)
    assert patches_of(fitting.graph) and spare > 0
    assert fitting.plan.arena_size <= program.plan.arena_size - 1000


def test_reports_show_the_layers_of_a_stage() -> None:
    program = compile_graph(GRAPH, load_board("host"), name="net", optimize=Objective.RAM)
    entries = [entry for entry in layer_entries(program) if entry["op"] == PatchStage.kind]
    parts = [part for entry in entries for part in entry["parts"]]
    assert {part["kernel"] for part in parts} >= {"tinyc_conv_2d_s8__portable"}
    assert all(entry["macs"] == sum(part["macs"] for part in entry["parts"]) for entry in entries)
    found = candidates(program)
    assert len(found) == len(program.steps) and any(isinstance(op, PatchStage) for op in program.graph.ops)


def test_what_is_added_to_an_image_is_no_constant() -> None:
    """A constant would have to be cut as well."""
    rng = np.random.default_rng(0)
    x = activation(rng, "x", (1, 4, 4, 2))
    layer = Add(name="layer", inputs=("x", "z"), outputs=("y",))
    for z in (x.with_(name="z"), x.with_(name="z", data=np.zeros(x.shape, np.int8))):
        graph = single_op_graph(layer, [x, z, x.with_(name="y")])
        assert (reach(layer, graph, ROWS) is None) == z.is_constant


def test_layers_that_others_read_are_no_stage() -> None:
    """A tensor that leaves the graph has to exist as a whole."""
    between = GRAPH.ops[0].outputs[0]
    graph = GRAPH.rebuilt(outputs=(between, *GRAPH.outputs))
    program = compile_graph(graph, load_board("host"), name="net", optimize=Objective.RAM)
    assert isinstance(program.graph.ops[0], Conv2D)
