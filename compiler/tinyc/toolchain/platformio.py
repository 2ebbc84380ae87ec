"""Runs PlatformIO on a generated project, offline and in a core folder of tinyc's own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tinyc import programs
from tinyc.cores import Family
from tinyc.errors import TinycError
from tinyc.resources import cache_folder
from tinyc.toolchain.core_folder import core_folder, core_versions, installed

_LIMIT_SECONDS = 900
_LOCK_SECONDS = 60
_TAIL_LINES = 30
_MISSING = re.compile(
    r"(No module named ziglang|(arm-none-eabi|riscv64-unknown-elf)-gcc: (command )?not found)"
)


def toolchain_version(toolchain: str, family: Family) -> str:
    """Name and version of the compiler that `toolchain` means for these cores, and of what runs it.

    Raises TinycError, naming what to install, when it is missing.
    """
    if toolchain == "registry":
        return f"registry platformio-{installed('platformio')}"
    versions = core_versions()
    if toolchain == "zig":
        version = installed("ziglang")
        if version is None:
            raise TinycError("toolchain `zig` is not installed", hint="pip install ziglang")
    else:
        version = gcc_version(family)
        if version is None:
            raise TinycError(
                f"toolchain `gcc` is not installed: no `{family.gcc_prefix}gcc` on the PATH",
                hint=f"apt install {family.gcc_package}, or use --toolchain zig",
            )
    return f"{toolchain}-{version} platformio-{versions.platformio} scons-{versions.scons}"


def gcc_version(family: Family) -> str | None:
    """Version of the GNU compiler for these cores on the PATH, or None."""
    compiler = shutil.which(f"{family.gcc_prefix}gcc")
    if compiler is None:
        return None
    found = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def _keep_private(folder: Path) -> None:
    """Let only the owner see what PlatformIO compiles in `folder`."""
    objects = folder / ".pio"
    objects.mkdir(parents=True, exist_ok=True)
    objects.chmod(0o700)


def run(folder: Path, target: str, toolchain: str, version: str, *, private: bool = False) -> Path:
    """Build the project in `folder`. Returns the ELF that PlatformIO made.

    `version` is that of the compiler, from `toolchain_version`: projects share objects of equal content,
    headers, flags and compiler. Those of a `private` project, which has keys, only its owner may read.

    Raises TinycError with the end of the compiler's output when the build fails, OSError where nothing can
    be written.
    """
    command = [sys.executable, "-m", "platformio", "run", "--project-dir", str(folder), "--silent"]
    command += ["--environment", target, "--disable-auto-clean"]
    variables = environment(toolchain)
    if private:
        _keep_private(folder)
    else:
        variables["TINYC_OBJECTS"] = str(_shared_objects(version))
    done = programs.run(command, _LIMIT_SECONDS, variables, "PlatformIO")
    elf = folder / ".pio" / "build" / target / "firmware.elf"
    if done.status != 0 or not elf.is_file():
        raise _failure(done, folder, toolchain)
    return elf


def _shared_objects(version: str) -> Path:
    """The folder of the objects of this compiler; SCons makes and fills it."""
    objects = cache_folder() / "objects" / version.replace(" ", "_")
    objects.parent.mkdir(parents=True, exist_ok=True)
    lock = objects / "config.lock"
    with contextlib.suppress(FileNotFoundError):
        # SCons holds it for an instant; one that was killed just then left it for ever.
        if time.time() - lock.stat().st_mtime > _LOCK_SECONDS:
            lock.unlink()
    return objects


def _failure(done: programs.Done, folder: Path, toolchain: str) -> TinycError:
    hint = "the project is plain PlatformIO: `pio run -v` in its folder shows every command"
    if toolchain == "registry":
        hint = (
            "the public platforms need PlatformIO's registry: try --toolchain zig when it cannot be reached"
        )
    elif _MISSING.search(done.output):
        hint = "the compiler is missing: `tinyc doctor` says how to get it"
    return TinycError(
        f"toolchain `{toolchain}` failed\n{done.tail(_TAIL_LINES)}", where=str(folder), hint=hint
    )


def environment(toolchain: str) -> dict[str, str]:
    """The environment of the build: no PlatformIO settings of the user's, no network talk."""
    # Byte code of the local platform would lie in the project and differ from run to run.
    python = {"PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    if toolchain == "registry":
        return {**os.environ, **python}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PLATFORMIO_")}
    zig_cache = cache_folder() / "zig"
    return {
        **inherited,
        "PLATFORMIO_CORE_DIR": str(core_folder()),
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "No",
        "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "36500",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_NO_ANSI": "true",
        "ZIG_GLOBAL_CACHE_DIR": str(zig_cache),
        "ZIG_LOCAL_CACHE_DIR": str(zig_cache),
        "SOURCE_DATE_EPOCH": "0",
        **python,
    }
