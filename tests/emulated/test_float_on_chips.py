"""float32 models on emulated chips with and without an FPU: every bit is that of the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.command_line import tinyc
from support.float_models import float_functions, float_keywords, float_recurrent

pytestmark = pytest.mark.emulated


MODELS = {
    "keywords": float_keywords(np.random.default_rng(5)),
    "functions": float_functions(),
    "recurrent": float_recurrent(np.random.default_rng(6)),
}


@pytest.mark.parametrize(
    ("name", "board"),
    [
        *(("keywords", board) for board in ("nrf52840", "microbit")),
        *(("recurrent", board) for board in ("nrf52840", "microbit")),
        *(("functions", board) for board in ("nrf52840", "microbit", "esp32c3")),
    ],
)
def test_a_float_model_has_the_same_bits_on_the_chip(tmp_path: Path, name: str, board: str) -> None:
    graph = MODELS[name]
    model = tmp_path / "model.tflite"
    model.write_bytes(tflite_writer.write(graph))
    built = tinyc("build", model, "--board", board, "--out", tmp_path / "out", "--allow-float")
    assert built.code == 0, built.stderr
    said = tinyc("verify", tmp_path / "out", "--count", 6, "--layers", "--json")
    assert said.code == 0, said.stderr
    assert len(said.json["differing_bytes"]) == 2 and said.json["agrees"]
    assert said.json["bytes_compared"] == 6 * sum(graph[output].bytes for output in graph.outputs)
