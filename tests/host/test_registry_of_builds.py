"""Builds for this machine, written down: at once, and when the registry comes later."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.command_line import Said, tinyc
from support.paths import ROOT

pytestmark = pytest.mark.host

EXAMPLE = ROOT / "examples" / "keyword_spotting"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example without a registry, the working directory."""
    copy = tmp_path / "keyword_spotting"
    copy.mkdir()
    for name in ("keyword_spotting.tflite", "calibration.npz"):
        shutil.copy(EXAMPLE / name, copy / name)
    with np.load(EXAMPLE / "evaluation.npz") as data:
        np.savez(copy / "evaluation.npz", **{name: data[name][::10] for name in data})
    text = (EXAMPLE / "tinyc.toml").read_text(encoding="utf-8").split("[registry]")[0]
    (copy / "tinyc.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(copy)
    monkeypatch.delenv("TINYC_REGISTRY")
    return copy


def succeeds(*arguments: object) -> Said:
    said = tinyc(*arguments)
    assert said.code == 0, said.stderr
    return said


def test_a_build_waits_for_its_registry_and_an_evaluation_joins_it(project: Path) -> None:
    report = succeeds("build", "--board", "host", "--json").json
    journal = project / "build" / "host" / ".tinyc" / "registry-journal.jsonl"
    waiting = journal.read_bytes().count(b"\n")
    assert waiting == 4
    # The same build again says the same: what waits is bounded, and is written once.
    succeeds("build", "--board", "host")
    succeeds("registry", "init")
    succeeds("registry", "add", "build/host")
    assert not journal.exists()
    page = succeeds("registry", "show", "keyword_spotting", "--json").json
    assert (page["digest"], page["macs"]) == (report["digest"], report["macs"])
    assert page["firmware"][0]["identity"] == report["firmware"]
    assert [each["dataset"] for each in page["evaluations"]] == ["calibration.npz"]
    triples = succeeds("registry", "stats", "--json").json["things"]["triples"]
    succeeds("build", "--board", "host")
    succeeds("registry", "add", "build/host")
    assert succeeds("registry", "stats", "--json").json["things"]["triples"] == triples

    told = succeeds("verify", "--board", "host", "--count", 1, "--json").json
    page = succeeds("registry", "show", "keyword_spotting", "--json").json
    accuracies = {each["dataset"]: each["accuracy"] for each in page["evaluations"]}
    assert accuracies["evaluation.npz"] == pytest.approx(told["accuracy"]["int8"], abs=1e-6)
    assert succeeds("registry", "validate").code == 0

    source = hashlib.sha256((project / "keyword_spotting.tflite").read_bytes()).hexdigest()
    assert page["ancestors"][0]["iri"] == f"urn:tinyc:artifact:{source}"
