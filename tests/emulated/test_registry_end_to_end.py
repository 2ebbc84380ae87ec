"""From a model to the question which device runs it: the commands of the README, on the emulated chip."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.command_line import Said, tinyc
from support.flash_board import Usb, plugged
from support.paths import ROOT
from support.update_device import NRF, STRICT
from tinyc import programs
from tinyc.emulator import Machine

pytestmark = pytest.mark.emulated

EXAMPLE = ROOT / "examples" / "keyword_spotting"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example as a user has it, the working directory of the test."""
    copy = tmp_path / "keyword_spotting"
    copy.mkdir()
    for name in ("tinyc.toml", "keyword_spotting.tflite", "calibration.npz", "evaluation.npz"):
        shutil.copy(EXAMPLE / name, copy / name)
    monkeypatch.chdir(copy)
    monkeypatch.delenv("TINYC_REGISTRY")
    return copy


def succeeds(*arguments: object) -> Said:
    said = tinyc(*arguments)
    assert said.code == 0, said.stderr
    return said


@pytest.mark.skipif(programs.find("pyocd") is None, reason="pyocd is not installed")
def test_three_commands_then_a_life(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attached: list[Usb] = []
    with (
        plugged(attached),
        Machine(b"", NRF, flash_rules=STRICT) as machine,
        machine.serve_probe() as probe,
    ):
        port = machine.serve_pty()

        succeeds("build")
        succeeds("flash", "--port", port, "--probe", probe.uid)
        said = succeeds("registry", "ask", "devices-running", "model=keyword_spotting", "--json")

        (device,) = tinyc("devices", "--port", port, "--json").json
        chip = device["device"]["chip"]
        (binding,) = said.json["results"]["bindings"]
        assert binding["device"]["value"] == f"urn:tinyc:device:nrf52840:{chip}"
        assert binding["release"]["value"] == "0.0.0"
        assert binding["last_seen"]["value"]

        page = succeeds("registry", "show", chip, "--json").json
        (deployment,) = page["deployments"]
        assert deployment["current"] and deployment["verified"] and deployment["known"]
        assert deployment["firmware"] == device["device"]["firmware"]
        assert page["free_flash"] > 0 and page["free_ram"] > 0
        model = succeeds("registry", "show", "keyword_spotting", "--json").json
        assert model["devices"] == 1
        assert model["accuracy"] > 0.9
        assert [each["name"] for each in model["ancestors"]] == ["keyword_spotting.tflite"]
        assert not (project / "build" / "nrf52840" / ".tinyc" / "registry-journal.jsonl").exists()

        # Nothing is new: the same device with the same firmware.
        triples = count()
        (seen,) = succeeds("registry", "sync", "--port", port, "--json").json["devices"]
        assert (seen["state"], seen["known_firmware"]) == ("same", True)
        assert seen["counters"]["packets"] > 0
        assert count() == triples

        # Somebody flashes another firmware, and tells nobody.
        monkeypatch.setenv("TINYC_REGISTRY", "off")
        text = (project / "tinyc.toml").read_text(encoding="utf-8")
        (project / "tinyc.toml").write_text(
            text.replace("[model]", '[model]\nversion = "1.1.0"', 1), encoding="utf-8"
        )
        succeeds("flash", "--port", port)
        monkeypatch.delenv("TINYC_REGISTRY")
        (seen,) = succeeds("registry", "sync", "--port", port, "--json").json["devices"]
        assert (seen["state"], seen["known_firmware"]) == ("changed", False)
        assert seen["model"]["version"] == "1.1.0"
        history = succeeds("registry", "show", chip, "--json").json["deployments"]
        assert [(each["method"], each["current"]) for each in history] == [("found", True), ("pyocd", False)]

        # The build is still there: it makes the unknown firmware a known one, and tells how it came there.
        succeeds("registry", "add", "build/nrf52840")
        history = succeeds("registry", "show", chip, "--json").json["deployments"]
        assert [(each["method"], each["known"]) for each in history] == [
            ("found", True),
            ("smp", True),
            ("pyocd", True),
        ]
        assert [each["current"] for each in history] == [True, False, False]

    # The board is gone.
    with plugged([]):
        (seen,) = succeeds("registry", "sync", "--all", "--json").json["devices"]
    assert (seen["state"], seen["chip"]) == ("missing", chip)
    assert succeeds("registry", "show", chip, "--json").json["missing_since"]
    assert succeeds("registry", "stats", "--json").json["things"]["missing devices"] == 1


def count() -> int:
    """Triples of the registry."""
    triples: int = succeeds("registry", "stats", "--json").json["things"]["triples"]
    return triples
