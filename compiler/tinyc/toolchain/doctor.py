"""What tinyc finds on this machine, what is missing, and how to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from tinyc import programs
from tinyc.boards import board_names, load_board
from tinyc.cores import FAMILIES, Family
from tinyc.errors import TinycError
from tinyc.resources import cache_folder, data_folder
from tinyc.toolchain import core_folder
from tinyc.toolchain.core_folder import installed
from tinyc.toolchain.platformio import gcc_version

OK = "ok"
MISSING = "missing"
OPTIONAL = "optional"
"""States: there; needed and not there; not there, and only some verbs or tests want it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `tinyc doctor`. `found` is a version or place, `hint` how to get the part."""

    part: str
    state: str
    found: str
    needed_for: str
    hint: str = ""


# Distribution, what it is for, needed for everything.
_PACKAGES = (
    ("ziglang", "build --toolchain zig", True),
    ("unicorn", "run, verify and profile on the emulated chip", True),
    ("pyelftools", "build", True),
    ("intelhex", "build", True),
    ("pyserial", "boards on a serial port", True),
    ("onnx", ".onnx", False),
    ("tensorflow", ".keras, .h5 and SavedModel", False),
    ("ai-edge-litert", "tests against TensorFlow Lite", False),
    ("onnxruntime", "tests against ONNX Runtime", False),
)
# Program, what it is for, the Debian package.
_PROGRAMS = (
    *((each.qemu, f"tests on a second emulator, {each.title}", each.qemu_package) for each in FAMILIES),
    ("espeak-ng", "making sounds for examples", "espeak-ng"),
)
# Program, the method of `tinyc flash` that runs it, how to get it.
_FLASHERS = (
    ("pyocd", "pyocd", "pip install pyocd"),
    ("JLinkExe", "jlink", "SEGGER's J-Link software"),
    ("adafruit-nrfutil", "adafruit_dfu", "pip install adafruit-nrfutil"),
    ("stm32loader", "stm32", "pip install stm32loader"),
    ("picotool", "picotool", "apt install picotool, or brew install picotool"),
    ("bossac", "bossa", "Arduino's version: arduino-cli core install arduino:mbed_nano"),
    ("esptool", "esptool", "pip install esptool"),
)


def report() -> tuple[Finding, ...]:
    """Everything that tinyc may need, in order of importance. Changes nothing and never fails."""
    return (
        _python(),
        _data(),
        _cache(),
        _platformio(),
        *(_package(*row) for row in _PACKAGES[:1]),
        *map(_gcc, FAMILIES),
        _host_compiler(),
        *(_package(*row) for row in _PACKAGES[1:]),
        *(_program(*row) for row in _PROGRAMS),
        *(_flasher(*row) for row in _FLASHERS),
        _ports(),
    )


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    return Finding("python", OK if good else MISSING, version, "everything", "" if good else "Python 3.11")


def _data() -> Finding:
    try:
        place = str(data_folder("firmware_templates"))
    except FileNotFoundError:
        return Finding("templates", MISSING, "", "everything", "pip install --force-reinstall tinyc")
    return Finding("templates", OK, place, "everything")


def _cache() -> Finding:
    folder = cache_folder()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    good = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    hint = "" if good else "set TINYC_CACHE_DIR to a folder that can be written"
    return Finding("cache", OK if good else MISSING, str(folder), "build", hint)


def _platformio() -> Finding:
    purpose = "build"
    try:
        versions = core_folder.core_versions()
    except TinycError as error:
        return Finding("platformio", MISSING, error.what, purpose, error.hint)
    found = (
        f"{versions.platformio} with SCons {versions.scons}, core folder {core_folder.core_path(versions)}"
    )
    return Finding("platformio", OK, found, purpose)


def _package(name: str, purpose: str, needed: bool) -> Finding:
    version = installed(name)
    if version is not None:
        return Finding(name, OK, version, purpose)
    return Finding(name, MISSING if needed else OPTIONAL, "", purpose, f"pip install {name}")


def _gcc(family: Family) -> Finding:
    version, name = gcc_version(family), f"{family.gcc_prefix}gcc"
    purpose = f"build --toolchain gcc, {family.title}"
    if version is None:
        return Finding(name, OPTIONAL, "", purpose, f"apt install {family.gcc_package}")
    return Finding(name, OK, version, purpose)


def _host_compiler() -> Finding:
    purpose = "verify, quantize: the generated C on this machine"
    compiler = shutil.which("cc")
    if compiler is not None:
        return Finding("cc", OK, _first_line([compiler, "--version"]) or compiler, purpose)
    if installed("ziglang") is not None:
        return Finding("cc", OK, "none, `ziglang cc` is used", purpose)
    return Finding("cc", MISSING, "", purpose, "apt install gcc")


def _program(name: str, purpose: str, package: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(name, OPTIONAL, "", purpose, f"apt install {package}")
    return Finding(name, OK, _first_line([path, "--version"]) or path, purpose)


def _flasher(name: str, method: str, how: str) -> Finding:
    boards = [board.name for board in map(load_board, board_names()) if method in board.flashing.methods]
    purpose = f"flash by {method}: {', '.join(boards) or 'no board yet'}"
    path = programs.find(name)
    if path is None:
        return Finding(name, OPTIONAL, "", purpose, how)
    return Finding(name, OK, str(path), purpose)


def _ports() -> Finding:
    purpose = "boards on a serial port"
    if installed("pyserial") is None:
        return Finding("serial ports", OPTIONAL, "", purpose, "pip install pyserial")
    from tinyc.device.transport import list_ports

    names = ", ".join(name for name, _ in list_ports())
    hint = "" if names else "connect a board; on Linux the user must be in group `dialout`"
    return Finding("serial ports", OK if names else OPTIONAL, names, purpose, hint)


def _first_line(command: list[str]) -> str:
    """The first line a program prints, or nothing when it cannot be asked."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""
