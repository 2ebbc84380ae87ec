"""A board's life by `tinyc flash` alone: blank, installed, upgraded, confirmed, reverted, recovered."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tflite

from support.command_line import Said, tinyc
from support.debugger import Debugger
from support.paths import ROOT
from support.update_device import NRF, STRICT, slots
from tinyc import artifact, programs
from tinyc.emulator import Machine
from tinyc.emulator.peripheral import Reset

pytestmark = pytest.mark.emulated

EXAMPLE = ROOT / "examples" / "keyword_spotting"


def other_weights(model: Path) -> None:
    """Another model of the same shape: the largest array of floats is scaled."""
    data = bytearray(model.read_bytes())
    parsed = tflite.Model.GetRootAs(data)
    arrays = [parsed.Buffers(i).DataAsNumpy() for i in range(parsed.BuffersLength())]
    largest = max((array for array in arrays if not isinstance(array, int)), key=len).tobytes()
    at = data.index(largest)
    data[at : at + len(largest)] = (np.frombuffer(largest, "<f4") * np.float32(0.9)).tobytes()
    model.write_bytes(data)


def project(folder: Path, name: str, version: str) -> Path:
    """A copy of the keyword example with a version and the key of the test."""
    copy = folder / name
    copy.mkdir()
    for file in ("keyword_spotting.tflite", "calibration.npz"):
        shutil.copy(EXAMPLE / file, copy / file)
    text = (EXAMPLE / "tinyc.toml").read_text(encoding="utf-8").split("[evaluation]")[0]
    text = text.replace("[model]", f'[model]\nversion = "{version}"', 1)
    (copy / "tinyc.toml").write_text(f'{text}\n[signing]\nkey = "../key.pem"\n', encoding="utf-8")
    return copy


def succeeds(*arguments: object) -> Said:
    said = tinyc("flash", *arguments)
    assert said.code == 0, said.stderr
    return said


@pytest.mark.skipif(programs.find("pyocd") is None, reason="pyocd is not installed")
def test_from_blank_flash_to_recovery(tmp_path: Path) -> None:
    assert tinyc("keys", "new", tmp_path / "key.pem").code == 0
    first, second = project(tmp_path, "first", "1.0.0"), project(tmp_path, "second", "2.0.0")
    other_weights(second / "keyword_spotting.tflite")
    builds = []
    for folder in (first, second):
        assert tinyc("build", folder, "--board", "nrf52840", "--out", folder / "out").code == 0
        builds.append(artifact.open_artifact(folder / "out"))
    old, new = (build.firmware for build in builds)
    assert old.digest != new.digest

    with Machine(b"", NRF, flash_rules=STRICT) as machine, machine.serve_probe() as probe:
        port = machine.serve_pty()

        def runs() -> str:
            """The firmware that `tinyc devices` finds."""
            (found,) = tinyc("devices", "--port", port, "--json").json
            assert found["device"] is not None, found
            return str(found["device"]["firmware"])

        # Installed: nothing is in flash, so that a debug probe has to write it.
        said = succeeds(old.folder, "--port", port, "--probe", probe.uid, "--json")
        assert (said.json["method"], said.json["version"], said.json["verified"]) == ("pyocd", "1.0.0", True)
        assert runs() == old.identity
        assert tinyc("verify", old.folder, "--port", port, "--count", 2).code == 0

        # Upgraded to a new model over the serial port, and confirmed.
        said = succeeds(new.folder, "--port", port, "--json")
        assert (said.json["method"], said.json["version"], said.json["digest"]) == (
            "smp",
            "2.0.0",
            new.digest,
        )
        assert "confirmed" in said.stderr
        restart(machine)
        assert runs() == new.identity
        assert tinyc("verify", new.folder, "--port", port, "--count", 2).code == 0

        # Tried, and taken back.
        said = succeeds(old.folder, "--port", port, "--trial")
        assert "confirmed" not in said.stderr
        assert runs() == old.identity
        said = succeeds("--board", "nrf52840", "--port", port, "--revert", "--json")
        assert said.json["firmware"] == new.identity
        assert runs() == new.identity
        said = tinyc("flash", "--board", "nrf52840", "--port", port, "--revert")
        assert said.code == 1
        assert "no trial to take back" in said.stderr

        # Recovered: both images are damaged, only the bootloader is left.
        damage(machine)
        (found,) = tinyc("devices", "--port", port, "--json").json
        assert found["device"] is None
        assert "bootloader" in found["problem"]
        said = succeeds(new.folder, "--port", port, "--json")
        assert said.json["method"] == "smp"
        assert runs() == new.identity
        assert machine.serving_failure is None
    assert len((new.folder / ".tinyc" / "deployments.jsonl").read_text().splitlines()) == 2


def restart(machine: Machine) -> None:
    """Press the reset button."""
    with machine.exclusive:
        machine.reset(Reset.PIN)


def damage(machine: Machine) -> None:
    """Clear a word in the middle of both images, and press reset."""
    with machine.exclusive:
        debugger = Debugger(machine.attach())
        debugger.halt()
        for at in (slots().primary + 20_000, slots().upload + 20_000, slots().secondary + 20_000):
            debugger.write(0x4001E504, 1)
            debugger.write(at, 0)
        debugger.write(0x4001E504, 0)
        machine.detach()
        machine.reset(Reset.PIN)
