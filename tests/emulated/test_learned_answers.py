"""`tinyc run` and `tinyc monitor` on a device that learns: the active head's answers beside the network's."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from support import learn_models, tflite_writer
from support.command_line import Said, tinyc
from support.learn_builds import NAMES, LearnBuilds
from tinyc import artifact, interpreter
from tinyc.cli.learn.heads import bring
from tinyc.cli.monitor import entry
from tinyc.cli.monitor_view import View
from tinyc.device.client import DeviceClient
from tinyc.device.errors import Restarted
from tinyc.emulator import Machine
from tinyc.execution import dequantize
from tinyc.ir.tensor import Array
from tinyc.learning import head_file
from tinyc.learning.answers import HeadAnswers, network_answer
from tinyc.learning.settings import LearnSettings
from tinyc.monitoring import ranking, raw_job, watch
from tinyc.preparation import Prepared
from tinyc.program import Program

pytestmark = pytest.mark.emulated

WAVE = 5


@dataclass(frozen=True)
class Project:
    """A build, a head that has learned `wave` on it, and inputs of the old and the new classes."""

    out: Path
    program: Program
    head: Path
    inputs: Path
    vectors: Array


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> LearnBuilds:
    return LearnBuilds(tmp_path_factory.mktemp("answers"))


def saved(builds: LearnBuilds, head: str, board: str = "nrf52840", toolchain: str = "zig") -> Path:
    """The build folder of a program that learns."""
    program = replace(builds.program(head, board), labels=NAMES)
    firmware = builds.firmware(head, board, toolchain)
    return artifact.save(firmware.folder, program, Prepared(program.graph), firmware).folder


@pytest.fixture(scope="module")
def project(builds: LearnBuilds, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    out = saved(builds, "slda")
    np.save(folder / "wave.npy", learn_models.samples((WAVE,), 12, 11).inputs)
    vectors = learn_models.samples((0, WAVE, 3), 2, 12).inputs
    np.save(folder / "x.npy", vectors)
    said = succeeds(
        *("learn", "--model", out, "teach", "wave", "--input", folder / "wave.npy"),
        *("--export", folder / "wave.head", "--json"),
    )
    assert said.json["promoted"]
    program = artifact.open_artifact(out).program
    return Project(out, program, folder / "wave.head", folder / "x.npy", vectors)


@pytest.fixture
def machine(project: Project) -> Iterator[Machine]:
    found = artifact.open_artifact(project.out)
    with Machine(found.elf, found.program.board) as machine:
        yield machine


def succeeds(*arguments: object) -> Said:
    said = tinyc(*arguments)
    assert said.code == 0, said.stderr
    return said


def expected(project: Project, state: bytes | None) -> list[tuple[int, float, int]]:
    """Class and score by the twin of the head, and the network's class, of every input."""
    learning = project.program.learning
    assert learning is not None
    twin, graph, found = learning.head.head(state), project.program.graph, []
    for vector in project.vectors:
        outputs = interpreter.run(graph, [vector[None]])
        latent = dict(zip(graph.outputs, outputs, strict=True))[learning.tap.tensor].reshape(-1)
        scores = twin.scores(latent.astype(np.int8))
        best = int(np.argmax(scores))
        found.append((best, float(scores[best]), int(np.argmax(outputs[0]))))
    return found


def check(rows: list[dict[str, Any]], wanted: list[tuple[int, float, int]]) -> None:
    names = (*NAMES, "wave")
    for row, (index, score, network) in zip(rows, wanted, strict=True):
        assert (row["index"], row["label"], row["score"]) == (index, names[index], score)
        assert [row["head"][key] for key in ("index", "label", "score")] == [index, names[index], score]
        assert (row["network"]["index"], row["network"]["label"]) == (network, NAMES[network])
        assert row["head"]["shadow"] is None and row["head"]["drift"] == "stable"


def test_run_answers_with_the_head(project: Project) -> None:
    """The factory's head, then the one of a file: a class that the network does not have."""
    factory = succeeds("run", project.out, "--input", project.inputs, "--json").json
    assert (factory["head"]["kind"], factory["head"]["sequence"]) == ("slda", 0)
    check(factory["results"], expected(project, None))
    learned = succeeds("run", project.out, "--input", project.inputs, "--head", project.head, "--json").json
    assert learned["head"]["sequence"] == 1
    check(learned["results"], expected(project, head_file.read(project.head).state))
    assert [row["label"] for row in learned["results"]].count("wave") == 2
    assert "wave" not in [row["label"] for row in factory["results"]]
    # An import before the inferences is not counted as a part of them.
    assert learned["instructions"] == factory["instructions"]

    said = succeeds("run", project.out, "--input", project.inputs, "--head", project.head)
    header, *_ = (line for line in said.stdout.splitlines() if "answer" in line)
    assert "network" in header and "shadow" not in header and "drift" not in header
    assert said.stdout.count(" wave ") == 2
    assert "head 1 (slda, 6 of 8 classes) answers" in said.stderr


