"""Versions of firmware for real boards: kernels, boards, sound, split models, and a registry beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.classifiers import small_classifier
from support.command_line import Said, tinyc
from support.paths import ROOT
from tinyc import artifact, pipeline
from tinyc.artifact import Artifact
from tinyc.audio.settings import AudioSettings
from tinyc.boards import load_board
from tinyc.objective import Objective
from tinyc.packaging import Signing
from tinyc.preparation import Prepared
from tinyc.signing.read import read_image
from tinyc.split import Split
from tinyc.versioning import Level, compare
from tinyc.versioning.building import manifest_of

pytestmark = pytest.mark.emulated

GRAPH = small_classifier(np.random.default_rng(7), "words")
AUDIO = AudioSettings(clip_samples=4_000, window=480, hop=320, coefficients=10)


def build(folder: Path, optimize: Objective, version: str, *, split: bool = False) -> Artifact:
    chosen = load_board("nrf52840").split() if split else load_board("nrf52840")
    program = pipeline.compile_graph(
        GRAPH, chosen, name="words", audio=AUDIO, optimize=optimize, version=version
    )
    parts = Split(chosen.model_map) if split else None
    firmware = pipeline.build(program, folder, split=parts)
    package = pipeline.package(firmware, program, Signing(), parts)
    return artifact.save(folder, program, Prepared(GRAPH), firmware, package, parts)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("builds")
    return {
        "time": build(folder / "time", Objective.TIME, "1.0.0"),
        "flash": build(folder / "flash", Objective.FLASH, "1.0.1-rc.2"),
        "split": build(folder / "split", Objective.TIME, "1.0.0", split=True),
    }


def test_other_kernels_are_a_patch(builds: dict[str, Artifact]) -> None:
    old, new = manifest_of(builds["time"]), manifest_of(builds["flash"])
    kernels = [[layer["kernel"] for layer in builds[name].report["layers"]] for name in ("time", "flash")]
    assert kernels[0] != kernels[1]
    verdict = compare(old, new)
    assert {"code", "sizes"} <= {reason.rule for reason in verdict.reasons}
    # Only a firmware that shrinks by a tenth is more than that.
    smaller = "smaller" in {reason.rule for reason in verdict.reasons}
    assert verdict.level is (Level.MINOR if smaller else Level.PATCH)
    assert old.golden == new.golden


def test_the_image_of_a_candidate_has_the_numbers_of_its_release(builds: dict[str, Artifact]) -> None:
    image = read_image(builds["flash"].file("image").read_bytes())
    assert (image.version, image.model_version) == ("1.0.1", "1.0.1-rc.2")


def test_the_sound_is_part_of_the_contract(builds: dict[str, Artifact]) -> None:
    found = manifest_of(builds["time"])
    assert (found.input.type, found.input.sensor) == ("audio", "microphone")
    assert found.input.settings["sample_rate"] == 16_000


def test_a_split_build_counts_firmware_and_model(builds: dict[str, Artifact]) -> None:
    found = manifest_of(artifact.open_artifact(builds["split"].folder))
    target, report = found.targets["nrf52840"], builds["split"].report
    assert target.flash == report["flash"] + report["split"]["image"]
    assert target.code != manifest_of(builds["time"]).targets["nrf52840"].code
    assert compare(found, found).level is Level.NONE


def ok(*arguments: object) -> Said:
    said = tinyc(*arguments)
    assert said.code == 0, said.stderr
    return said


def test_registered_versions_guard_the_next_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sine.keras", "calibration.npz"):
        shutil.copy(ROOT / "examples/sine" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYC_REGISTRY", raising=False)
    configure(tmp_path, "1.0.0")
    ok("registry", "init")
    ok("build", "--board", "nrf52840")
    # The same model for another board: the number that it has is good.
    ok("build", "--board", "microbit")
    told = ok("version", "build/nrf52840", "build/microbit", "--json").json
    assert [reason["rule"] for reason in told["reasons"]] == ["new-board"]
    with np.load("calibration.npz") as stored:
        inputs = stored["inputs"]
    np.savez("calibration.npz", inputs=inputs * np.float32(1.5))
    for number in ("1.0.0", "1.1.0"):
        configure(tmp_path, number)
        said = tinyc("build", "--board", "microbit")
        assert said.code == 1
        assert f"version {number} of `sine` is too low: what changed since 1.0.0 needs 2.0.0" in said.stderr
    configure(tmp_path, "2.0.0", 'base = "sine@1.0.0"\nrelation = "fine-tuned"')
    ok("build", "--board", "microbit")
    told = ok("version", "sine@1.0.0", "sine@2.0.0", "--json").json
    assert told["level"] == "major"
    assert ok("version", "build/microbit", "--json").json["old"]["version"] == "1.0.0"
    fields = ok("registry", "diff", "sine@1.0.0", "sine@2.0.0", "--json").json["fields"]
    assert "prov:wasDerivedFrom" in {field["field"] for field in fields}
    boards = ok("registry", "match", "--model", "sine@2.0.0", "--json").json
    assert boards[0]["fits"]
    assert {each["basis"] for each in boards if each["board"] == "microbit"} == {"measured"}
    ok("version", "build/microbit", "--base", "build/nrf52840", "--relation", "pruned")
    asked = ok("registry", "query", _RELATIONS, "--format", "csv").stdout.split()
    assert {"2.0.0,1.0.0,urn:tinyc:ns#Pruned"} <= set(asked), asked
    own = ok("registry", "match", "--model", "build/microbit", "--json").json
    assert {each["basis"] for each in own} == {"measured", "budget"}


_RELATIONS = """SELECT ?new ?old ?relation WHERE {
  ?model schema:version ?new ; prov:qualifiedDerivation [ prov:entity ?base ; tinyc:relation ?relation ] .
  ?base schema:version ?old }"""


def configure(folder: Path, version: str, more: str = "") -> None:
    (folder / "tinyc.toml").write_text(
        f'[model]\npath = "sine.keras"\nname = "sine"\nversion = {json.dumps(version)}\n{more}\n'
        '[quantize]\ncalibration = "calibration.npz"\nmethod = "min-max"\n',
        encoding="utf-8",
    )
