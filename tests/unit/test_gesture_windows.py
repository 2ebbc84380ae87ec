"""The windows of `examples/gesture` are those of its generator and follow mechanics; its model knows them."""

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

EXAMPLE = ROOT / "examples" / "gesture"
SEED = 23  # of train.py


@pytest.fixture(scope="module")
def gestures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gestures", EXAMPLE / "gestures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_inputs_are_made_by_the_generator(gestures: ModuleType) -> None:
    for number, name in enumerate(gestures.LABELS):
        made = gestures.window(number, np.random.default_rng(SEED + 2 + number))
        np.testing.assert_array_equal(np.load(EXAMPLE / "inputs" / f"{name}.npy"), made[None])
        assert made.shape == (gestures.SAMPLES, gestures.AXES) and np.abs(made).max() <= gestures.RANGE
        np.testing.assert_array_equal(made, np.round(made / gestures.STEP) * gestures.STEP)


def test_a_hand_that_starts_and_ends_at_rest_feels_gravity_on_average(gestures: ModuleType) -> None:
    # A circle may leave the range of the sensor.
    for name in ("swipe_left", "swipe_right", "lift"):
        label = gestures.LABELS.index(name)
        for seed in range(20):
            mean = gestures.window(label, np.random.default_rng(seed)).mean(axis=0)
            assert abs(np.linalg.norm(mean) - 1) < 0.05


def test_swipes_speed_up_to_their_own_side_first(gestures: ModuleType) -> None:
    for name, side in (("swipe_left", -1), ("swipe_right", 1)):
        label = gestures.LABELS.index(name)
        for seed in range(20):
            across = gestures.window(label, np.random.default_rng(seed))[:, 0] * side
            assert np.argmax(across) < np.argmin(across)


def test_the_int8_model_answers_nine_of_ten_right() -> None:
    graph = target.compiled(EXAMPLE, "nrf52840")[2].graph
    with np.load(EXAMPLE / "evaluation.npz") as kept:
        inputs, labels = quantize_input(graph[graph.inputs[0]], kept["inputs"]), kept["labels"]
    answers = [int(np.argmax(run(graph, [one[None]])[0])) for one in inputs]
    assert np.mean(np.array(answers) == labels) >= 0.9
