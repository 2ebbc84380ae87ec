"""`--optimize` and `tinyc tune`, end to end on the emulated chip."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import tflite_writer
from support.classifiers import small_classifier
from support.command_line import tinyc
from support.networks import random_network
from tinyc import tuning
from tinyc.artifact import open_artifact
from tinyc.boards import load_board
from tinyc.objective import Objective

pytestmark = pytest.mark.emulated

BOARD = ("--board", "nrf52840")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tuning results of the tests' own; what compilers and PlatformIO keep stays where it is."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(tuning, "cache_folder", lambda: folder)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(tflite_writer.write(small_classifier(np.random.default_rng(11))))
    return path


def build(model: Path, folder: Path, objective: str) -> dict[str, Any]:
    said = tinyc("build", model, *BOARD, "--out", folder, "--optimize", objective, "--json")
    assert said.code == 0, said.stderr
    report: dict[str, Any] = said.json
    assert report["optimize"] == objective
    return report


def cycles(folder: Path) -> int:
    return int(tinyc("profile", folder, "--json").json["cycles_estimated"])


def test_each_objective_wins_at_what_it_minimises(model: Path, tmp_path: Path) -> None:
    """All into one folder: nothing of an earlier build may stay."""
    folder = tmp_path / "out"
    reports, counted = {}, {}
    for objective in ("time", "ram", "flash", "balanced"):
        reports[objective] = build(model, folder, objective)
        counted[objective] = cycles(folder)
        assert tinyc("verify", folder, "--count", 3, "--layers").code == 0
    assert reports["ram"]["arena"] < reports["time"]["arena"]
    assert reports["flash"]["flash"] <= min(report["flash"] for report in reports.values())
    assert counted["time"] == min(counted.values()) < counted["ram"]
    kernels = {name: [layer["kernel"] for layer in report["layers"]] for name, report in reports.items()}
    assert kernels["time"] != kernels["ram"]


def test_a_build_folder_keeps_its_kernels(model: Path, tmp_path: Path) -> None:
    report = build(model, tmp_path / "out", "ram")
    found = open_artifact(tmp_path / "out")
    assert found.program.optimize is Objective.RAM
    assert [step.kernel.symbol for step in found.program.steps] == [
        layer["kernel"] for layer in report["layers"]
    ]
    assert found.program.plan.arena_size == report["arena"]
    assert tinyc("profile", tmp_path / "out", "--optimize", "ram").code == 0
    said = tinyc("run", tmp_path / "out", "--optimize", "time", "-i", model)
    assert said.code == 1 and "optimized for `ram`" in said.stderr


def test_the_report_predicts(model: Path, tmp_path: Path) -> None:
    report = build(model, tmp_path / "out", "balanced")
    for layer in report["layers"]:
        assert layer["cycles_predicted"] >= layer["instructions_predicted"] > 0


def test_tinyc_toml_says_what_to_optimize(model: Path, tmp_path: Path) -> None:
    (tmp_path / "tinyc.toml").write_text('[model]\npath = "small.tflite"\n[build]\noptimize = "ram"\n')
    by_file = tinyc("check", tmp_path, *BOARD, "--json").json
    assert by_file["arena"] == tinyc("check", model, *BOARD, "--optimize", "ram", "--json").json["arena"]
    by_option = tinyc("check", tmp_path, *BOARD, "--optimize", "time", "--json").json
    assert by_option["arena"] > by_file["arena"]
    assert tinyc("check", tmp_path, *BOARD, "--optimize", "speed").code == 2


def test_profile_shows_predictions_and_rejected_kernels(model: Path, tmp_path: Path) -> None:
    build(model, tmp_path / "out", "time")
    said = tinyc("profile", tmp_path / "out", "--kernels")
    assert said.code == 0, said.stderr
    assert "predicted" in said.stdout and "chosen" in said.stdout and "cycles more" in said.stdout
    found = tinyc("profile", tmp_path / "out", "--json").json
    for layer in found["layers"]:
        (chosen,) = [row for row in layer["variants"] if row["chosen"]]
        assert chosen["kernel"] == layer["kernel"] and chosen["constants"] == layer["weights"]
        assert chosen["instructions"] == layer["instructions_predicted"]
        rejected = [row for row in layer["variants"] if not row["chosen"]]
        assert all(row["reason"] for row in rejected)
        assert all(row["cycles"] >= chosen["cycles"] for row in rejected if row["cycles"] is not None)


def test_tuning(tmp_path: Path, cache: Path) -> None:
    """A network whose layers have few variants: each is a program to build."""
    model = tmp_path / "dense.tflite"
    model.write_bytes(tflite_writer.write(random_network(np.random.default_rng(1), 2)))
    said = tinyc("build", model, *BOARD, "--optimize", "tuned")
    assert said.code == 1 and "tinyc tune" in said.stderr
    said = tinyc("tune", model, *BOARD, "--json")
    assert said.code == 0, said.stderr
    rows = said.json["variants"]
    winners = {row["layer"]: row for row in rows if row["winner"]}
    assert len(winners) == 1 + max(row["layer"] for row in rows)
    assert any(len([row for row in rows if row["layer"] == layer]) > 1 for layer in winners)
    for row in rows:
        assert winners[row["layer"]]["cycles_estimated"] <= row["cycles_estimated"]
    report = build(model, tmp_path / "out", "tuned")
    assert [layer["kernel"] for layer in report["layers"]] == [winners[i]["kernel"] for i in sorted(winners)]
    # The measurements decide, not the predictions: other ones give another build.
    (path,) = (cache / "tuned").iterdir()
    kept = json.loads(path.read_text())
    loser = next(row for row in kept if winners[row[0]]["kernel"] != row[1])
    path.write_text(json.dumps([[*row[:2], 1, 1] if row == loser else row for row in kept]))
    changed = build(model, tmp_path / "other", "tuned")
    assert changed["layers"][loser[0]]["kernel"] == loser[1] != report["layers"][loser[0]]["kernel"]
    assert "winner" in tinyc("tune", model, *BOARD).stdout
    assert json.loads(path.read_text()) == kept
    path.write_text("[[1]]")
    said = tinyc("build", model, *BOARD, "--optimize", "tuned")
    assert said.code == 1 and "cannot read what tuning found" in said.stderr


def test_tuning_needs_a_chip_to_count_on(model: Path) -> None:
    said = tinyc("tune", model, "--board", "host")
    assert said.code == 1 and "emulated chip" in said.stderr


def test_what_tuning_is_kept_under() -> None:
    """All that the counts depend on, and nothing that differs from one process to the next."""
    graph = small_classifier(np.random.default_rng(11))
    board = load_board("nrf52840")
    other = graph.rebuilt(tensors=small_classifier(np.random.default_rng(12)).tensors)
    slower = dataclasses.replace(board, features=board.features - {"dwt"})
    keys = {tuning.key(graph, board, "zig"), tuning.key(other, board, "zig")}
    assert len(keys | {tuning.key(graph, slower, "zig")}) == 3
    code = (
        "import numpy as np; from support.classifiers import small_classifier; from tinyc import tuning; "
        "from tinyc.boards import load_board; "
        "print(tuning.key(small_classifier(np.random.default_rng(11)), load_board('nrf52840'), 'zig'))"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        said = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert said.stdout.strip() == tuning.key(graph, board, "zig")
