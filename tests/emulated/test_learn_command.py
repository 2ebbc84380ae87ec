"""`tinyc learn` on the firmware of a real build, and what the registry knows after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import learn_models, tflite_writer
from support.command_line import Said, tinyc
from support.report_pages import page_data
from support.smp_peer import PeerLine, serial_port
from tinyc import interpreter
from tinyc.artifact import Artifact, open_artifact
from tinyc.emulator import Machine
from tinyc.learning import head_file

pytestmark = pytest.mark.emulated

NAMES = ("up", "down", "left", "right", "stop")
WAVE = 5


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learner") / "project"
    folder.mkdir()
    (folder / "net.tflite").write_bytes(tflite_writer.write(learn_models.body()))
    learn_models.write_factory_data(folder / "factory.npz")
    names = ", ".join(f'"{name}"' for name in NAMES)
    (folder / "tinyc.toml").write_text(
        f'[model]\npath = "net.tflite"\nname = "learner"\nversion = "1.2.0"\n[labels]\nnames = [{names}]\n'
        '[boards]\ndefault = "nrf52840"\n[registry]\nat = ".tinyc/registry"\n'
        '[learn]\nhead = "slda"\ndata = "factory.npz"\ncapacity = 8\nmin_updates = 4\narl0 = 1000\n',
        encoding="utf-8",
    )
    vectors(folder / "wave.npy", (WAVE,), 20, 11)
    vectors(folder / "up.npy", (0,), 5, 12)
    shape = (40, 12, 10, 1)
    np.save(folder / "noise.npy", np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8))
    return folder


def vectors(path: Path, classes: tuple[int, ...], each: int, seed: int) -> None:
    np.save(path, learn_models.samples(classes, each, seed).inputs)


@pytest.fixture(scope="module")
def found(project: Path) -> Artifact:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TINYC_REGISTRY")
        succeeds("build", project, "--out", project / "out")
    return open_artifact(project / "out")


def test_page_of_a_build_that_learns(found: Artifact) -> None:
    succeeds("report", found.folder)
    build = page_data(found.folder / "report.html")["build"]
    assert build["outputs"] == list(found.program.graph.outputs) and build["costs"] == "counted"
    assert build["ram"] == found.report["ram"] > build["arena"]


@pytest.fixture
def port(found: Artifact) -> Iterator[str]:
    with Machine(found.elf, found.program.board) as machine:
        yield machine.serve_pty()


def succeeds(*arguments: object) -> Said:
    said = tinyc(*arguments)
    assert said.code == 0, said.stderr
    return said


def learn(port: str, *arguments: object) -> Said:
    return tinyc("learn", "--port", port, *arguments)


def told(port: str, *arguments: object) -> Any:
    """The JSON of a verb that succeeds."""
    return succeeds("learn", "--port", port, *arguments, "--json").json


def asked(*arguments: object) -> list[dict[str, str]]:
    """The rows of a named query."""
    bindings = succeeds("registry", "ask", *arguments, "--json").json["results"]["bindings"]
    return [{name: each["value"] for name, each in row.items()} for row in bindings]


def test_from_teaching_to_the_registry(
    project: Path, found: Artifact, port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.delenv("TINYC_REGISTRY")
    before = told(port, "stats")
    chip = before["device"]["chip"]
    assert (before["head"], before["kept"]["sequence"], before["classes"]) == ("slda", 0, 5)
    assert before["body"] == found.program.learning.safety.body_hash.hex()  # type: ignore[union-attr]

    taught = told(port, "--model", "out", "teach", "wave", "--input", "wave.npy")
    assert (taught["class"], taught["index"], taught["new"]) == ("wave", WAVE, True)
    assert (taught["learned"], taught["held_out"], taught["promoted"]) == (16, 4, True)
    after = told(port, "stats")
    assert (after["kept"]["sequence"], after["classes"]) == (taught["sequence"], 6)
    classes = told(port, "classes")["classes"]
    assert [each["name"] for each in classes] == [*NAMES, "wave"]
    assert classes[WAVE]["samples"] > 0 and classes[WAVE]["from"] == "device"

    # The state is in the registry, with the release it comes from and what guarded it.
    (state, *_) = asked("learned-states", f"device={chip}")
    assert (state["sequence"], state["name"], state["release"]) == (
        str(taught["sequence"]),
        "learner",
        "1.2.0",
    )
    guard = after["shape"]["guard"]
    assert float(state["before"]) == pytest.approx(before["marks"]["guard_active"] / guard, abs=1e-6)
    assert float(state["after"]) == pytest.approx(after["marks"]["guard_active"] / guard, abs=1e-6)
    assert asked("drifted") == []

    # The head as a file: the twin with it says what the device says.
    path = tmp_path / "wave.head"
    exported = told(port, "export", path)
    head = head_file.read(path)
    assert (head.head, head.classes[:6]) == (exported["head"], (*NAMES, "wave"))
    assert (head.model, head.version, head.digest) == ("learner", "1.2.0", found.program.digest)
    labelled = told(port, "--model", "out", "label", "up", "--input", "up.npy")
    assert labelled["new"] is False and labelled["outcome"] is None
    learning = found.program.learning
    assert learning is not None
    twin = learning.head.head(head.state)
    for lesson, vector in zip(labelled["lessons"], np.load("up.npy"), strict=True):
        outputs = interpreter.run(found.program.graph, [vector.reshape(1, 12, 10, 1)])
        latent = dict(zip(found.program.graph.outputs, outputs, strict=True))[learning.tap.tensor]
        scores = twin.scores(latent.reshape(-1).astype(np.int8))
        assert lesson["active"] == twin.predict(latent.reshape(-1).astype(np.int8))
        assert np.float32(lesson["score"]) == scores[lesson["active"]]

    # Forgotten, and brought back from the file.
    assert told(port, "reset")["outcome"] == "reverted"
    assert [each["name"] for each in told(port, "classes")["classes"]] == list(NAMES)
    imported = told(port, "import", path)
    assert imported["outcome"] == "promoted"
    assert told(port, "classes")["classes"][WAVE]["name"] == "wave"
    assert told(port, "export", tmp_path / "again.head")["head"] == exported["head"]
    states = asked("learned-states", f"device={chip}")
    assert [int(each["sequence"]) for each in states] == [imported["sequence"], taught["sequence"]]

    # Other input than the factory's: the device sees that by itself, and a sync tells the registry.
    succeeds("run", "out", "--port", port, "--input", "noise.npy")
    drift = told(port, "stats")["drift"]
    assert drift["state"] == "alarm" and drift["wants_labels"]
    (seen,) = succeeds("registry", "sync", "--port", port, "--json").json["devices"]
    assert seen["note"] is None
    (row,) = asked("drifted")
    assert (row["chip"], row["state"].rsplit("#")[-1]) == (chip, "Drifted")
    assert len(asked("learned-states", f"device={chip}")) == 2
    assert succeeds("registry", "validate", "--json").json == []


def test_verbs_for_people(project: Path, found: Artifact, port: str, tmp_path: Path) -> None:
    with_model = ("--model", project / "out")
    assert "no inference" in learn(port, "label", "up").stderr
    said = learn(port, *with_model, "label", "nobody", "--input", project / "up.npy")
    assert said.code == 1 and "up, down, left, right, stop" in said.stderr
    said = learn(port, *with_model, "teach", "wave")
    assert said.code == 1 and "--live" in said.stderr
    said = learn(port, *with_model, "teach", "--input", project / "up.npy")
    assert said.code == 1 and "the name of a class" in said.stderr
    said = learn(port, *with_model, "teach", "wave", "--live")
    assert said.code == 1 and "takes no sound" in said.stderr
    # A new class without an example that is held out is not promoted, and the reason is told.
    np.save(tmp_path / "few.npy", np.load(project / "wave.npy")[:3])
    said = learn(port, *with_model, "teach", "wave", "--input", tmp_path / "few.npy")
    assert said.code == 0 and "3 learned, 0 held out" in said.stderr
    assert "not promoted: too few samples are held out" in said.stderr
    said = learn(port, "promote")
    assert said.code == 4 and "too few samples are held out" in said.stderr
    assert learn(port, "discard").code == 0
    said = learn(port, "promote")
    assert said.code == 4 and "nothing was learned" in said.stderr
    assert learn(port, "revert").code == 4
    # What `tinyc run` asked for last gets its label once.
    succeeds("run", project / "out", "--port", port, "--input", project / "up.npy")
    assert learn(port, "label", "up").code == 0
    said = learn(port, "label", "up")
    assert said.code == 1 and "has its label already" in said.stderr
    assert re.search(r"learned\W+\d+, 1 of them not yet active", learn(port, "stats").stdout)
    assert "room for 2 more" in learn(port, "classes").stdout


def test_heads_for_other_networks(project: Path, found: Artifact, port: str, tmp_path: Path) -> None:
    """Refused with what differs, before anything is sent."""
    path = tmp_path / "a.head"
    told(port, "export", path)
    head = head_file.read(path)
    head_file.save(path, replace(head, body=bytes(8), digest="ab" * 32, model="other"))
    said = learn(port, "import", path)
    assert said.code == 4
    assert "another network" in said.stderr and "`other 1.2.0` in the file" in said.stderr
    path.write_bytes(b"{}")
    said = learn(port, "import", path)
    assert said.code == 1 and "is no learned head" in said.stderr


def test_without_a_port_the_emulated_chip_learns(project: Path, found: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "wave.head"
    said = succeeds(
        *("learn", "--model", project / "out", "teach", "wave", "--input", project / "wave.npy"),
        *("--export", path, "--json"),
    )
    assert said.json["promoted"] and "forgets at the end" in said.stderr
    head = head_file.read(path)
    assert (head.sequence, head.classes[WAVE]) == (said.json["sequence"], "wave")


def test_a_device_that_does_not_learn() -> None:
    with serial_port(PeerLine()) as port:
        said = learn(port, "stats")
    assert said.code == 1
    assert "does not learn" in said.stderr and "--learn" in said.stderr
