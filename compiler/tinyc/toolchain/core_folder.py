"""The PlatformIO core folder that tinyc keeps for itself, so that building needs no network.

PlatformIO runs its builds through a package `tool-scons` from its registry. A folder with a
manifest and a `scons.py` that starts the SCons of this Python satisfies it. The SCons has to be of
the major version that the installed PlatformIO asks for, and not older: SCons keeps compatible.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.resources import cache_folder

_SCRIPT = """import SCons.Script

SCons.Script.main()
"""


@dataclass(frozen=True, slots=True)
class CoreVersions:
    """Installed PlatformIO and SCons, and the `tool-scons` that this PlatformIO wants."""

    platformio: str
    scons: str
    tool_scons: str

    @property
    def scons_wanted(self) -> str:
        return scons_version(self.tool_scons)


def installed(package: str) -> str | None:
    """Version of an installed Python distribution, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def scons_version(tool_scons: str) -> str:
    """SCons version inside a `tool-scons` version: 4.41101.0 → 4.11.1. Raises ValueError."""
    match = re.fullmatch(r"\d+\.(\d)(\d\d)(\d\d)\.\d+", tool_scons)
    if match is None:
        raise ValueError(tool_scons)
    return ".".join(str(int(part)) for part in match.groups())


def core_versions() -> CoreVersions:
    """Versions of PlatformIO and SCons, checked against each other.

    Raises TinycError when one is missing, or when the installed SCons is older than the one that
    the installed PlatformIO runs, or of another major version.
    """
    platformio = installed("platformio")
    if platformio is None:
        raise TinycError("PlatformIO is not installed", hint="pip install platformio")
    scons = installed("scons")
    wanted = _required_tool_scons(platformio)
    if scons is None:
        raise TinycError("SCons is not installed", hint=f"pip install scons=={scons_version(wanted)}")
    found = CoreVersions(platformio, scons, wanted)
    if not _serves(scons, found.scons_wanted):
        raise TinycError(
            f"PlatformIO {platformio} runs SCons {found.scons_wanted}, installed is {scons}",
            allowed=f"{found.scons_wanted} or a newer {found.scons_wanted.split('.')[0]}.x",
            hint=f"pip install scons=={found.scons_wanted}",
        )
    return found


def _serves(scons: str, wanted: str) -> bool:
    """True when this SCons can stand in for the wanted one."""
    have, need = (tuple(int(part) for part in re.findall(r"\d+", text)[:3]) for text in (scons, wanted))
    return bool(have) and have[0] == need[0] and have >= need


def _required_tool_scons(platformio: str) -> str:
    """The exact `tool-scons` version in PlatformIO's own table of core packages."""
    try:
        from platformio.dependencies import get_core_dependencies

        text = str(get_core_dependencies()["tool-scons"])
        version = text.lstrip("~^=v ")
        scons_version(version)
    except (ImportError, KeyError, ValueError) as error:
        raise TinycError(
            f"PlatformIO {platformio} does not say which SCons it needs",
            hint="install a version that tinyc knows: pip install platformio==6.2.0 scons==4.11.1",
        ) from error
    return version


def core_folder() -> Path:
    """The core folder for the installed versions, made when it is not there yet.

    Raises TinycError for versions that do not fit, or a cache folder that cannot be written.
    """
    versions = core_versions()
    folder = core_path(versions)
    package = folder / "packages" / "tool-scons"
    wanted = _package_files(versions)
    if all(_text(package / name) == text for name, text in wanted.items()):
        return folder
    try:
        _install(package, wanted)
    except OSError as error:
        raise TinycError(
            f"cannot write the cache folder: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="set TINYC_CACHE_DIR to a folder that can be written",
        ) from error
    return folder


def core_path(versions: CoreVersions) -> Path:
    """Where the core folder for these versions lies; nothing is made."""
    return cache_folder() / "platformio-core" / f"{versions.platformio}-scons-{versions.scons}"


def _package_files(versions: CoreVersions) -> dict[str, str]:
    spec = {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None, "uri": None}
    version = versions.tool_scons
    return {
        "package.json": json.dumps({"name": "tool-scons", "version": version}),
        ".piopm": json.dumps({"type": "tool", "name": "tool-scons", "version": version, "spec": spec}),
        "scons.py": _SCRIPT,
    }


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _install(package: Path, files: dict[str, str]) -> None:
    """Make the package folder in one step; somebody else may be making it at the same time."""
    package.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=package.parent.parent, prefix="tool-scons-"))
    try:
        for name, text in files.items():
            (staging / name).write_text(text, encoding="utf-8")
        staging.chmod(0o755)
        try:
            staging.rename(package)
        except OSError:
            if all(_text(package / name) == text for name, text in files.items()):
                return
            shutil.rmtree(package)
            staging.rename(package)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
