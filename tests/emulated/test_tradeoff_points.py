"""Points of the trade-off table as builds: the same answers, and the work that the table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.classifiers import small_classifier
from support.command_line import tinyc
from tinyc.boards import load_board
from tinyc.execution import host_engine
from tinyc.objective import Limits, Objective
from tinyc.pipeline import compile_graph
from tinyc.tradeoff import tradeoff
from tinyc.verification import random_vectors, verify

pytestmark = pytest.mark.emulated

GRAPH = small_classifier(np.random.default_rng(0))
BOARD = load_board("nrf52840")


def test_all_points_give_the_same_answers() -> None:
    unasked = compile_graph(GRAPH, BOARD, name="net")
    points = tradeoff(unasked)
    assert len(points) >= 3
    for point in points:
        limits = Limits(point.arena, point.flash)
        program = compile_graph(GRAPH, BOARD, name="net", optimize=Objective.TIME, limits=limits)
        assert program.digest == unasked.digest
        with host_engine(program) as host:
            assert verify(program, random_vectors(GRAPH, 3, 1), {"host": host}, layers=True).agrees


def test_a_build_within_limits_is_what_the_table_said(tmp_path: Path) -> None:
    model, out = tmp_path / "net.tflite", tmp_path / "build"
    model.write_bytes(tflite_writer.write(GRAPH))
    table = tinyc("check", model, "--board", "nrf52840", "--tradeoff", "--json").json["tradeoff"]
    point = table[1]
    limits = ("--optimize", "time", "--max-arena", point["arena"], "--max-flash", point["flash"])
    said = tinyc("build", model, "--board", "nrf52840", "--out", out, *limits, "--json")
    assert said.code == 0, said.stderr
    assert said.json["arena"] == point["arena"]
    ran = tinyc("verify", out, "--count", 2, "--layers", "--json")
    assert ran.code == 0, ran.stderr
    counted = tinyc("profile", out, "--json").json
    assert counted["instructions"] == pytest.approx(point["instructions"], rel=0.05)
    refused = tinyc("run", out, "--input", model, "--max-arena", point["arena"])
    assert refused.code == 1 and "is a build already" in refused.stderr
