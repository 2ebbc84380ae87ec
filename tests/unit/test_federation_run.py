"""Whole runs: the same bytes each time, a kill in the middle, and devices that fail in every way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.federation import Scripted, clients_of, run, update, write_config
from tinyc.errors import TinycError
from tinyc.learning.federation.client import Client, ClientError, NetworkShape, TrainConfig, Update, Vector
from tinyc.learning.federation.evaluation import episodes, evaluate
from tinyc.learning.federation.rounds import Run
from tinyc.learning.federation.settings import FederateConfig, load_config
from tinyc.learning.federation.state import Progress, RunState

pytestmark = pytest.mark.unit


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    faulty = [{"kind": "simulated", "count": 10, "dropout": 0.2, "slow": 0.2}]
    changes = {"run": {"devices": 3, "rounds": 20}, "robust": {"deadline": 0.05}}
    first, again = (run(tmp_path / name, faulty, **changes) for name in ("one", "two"))
    assert first.progress.parameters.tobytes() == again.progress.parameters.tobytes()
    assert first.records == again.records
    assert first.tallies == again.tallies
    other = run(tmp_path / "three", faulty, **(changes | {"run": {"devices": 3, "rounds": 20, "seed": 4}}))
    assert other.progress.parameters.tobytes() != first.progress.parameters.tobytes()


@pytest.mark.parametrize("strategy", ["tinyreptile", "tinymetafed", "reptile", "fedavg"])
def test_every_strategy_learns(tmp_path: Path, strategy: str) -> None:
    changes = {
        "run": {"strategy": strategy, "rounds": 100, "devices": 2},
        "training": {"rate": 0.05, "samples": 24},
        "evaluation": {"tasks": 50, "rate": 0.05, "every": 50},
        "network": {"layers": [1, 16, 16, 1]},
    }
    ended = run(tmp_path, **changes)
    config = load_config(tmp_path / "run.toml")
    tests = episodes(config.family, 50, 8)
    before = evaluate(config.shape, config.shape.initial(config.seed), tests, config.evaluation)
    middle, last = (record.score for record in ended.records if record.score is not None)
    assert middle < 0.95 * before.mean
    assert last < middle


def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    changes = {
        "run": {"rounds": 800},
        "training": {"rate": 0.02, "samples": 8, "head_samples": 2, "head": "kept"},
    }
    whole = run(tmp_path / "whole", **changes)
    config = write_config(tmp_path / "killed", **changes)
    command = [sys.executable, "-c", "from tinyc.cli import main; main()", "federate", "run", str(config)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TINYC_NO_PROGRESS": "1"}
    state = config.with_suffix(".run")
    stopped_at: list[int] = []
    for _ in range(20):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        before = stopped_at[-1] if stopped_at else 0
        while process.poll() is None and (len(stopped_at) == 1 or done(state) <= before):
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, said
        stopped_at.append(done(state))
    assert len(stopped_at) >= 1
    assert all(0 < number < 800 for number in stopped_at)
    with RunState(state) as ended:
        progress = ended.progress()
        assert progress is not None
        assert progress.parameters.tobytes() == whole.progress.parameters.tobytes()
        assert progress.recent == whole.progress.recent
        assert ended.records() == whole.records
        assert ended.tallies() == whole.tallies


def done(path: Path) -> int:
    """Rounds that the file has; 0 while it is not there yet."""
    with suppress(TinycError):
        if path.is_file():
            with RunState(path) as state:
                progress = state.progress()
                return 0 if progress is None else progress.done
    return 0


def test_dropouts_and_stragglers_are_counted_and_left_out(tmp_path: Path) -> None:
    fleet = [
        {"kind": "simulated", "count": 4},
        {"kind": "simulated", "count": 3, "name": "gone", "dropout": 1.0},
        {"kind": "simulated", "count": 3, "name": "slow", "slow": 1.0},
    ]
    ended = run(tmp_path, fleet, run={"devices": 10, "rounds": 5}, robust={"deadline": 0.05})
    assert {(r.asked, r.used, r.dropped, r.late) for r in ended.records} == {(10, 4, 3, 3)}
    assert ended.tallies["gone-4"].last_problem == "gone-4: did not answer"
    assert "of 0.05 s" in ended.tallies["slow-9"].last_problem
    alone = run(tmp_path / "alone", [{"kind": "simulated", "count": 10}], run={"devices": 10, "rounds": 5})
    assert {record.used for record in alone.records} == {10}


@pytest.mark.parametrize(
    ("devices", "rounds", "defences"),
    [
        (1, 120, [{"clip": 4.0}]),
        (9, 50, [{"clip": 0.0, "aggregate": "median"}, {"clip": 0.0, "aggregate": "trimmed", "trim": 0.25}]),
    ],
)
def test_poisoned_runs_learn_all_the_same(
    tmp_path: Path, devices: int, rounds: int, defences: list[dict[str, object]]
) -> None:
    fleet = [
        {"kind": "simulated", "count": 18},
        {"kind": "simulated", "count": 2, "name": "liar", "poison": "flip"},
    ]
    changes = {"run": {"devices": devices, "rounds": rounds}, "evaluation": {"tasks": 50}}
    clean = run(tmp_path / "clean", [{"kind": "simulated", "count": 20}], robust={"clip": 0.0}, **changes)
    open_to = run(tmp_path / "open", fleet, robust={"clip": 0.0}, **changes)
    assert clean.score is not None
    # Without a defence the liars ruin it: a start from which devices diverge has no score at all.
    assert open_to.score is None or open_to.score > 2 * clean.score
    for number, robustness in enumerate(defences):
        defended = run(tmp_path / str(number), fleet, robust=robustness, **changes)
        assert defended.score is not None
        assert defended.score < 1.5 * clean.score


def test_nan_from_a_device_is_refused_and_told(tmp_path: Path) -> None:
    fleet = [
        {"kind": "simulated", "count": 2},
        {"kind": "simulated", "count": 1, "name": "broken", "poison": "nan"},
    ]
    for top in (1.0, 0.5):
        training = {"rate": 0.02, "samples": 8, "top": top}
        ended = run(tmp_path / str(top), fleet, run={"devices": 3, "rounds": 4}, training=training)
        assert np.isfinite(ended.progress.parameters).all()
        assert {(record.used, record.refused) for record in ended.records} == {(2, 1)}
        assert "NaN" in ended.tallies["broken-2"].last_problem


def two_and(*scripted: Scripted) -> Callable[[FederateConfig], Sequence[Client]]:
    """Two simulated devices, and these."""

    def make(config: FederateConfig) -> Sequence[Client]:
        return [*clients_of(config)[:2], *scripted]

    return make


def honest(parameters: Vector, config: TrainConfig) -> Update:
    return update(np.full(parameters.size, 0.001))


def test_a_device_that_hangs_sits_out_until_it_is_done(tmp_path: Path) -> None:
    release, calls = threading.Event(), []

    def hangs(parameters: Vector, config: TrainConfig) -> Update:
        calls.append(config.seed)
        release.wait(30)
        return honest(parameters, config)

    device = Scripted("stuck", hangs)
    try:
        ended = run(tmp_path, make=two_and(device), run={"devices": 3, "rounds": 4}, robust={"deadline": 0.3})
    finally:
        release.set()
    assert len(calls) == 1
    assert [(record.asked, record.used, record.late) for record in ended.records] == [
        (3, 2, 1),
        *[(2, 2, 0)] * 3,
    ]


def test_devices_in_threads_and_here_keep_their_order(tmp_path: Path) -> None:
    def slow(parameters: Vector, config: TrainConfig) -> Update:
        time.sleep(0.01)
        return honest(parameters, config)

    def parameters(name: str, answer: Callable[[Vector, TrainConfig], Update]) -> bytes:
        device = Scripted("threaded", answer)
        ended = run(tmp_path / name, make=two_and(device), run={"devices": 3, "rounds": 5})
        assert {record.used for record in ended.records} == {3}
        return ended.progress.parameters.tobytes()

    assert parameters("fast", honest) == parameters("slow", slow)


def test_a_silent_fleet_stops_the_run_where_it_can_go_on(tmp_path: Path) -> None:
    silent = True

    def flaky(parameters: Vector, config: TrainConfig) -> Update:
        if silent:
            raise ClientError("has no power", where="board")
        return honest(parameters, config)

    config = load_config(write_config(tmp_path, run={"rounds": 40}))
    with RunState(tmp_path / "run.run", create=True) as state:
        with pytest.raises(TinycError, match=r"no device answered in 20 rounds.*has no power"):
            Run(config, [Scripted("board", flaky)], state).advance()
        progress = state.progress()
        assert progress is not None and progress.done == 20
        silent = False
        assert Run(config, [Scripted("board", flaky)], state).advance().done == 40
        assert state.tallies()["board"].dropped == 20


def test_a_bug_in_a_device_is_no_dropout(tmp_path: Path) -> None:
    def wrong(parameters: Vector, config: TrainConfig) -> Update:
        raise ZeroDivisionError("bug")

    with pytest.raises(ZeroDivisionError, match="bug"):
        run(tmp_path, make=lambda config: [Scripted("board", wrong)])


def test_devices_with_another_network_are_refused(tmp_path: Path) -> None:
    other = Scripted("board", honest, NetworkShape((1, 9, 1)))
    with pytest.raises(TinycError, match="board: trains"):
        run(tmp_path, make=lambda config: [other])


def test_state_of_another_run_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(TinycError, match="another configuration"):
        run(tmp_path, run={"seed": 99})


def test_two_processes_cannot_go_on_with_one_run(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path))
    with RunState(tmp_path / "run.run", create=True) as state:
        first, second = (Run(config, clients_of(config), state) for _ in range(2))
        first.advance()
        with pytest.raises(TinycError, match="another process"):
            second.advance()


def test_a_checkpoint_is_all_or_nothing(tmp_path: Path) -> None:
    ended = run(tmp_path)
    with RunState(tmp_path / "run.run") as state:
        further = replace(ended.progress, done=31)
        another = [replace(ended.records[0], number=30)]
        broken = ended.tallies | {"sim-0": object()}
        with pytest.raises(TypeError):
            state.save(further, 30, another, broken, {})  # type: ignore[arg-type]
        progress = state.progress()
        assert progress is not None and isinstance(progress, Progress)
        assert progress.done == 30
        assert state.records() == ended.records
        assert state.tallies() == ended.tallies


def test_a_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.run"
    path.write_text("not a database, but longer than a header of one, so that it is looked at" * 20)
    with pytest.raises(TinycError, match="is not the state of a run"):
        RunState(path)
    with pytest.raises(TinycError, match="no such run"):
        RunState(tmp_path / "none")
