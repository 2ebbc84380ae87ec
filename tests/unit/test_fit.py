"""Boards ranked for a model: memory and cycles are those of a program that is compiled for the board."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.classifiers import small_classifier, wide_layer
from support.command_line import tinyc
from tinyc import pipeline, variants
from tinyc.boards import Board, load_board
from tinyc.fit import Fit, fits, ranked
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import DType
from tinyc.memory.budget import budget
from tinyc.objective import Objective
from tinyc.source import Source

pytestmark = pytest.mark.unit

NAMES = ("microbit", "mps2_an505", "netduinoplus2", "nrf52840", "qemu_riscv32")
SOURCE = Source(Path("model.tflite"), "model", Path())


def found(graph: Graph, *boards: Board) -> dict[str, Fit]:
    return {fit.board.name: fit for fit in fits(graph, SOURCE, boards, Objective.BALANCED)}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return small_classifier(np.random.default_rng(5))


def test_figures_are_those_of_the_program(graph: Graph) -> None:
    told = found(graph, *map(load_board, NAMES))
    for name, fit in told.items():
        program = pipeline.compile_graph(graph, load_board(name), name="model")
        assert fit.budget == budget(program)
        assert fit.fits
        assert (fit.flash_short, fit.ram_short) == (0, 0)
        work = variants.total(program)
        assert work is not None
        # Kernels for other instruction sets state no cycles that anybody should believe.
        scalar = name in ("microbit", "qemu_riscv32")
        assert fit.cycles == (None if scalar else work.cycles)
        assert bool(fit.no_cycles) == scalar
        assert fit.of_another_core == (name == "mps2_an505")
    fast = told["netduinoplus2"]
    assert fast.cycles is not None
    assert fast.milliseconds == pytest.approx(fast.cycles / 168e3)


def test_best_board_first(graph: Graph) -> None:
    roomless = replace(load_board("microbit"), name="roomless")
    small = replace(roomless, memory=replace(roomless.memory, ram=roomless.memory.stack + 8))
    told = found(graph, small, *map(load_board, NAMES))
    order = [fit.board.name for fit in ranked(list(told.values()))]
    # By time; without a time by clock; then what does not fit.
    assert order == ["netduinoplus2", "nrf52840", "mps2_an505", "qemu_riscv32", "microbit", "roomless"]


def test_bytes_that_are_missing() -> None:
    wide = wide_layer(np.random.default_rng(0), 700_000)
    told = found(wide, load_board("nrf52840"), load_board("netduinoplus2"))
    assert told["netduinoplus2"].fits
    short = told["nrf52840"]
    assert not short.fits
    assert short.budget is not None
    assert short.flash_short == short.budget.flash - load_board("nrf52840").memory.application_flash
    assert short.ram_short == 0
    assert [problem.where for problem in short.problems] == ["flash", "#0 FULLY_CONNECTED wide"]


def test_layers_without_a_kernel_are_named(graph: Graph) -> None:
    odd = graph.rebuilt(
        tensors={
            name: replace(tensor, dtype=DType.FLOAT32, quantization=None)
            if name in (graph.inputs[0], graph.ops[0].outputs[0])
            else tensor
            for name, tensor in graph.tensors.items()
        }.values()
    )
    fit = found(odd, load_board("nrf52840"))["nrf52840"]
    assert fit.budget is None
    assert not fit.fits
    assert fit.problems[0].where == f"#0 {graph.ops[0].kind} {graph.ops[0].name}"
    assert fit.to_json()["ram"] is None


def test_the_verb(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyc.cli.boards.board_names", lambda: NAMES)
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite_writer.write(graph))
    rows = tinyc("boards", "fit", path, "--json").json
    assert rows[0]["board"] == "netduinoplus2"
    assert all(row["fits"] and row["problems"] == [] for row in rows)
    said = tinyc("boards", "fit", path)
    assert said.code == 0
    assert "netduinoplus2" in said.stdout and "why not" not in said.stdout
    assert tinyc("boards", "fit", path, "--optimize", "tuned").code == 1
    path.write_bytes(tflite_writer.write(wide_layer(np.random.default_rng(0), 1_100_000)))
    monkeypatch.setattr("tinyc.cli.boards.board_names", lambda: ("host", "nrf52840", "netduinoplus2"))
    said = tinyc("boards", "fit", path)
    assert said.code == 3
    assert "fits on no board" in said.stderr
    assert "why not" in said.stdout and "#0 FULLY_CONNECTED" in said.stdout


def test_check_predicts_what_the_ranking_does(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite_writer.write(graph))
    for name, fit in found(graph, *map(load_board, NAMES)).items():
        row = tinyc("check", path, "--board", name, "--json").json
        assert row["cycles_predicted"] == fit.cycles
        assert (row["instructions_predicted"] is None) == (fit.cycles is None)
        assert row["fitted_to_this_core"] == fit.to_json()["fitted_to_this_core"]
        assert row["no_prediction"] == (fit.no_cycles or None)
        said = tinyc("check", path, "--board", name).stderr
        assert (f"{fit.cycles:,} cycles" if fit.cycles else fit.no_cycles) in said
        assert ("fitted to a cortex-m4" in said) == fit.of_another_core


def test_boards_are_listed_with_what_they_have() -> None:
    rows = {row["name"]: row for row in tinyc("boards", "--json").json}
    row = rows["netduinoplus2"]
    assert row["emulators"] == ["the emulated chip", "QEMU `netduinoplus2`"]
    assert row["flash_methods"] == ["stm32", "platformio"]
    assert row["features"] == ["dsp", "dwt", "fpu"]
    assert (row["flash"], row["ram"], row["application_ram"]) == (1 << 20, 131_072, 131_072)
    assert rows["nrf52840"]["radio"] == "ieee802154"
    assert "netduinoplus2" in tinyc("boards").stdout
