"""`examples/anomaly_detection`: its machines, its score, and that its int8 model finds faults."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest

from support.paths import ROOT
from tinyc.audio.front_end import AudioFrontEnd
from tinyc.cli import target
from tinyc.interpreter import run

pytestmark = pytest.mark.unit

EXAMPLE = ROOT / "examples" / "anomaly_detection"


@pytest.fixture(scope="module")
def example() -> Iterator[tuple[ModuleType, ModuleType]]:
    """Its modules `machine` and `scores`, which import each other by these names."""
    names = ("machine", "scores")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        machine, scores = map(import_module, names)
        yield machine, scores
        for name in names:
            del sys.modules[name]


def test_area_under_the_curve(example: tuple[ModuleType, ModuleType]) -> None:
    auc = example[1].auc
    assert auc(np.array([1.0, 2.0]), np.array([3.0])) == 1.0
    assert auc(np.array([3.0]), np.array([1.0, 2.0])) == 0.0
    assert auc(np.array([1.0, 2.0]), np.array([2.0, 0.0])) == 0.375


def test_a_bearing_fault_strikes_as_often_as_balls_pass(example: tuple[ModuleType, ModuleType]) -> None:
    machine = example[0]
    rng = np.random.default_rng(1)
    turns = 50
    angle = 2 * np.pi * np.linspace(0, turns, machine.SAMPLES)
    blows = np.flatnonzero(machine._blows(rng, angle, 3.5856))
    assert len(blows) == pytest.approx(turns * 3.5856, abs=2)
    gaps = np.diff(blows) * turns / machine.SAMPLES * 3.5856
    assert 0.005 < gaps.std() < 0.02


def test_the_int8_model_finds_faults(example: tuple[ModuleType, ModuleType]) -> None:
    machine, scores = example
    program = target.compiled(EXAMPLE, "nrf52840")[2]
    assert program.audio is not None
    source, rebuilt = (program.graph[name] for name in (program.graph.inputs[0], program.graph.outputs[0]))
    front_end = AudioFrontEnd.for_input(program.audio, source)
    rng = np.random.default_rng(99)
    found = {}
    for fault in (None, *machine.FAULTS):
        clips = np.stack([machine.recording(rng, fault)[: program.audio.clip_samples] for _ in range(12)])
        inputs = front_end.features(clips).reshape(-1, *source.shape)
        outputs = np.stack([run(program.graph, [one])[0] for one in inputs])
        real = source.scale * (inputs.astype(float) - source.zero_point)
        found[fault] = scores.mean_scores(
            real, rebuilt.scale * (outputs.astype(float) - rebuilt.zero_point), len(clips)
        )
    for fault in machine.FAULTS:
        assert scores.auc(found[None], found[fault]) > 0.8, fault
