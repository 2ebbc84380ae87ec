"""`tinyc monitor` and the other verbs with a port, on the firmware of a real build."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support import tflite_writer
from support.classifiers import small_classifier
from support.command_line import tinyc
from tinyc.artifact import Artifact, open_artifact
from tinyc.device.transport import SerialTransport
from tinyc.emulator import Machine

pytestmark = pytest.mark.emulated

NAMES = ("yes", "no", "up", "down", "stop")


def folder_with(path: Path, seed: int, *lines: str) -> Path:
    """A folder with a small model and a tinyc.toml."""
    path.mkdir()
    (path / "net.tflite").write_bytes(tflite_writer.write(small_classifier(np.random.default_rng(seed))))
    (path / "tinyc.toml").write_text("\n".join(["[model]", 'path = "net.tflite"', *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ", ".join(f'"{name}"' for name in NAMES)
    return folder_with(tmp_path_factory.mktemp("project") / "a", 11, "[labels]", f"names = [{names}]")


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    said = tinyc("build", project, "--board", "nrf52840", "--out", project / "out")
    assert said.code == 0, said.stderr
    return project / "out"


@pytest.fixture(scope="module")
def found(built: Path) -> Artifact:
    return open_artifact(built)


@pytest.fixture
def port(found: Artifact) -> Iterator[str]:
    with Machine(found.elf, found.program.board) as machine:
        yield machine.serve_pty()


@pytest.fixture
def vectors(found: Artifact, tmp_path: Path) -> Path:
    tensor = found.program.graph[found.program.graph.inputs[0]]
    batch = np.random.default_rng(1).integers(-128, 128, (3, *tensor.shape[1:])).astype(np.int8)
    np.save(tmp_path / "x.npy", batch)
    return tmp_path / "x.npy"


@pytest.mark.parametrize("what", ["out", "."])
def test_answers_are_those_of_run(project: Path, vectors: Path, port: str, what: str) -> None:
    """With the build folder, and with the model that the build was made from."""
    watched = tinyc("monitor", project / what, "--port", port, "--once", "--input", vectors)
    assert watched.code == 0, watched.stderr
    update = json.loads(watched.stdout)
    ran = tinyc("run", project / "out", "--port", port, "--input", vectors, "--json").json["results"]
    assert update["runs"] == 3 and update["device"]["board"] == "nrf52840"
    assert len(update["results"]) == 3
    for result, expected in zip(update["results"], ran, strict=True):
        assert (result["input"], result["label"]) == (expected["input"], expected["label"])
        assert result["label"] in NAMES and {name for name, _ in result["ranking"]} < set(NAMES)
        assert result["score"] == expected["score"] == result["ranking"][0][1]
        scores = [score for _, score in result["ranking"]]
        assert scores == sorted(scores, reverse=True)
        assert result["cycles"] > 1000
        assert result["milliseconds"] == pytest.approx(result["cycles"] / 64_000)


def test_another_model_than_the_device_has(vectors: Path, port: str, tmp_path: Path) -> None:
    other = folder_with(tmp_path / "other", 12)
    said = tinyc("monitor", other, "--port", port, "--once", "--input", vectors)
    assert said.code == 0 and "the device runs another model" in said.stderr
    (first, *_) = json.loads(said.stdout)["results"]
    assert first["label"] is None and first["outputs"] and first["cycles"] > 1000


def test_profile_of_a_board(built: Path, port: str) -> None:
    """The chip's own counter agrees with the emulator's estimate, which is its source here."""
    measured = tinyc("profile", built, "--port", port, "--json").json
    counted = tinyc("profile", built, "--json").json
    assert [layer["name"] for layer in measured["layers"]] == [layer["name"] for layer in counted["layers"]]
    for layer, expected in zip(measured["layers"], counted["layers"], strict=True):
        assert expected["cycles_estimated"] < layer["cycles"] < expected["cycles_estimated"] + 200
    layers = sum(layer["cycles"] for layer in measured["layers"])
    assert 0 < measured["cycles"] < layers
    said = tinyc("profile", built, "--port", port)
    assert f"{measured['cycles']:,}" in said.stdout and "total" in said.stdout


@pytest.mark.parametrize("verb", ["run", "verify", "profile", "monitor"])
def test_a_port_with_an_owner(built: Path, vectors: Path, port: str, verb: str) -> None:
    inputs = () if verb == "profile" else ("--input", vectors)
    with SerialTransport(port):
        said = tinyc(verb, built, "--port", port, *inputs)
    assert said.code == 1 and not said.stdout
    assert "another program has the port open" in said.stderr and port in said.stderr
