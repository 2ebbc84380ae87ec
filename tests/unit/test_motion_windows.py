"""The windows of `examples/lowpan_sensor` are what its generator makes, and its model tells them apart."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import numpy as np
import pytest

from support.paths import ROOT
from tinyc.cli import target
from tinyc.execution import quantize_input
from tinyc.interpreter import run

pytestmark = pytest.mark.unit

EXAMPLE = ROOT / "examples" / "lowpan_sensor"
SEED, TRAINING, EVALUATION = 11, 4000, 400  # of train.py


@pytest.fixture(scope="module")
def motions() -> ModuleType:
    spec = importlib.util.spec_from_file_location("motions", EXAMPLE / "motions.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_data_is_made_by_the_generator(motions: ModuleType) -> None:
    fresh, labels = motions.windows(EVALUATION, SEED + 1)
    with np.load(EXAMPLE / "evaluation.npz") as kept:
        np.testing.assert_array_equal(kept["inputs"][:, :, 0], fresh[: len(kept["inputs"])])
        np.testing.assert_array_equal(kept["labels"], labels[: len(kept["labels"])])
    known, _ = motions.windows(TRAINING, SEED)
    with np.load(EXAMPLE / "calibration.npz") as kept:
        np.testing.assert_array_equal(kept["inputs"][:, :, 0], known[: len(kept["inputs"])])
    assert np.abs(fresh).max() <= motions.RANGE
    np.testing.assert_array_equal(fresh, np.round(fresh / motions.STEP) * motions.STEP)


def test_the_int8_model_answers_nine_of_ten_right() -> None:
    graph = target.compiled(EXAMPLE, "nrf52840")[2].graph
    with np.load(EXAMPLE / "evaluation.npz") as kept:
        inputs, labels = quantize_input(graph[graph.inputs[0]], kept["inputs"]), kept["labels"]
    answers = [int(np.argmax(run(graph, [one[None]])[0])) for one in inputs]
    assert np.mean(np.array(answers) == labels) >= 0.9
