"""A network of pointwise and depthwise layers in turn, from the model file to the chip and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.classifiers import separable_network
from support.command_line import tinyc
from support.report_pages import page_data
from tinyc import tuning

pytestmark = pytest.mark.emulated

BOARD = ("--board", "nrf52840")
KIND = "CONV_2D+DEPTHWISE_CONV_2D"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "separable.tflite"
    path.write_bytes(tflite_writer.write(separable_network(np.random.default_rng(3))))
    return path


def test_pairs_are_built_verified_and_profiled(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    said = tinyc("build", model, *BOARD, "--out", folder, "--optimize", "time", "--json")
    assert said.code == 0, said.stderr
    fused = [layer for layer in said.json["layers"] if layer["op"] == KIND]
    assert fused and all(" + " in layer["name"] for layer in fused)
    assert said.json["macs"] == tinyc("check", model, "--board", "microbit", "--json").json["macs"]
    assert tinyc("verify", folder, "--count", "3", "--layers").code == 0
    profile = tinyc("profile", folder, "--json").json
    assert profile["digest"] == said.json["digest"]
    for layer in profile["layers"]:
        predicted, counted = layer["instructions_predicted"], layer["instructions"]
        assert abs(predicted - counted) <= 0.05 * counted
    assert "chosen" in tinyc("profile", folder, "--kernels").stdout
    assert tinyc("report", folder, "--predicted").code == 0
    layers = page_data(folder / "report.html")["build"]["layers"]
    pairs = {layer["name"]: layer["parts"] for layer in layers if layer["op"] == KIND}
    assert list(pairs) == [layer["name"] for layer in fused]
    for name, parts in pairs.items():
        assert name == " + ".join(part["name"] for part in parts)
        assert [part["op"] for part in parts] == KIND.split("+")


def test_tuning_counts_pairs(
    model: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "cache_folder", lambda: tmp_path_factory.mktemp("cache"))
    said = tinyc("tune", model, *BOARD, "--json")
    assert said.code == 0, said.stderr
    rows = said.json["variants"]
    assert {row["layer"] for row in rows if row["op"] == KIND} == {0, 2, 4}
    assert all(" + " in row["name"] for row in rows if row["op"] == KIND)
    best = {}
    for row in rows:
        at = (row["layer"], row["op"])
        best[at] = min(row["cycles_estimated"], best.get(at, row["cycles_estimated"]))
    winners = {row["layer"]: row["op"] for row in rows if row["winner"]}
    for first in (0, 2, 4):
        alone = best[first, "CONV_2D"] + best[first + 1, "DEPTHWISE_CONV_2D"]
        assert (winners[first] == KIND) == (best[first, KIND] < alone)
        assert (first + 1 in winners) == (winners[first] != KIND)
