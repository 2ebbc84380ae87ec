"""PlatformIO's core folder follows the installed versions, and says so when they do not fit."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from tinyc.errors import TinycError
from tinyc.toolchain import core_folder, doctor

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYC_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("tool", "scons"), [("4.41101.0", "4.11.1"), ("4.40801.0", "4.8.1"), ("4.40400.2", "4.4.0")]
)
def test_scons_version(tool: str, scons: str) -> None:
    assert core_folder.scons_version(tool) == scons


def test_the_folder_is_made_once_and_repaired(cache: Path) -> None:
    folder = core_folder.core_folder()
    assert cache in folder.parents
    package = folder / "packages" / "tool-scons"
    manifest = json.loads((package / "package.json").read_text())
    assert core_folder.scons_version(manifest["version"]) == importlib.metadata.version("scons")
    before = (package / ".piopm").stat().st_mtime_ns
    assert core_folder.core_folder() == folder
    assert (package / ".piopm").stat().st_mtime_ns == before
    (package / "scons.py").write_text("half")
    core_folder.core_folder()
    assert "SCons.Script.main()" in (package / "scons.py").read_text()
    assert [path.name for path in folder.iterdir()] == ["packages"]


def with_versions(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    monkeypatch.setattr(core_folder, "installed", lambda name: versions.get(name, "1.0"))


@pytest.mark.parametrize(
    ("versions", "what", "hint"),
    [
        ({"platformio": None}, "PlatformIO is not installed", "pip install platformio"),
        ({"platformio": "6.2.0", "scons": None}, "SCons is not installed", "pip install scons=="),
        ({"platformio": "6.2.0", "scons": "3.0.0"}, "installed is 3.0.0", "pip install scons=="),
        ({"platformio": "6.2.0", "scons": "4.0.1"}, "installed is 4.0.1", "pip install scons=="),
        ({"platformio": "6.2.0", "scons": "5.0"}, "installed is 5.0", "pip install scons=="),
    ],
)
def test_versions_that_do_not_fit(
    monkeypatch: pytest.MonkeyPatch, versions: dict[str, str | None], what: str, hint: str
) -> None:
    with_versions(monkeypatch, **versions)
    with pytest.raises(TinycError) as caught:
        core_folder.core_folder()
    assert what in caught.value.what
    assert hint in caught.value.hint
    finding = next(row for row in doctor.report() if row.part == "platformio")
    assert (finding.state, finding.found) == (doctor.MISSING, caught.value.what)


def test_a_newer_scons_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = core_folder.core_versions().scons_wanted
    newer = f"{wanted.split('.')[0]}.99.0"
    with_versions(monkeypatch, platformio=importlib.metadata.version("platformio"), scons=newer)
    assert core_folder.core_versions().scons == newer


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYC_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(TinycError, match="cannot write the cache folder"):
        core_folder.core_folder()


def test_doctor_says_how_to_get_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    rows = {row.part: row for row in doctor.report()}
    assert {"python", "platformio", "ziglang", "cc", "unicorn", "arm-none-eabi-gcc"} <= set(rows)
    assert rows["arm-none-eabi-gcc"].state == doctor.OPTIONAL
    for row in rows.values():
        assert (row.state == doctor.OK) or row.hint, row