def test_shadow_and_drift_are_told_when_they_matter(
    project: Project, machine: Machine, tmp_path: Path
) -> None:
    port = machine.serve_pty()
    few = learn_models.samples((WAVE,), 4, 11).inputs
    np.save(tmp_path / "few.npy", few)
    teach = ("--model", project.out, "teach", "wave", "--input", tmp_path / "few.npy")
    assert "not promoted" in succeeds("learn", "--port", port, *teach).stderr
    row = succeeds("run", project.out, "--port", port, "--input", tmp_path / "few.npy", "--json").json
    assert row["head"]["sequence"] == 0
    assert {each["head"]["shadow"] for each in row["results"]} == {"wave"}
    assert not {each["label"] for each in row["results"]} - set(NAMES)
    noise = np.random.default_rng(1).integers(-128, 128, (30, 12, 10, 1)).astype(np.int8)
    np.save(tmp_path / "noise.npy", noise)
    succeeds("run", project.out, "--port", port, "--input", tmp_path / "noise.npy")
    said = succeeds("run", project.out, "--port", port, "--input", tmp_path / "few.npy")
    header, *_ = (line for line in said.stdout.splitlines() if "answer" in line)
    assert "shadow" in header and "drift" in header and said.stdout.count("alarm") == 4

    # What is watched is the same device, with what it has learned and wants.
    for model in ((project.out,), ()):
        watched = succeeds("monitor", *model, "--port", port, "--once", "--input", tmp_path / "few.npy")
        update = json.loads(watched.stdout)
        told = update["learning"]
        assert (told["kind"], told["sequence"], told["fresh"], told["classes"]) == ("slda", 0, 4, 6)
        assert told["drift"] == "alarm" and told["wants_labels"] is True
        for result, ran in zip(update["results"], row["results"], strict=True):
            assert (result["label"], result["score"]) == (ran["label"], ran["score"])
            assert result["head"]["shadow"] == "wave" and result["head"]["drift"] == "alarm"
            if model:
                assert result["ranking"][0][0] == ran["network"]["label"]


