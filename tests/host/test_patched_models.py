"""Whole models in patches: outputs equal the reference byte for byte, arenas are as small as documented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strategies.common import random_inputs
from support.classifiers import separable_network
from tinyc import artifact, frontends, interpreter, passes, pipeline
from tinyc.boards import load_board
from tinyc.ir.graph import Graph
from tinyc.objective import Objective
from tinyc.patches import patches_of
from tinyc.preparation import Prepared
from tinyc.program import Program
from tinyc.toolchain.host import HostModel

pytestmark = pytest.mark.host


def least(graph: Graph, board: str) -> Program:
    return pipeline.compile_graph(graph, load_board(board), name="model", optimize=Objective.RAM)


@pytest.mark.parametrize(
    ("model", "board", "arena"),
    [
        ("vww_96_int8", "host", 28_800),
        ("pretrainedResnet_quant", "nrf52840", 20_752),
    ],
)
def test_models_in_patches_equal_the_reference(model: str, board: str, arena: int, shared: Path) -> None:
    path = shared / "models" / "mlperf_tiny" / f"{model}.tflite"
    graph = passes.legalize(passes.run(frontends.load(path)))
    program = least(graph, board)
    assert patches_of(program.graph) and program.plan.arena_size <= arena
    inputs = random_inputs(np.random.default_rng(0), graph)
    with HostModel(program, sanitize=True) as host:
        actual = host.run(inputs)
    for one, other in zip(interpreter.run(graph, inputs), actual, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_build_folder_keeps_its_patches(tmp_path: Path) -> None:
    graph = separable_network(np.random.default_rng(0))
    program = least(graph, "host")
    saved = artifact.save(tmp_path, program, Prepared(graph), pipeline.build(program, tmp_path))
    assert saved.report["patches"] == [each.to_json() for each in patches_of(program.graph)] != []
    found = artifact.open_artifact(tmp_path).program
    assert found.graph.ops == program.graph.ops and found.plan == program.plan