def test_the_view_shows_what_was_learned(
    project: Project, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = io.StringIO()
    monkeypatch.setattr("tinyc.cli.output.console", lambda: Console(file=drawn, width=120))
    client = DeviceClient(machine.transport)
    hello = client.hello()
    answers = HeadAnswers(client.learner)
    job = raw_job(client, hello, "x", project.vectors[0].tobytes(), answers)
    with View("PORT", ["x"]) as view:
        for update in watch(client, jobs=[job], once=True, answers=answers):
            view.show(update)
    assert "the factory's head (slda, 5 of 8 classes)" in drawn.getvalue()
    assert "stable, 0 alarms, asks for no labels" in drawn.getvalue()
    (row,) = [line for line in drawn.getvalue().splitlines() if line.startswith("x ")]
    assert any(name in row for name in NAMES)


def test_another_head_becomes_active(project: Project, machine: Machine, tmp_path: Path) -> None:
    """While a device is watched: names are those of the head that answers."""
    client = DeviceClient(machine.transport)
    answers = HeadAnswers(client.learner)
    with pytest.raises(Restarted):
        answers.answer()
    wave, renamed = project.vectors[1].tobytes(), tmp_path / "clap.head"
    head = head_file.read(project.head)
    head_file.save(renamed, replace(head, classes=(*NAMES, "clap", "", "")))
    job = raw_job(client, client.hello(), "x", wave, answers)
    for path, name in ((project.head, "wave"), (renamed, "clap")):
        bring(client, path)
        tuple(watch(client, once=True, answers=answers))
        (update,) = watch(client, jobs=[job], once=True, answers=answers)
        (result,) = update.results
        assert result.head is not None and result.head.answer.label == name
        assert entry(update)["results"][0]["label"] == name  # type: ignore[index]
    assert update.learned is not None and update.learned.kept.sequence == 2
    assert update.learned.counts.forced == 2


def test_a_head_file_that_does_not_suit(project: Project, tmp_path: Path) -> None:
    run = ("run", project.out, "--input", project.inputs, "--head")
    other = tmp_path / "other.head"
    head_file.save(other, replace(head_file.read(project.head), body=bytes(8)))
    said = tinyc(*run, other)
    assert said.code == 4 and not said.stdout and "another network" in said.stderr
    said = tinyc(*run, project.inputs)
    assert said.code == 1 and "tinyc learn export" in said.stderr
    head = ("--port", "/dev/null", "--head", project.head)
    for words in (("run", project.out, *head, "--input", project.inputs), ("learn", *head, "stats")):
        said = tinyc(*words)
        assert said.code == 1 and f"tinyc learn --port /dev/null import {project.head}" in said.stderr
    said = tinyc("run", network(tmp_path), "--board", "host", *run[2:], project.head)
    assert said.code == 1 and "does not learn" in said.stderr


def test_a_learned_head_can_learn_on(project: Project, tmp_path: Path) -> None:
    where = ("learn", "--model", project.out, "--head", project.head)
    assert succeeds(*where, "stats", "--json").json["kept"]["sequence"] == 1
    names = [each["name"] for each in succeeds(*where, "classes", "--json").json["classes"]]
    assert names == [*NAMES, "wave"]


class OfNumbers(LearnBuilds):
    """Heads whose answers are numbers: a regression learns the mean and the deviation of its input."""

    def settings(self, head: str) -> LearnSettings:
        inputs = learn_models.samples((0, 1, 2, 3, 4), 40, 3).inputs
        labels = np.stack([inputs.mean((1, 2, 3)), inputs.std((1, 2, 3))], 1).astype(np.float32)
        np.savez(self.data, inputs=inputs, labels=labels)
        return LearnSettings(head=head, data=self.data, min_updates=4)


def test_a_learned_head_behind_a_pseudo_terminal(project: Project) -> None:
    command = [sys.executable, "-c", "from tinyc.cli import main; main()", "run", str(project.out), "--pty"]
    command += ["--head", str(project.head)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            said = succeeds("run", project.out, "--port", port, "--input", project.inputs, "--json").json
        finally:
            process.kill()
    assert said["head"]["sequence"] == 1
    check(said["results"], expected(project, head_file.read(project.head).state))


@pytest.mark.parametrize("kind", ["regression", "autoencoder"])
def test_heads_whose_answers_are_numbers(tmp_path: Path, kind: str) -> None:
    """Values, or the error and its threshold, with the bits of the twin."""
    out = saved(OfNumbers(tmp_path), kind, "nrf52840", "gcc")
    program = artifact.open_artifact(out).program
    learning = program.learning
    assert learning is not None
    usual = learn_models.samples((0, 1), 1, 5).inputs
    vectors = np.concatenate(
        [usual, np.random.default_rng(1).integers(-128, 128, usual.shape).astype(np.int8)]
    )
    np.save(tmp_path / "x.npy", vectors)
    # Something that was learned: the twin has it, and the chip gets it as a file.
    succeeds("learn", "--model", out, "export", tmp_path / "a.head")
    changed = learning.head.head()
    for vector in vectors[:2]:
        outputs = dict(
            zip(program.graph.outputs, interpreter.run(program.graph, [vector[None]]), strict=True)
        )
        latent = outputs[learning.tap.tensor].reshape(-1).astype(np.int8)
        changed.update(latent, np.full(learning.head.capacity, 3, np.float32))
    exported = head_file.read(tmp_path / "a.head")
    head_file.save(tmp_path / "a.head", replace(exported, state=changed.to_bytes()))
    factory = succeeds("run", out, "--input", tmp_path / "x.npy", "--json").json["results"]
    learned = succeeds(
        "run", out, "--input", tmp_path / "x.npy", "--head", tmp_path / "a.head", "--json"
    ).json["results"]
    graph = program.graph
    for state, rows in ((None, factory), (head_file.read(tmp_path / "a.head").state, learned)):
        twin: Any = learning.head.head(state)
        for vector, row in zip(vectors, rows, strict=True):
            outputs = dict(zip(graph.outputs, interpreter.run(graph, [vector[None]]), strict=True))
            scores = twin.scores(outputs[learning.tap.tensor].reshape(-1).astype(np.int8))
            if kind == "regression":
                assert row["head"]["values"] == scores.tolist() and row["score"] == row["head"]["values"][0]
                assert len(row["network"]["values"]) == 5
                continue
            error = twin.error(scores, dequantize(graph[graph.inputs[0]], vector.reshape(-1)))
            threshold = learning.head.options["threshold"]
            assert row["score"] == float(error) and row["head"]["threshold"] == threshold
            assert row["label"] == ("anomaly" if error > threshold else "normal")
    assert all(now["score"] != before["score"] for now, before in zip(learned, factory, strict=True))
    if kind == "autoencoder":
        assert {row["label"] for row in factory[2:]} == {"anomaly"}
    said = succeeds("run", out, "--input", tmp_path / "x.npy")
    assert ("anomaly" in said.stdout) == (kind == "autoencoder")


def test_the_network_of_a_sparse_head_is_whole(builds: LearnBuilds) -> None:
    """The last layers are the head: what the network says are the scores that the factory's give."""
    program = replace(builds.program("sparse"), labels=NAMES)
    for vector in learn_models.samples((0, 1, 2, 3, 4), 2, 5).inputs:
        said = network_answer(program, interpreter.run(program.graph, [vector[None]]))
        whole = interpreter.run(learn_models.body(), [vector[None]])[0].reshape(-1)
        assert whole[said.index] == whole.max() and said.label == NAMES[said.index]
        assert ranking(program, interpreter.run(program.graph, [vector[None]]))[0] == (said.label, said.score)


def network(folder: Path) -> Path:
    """The network alone, as a model file."""
    path = folder / "net.tflite"
    path.write_bytes(tflite_writer.write(learn_models.body()))
    return path
