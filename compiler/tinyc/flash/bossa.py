"""SAM-BA bootloaders, by the program `bossac`.

The bootloader of a Nano 33 BLE adds the offset of applications itself and cannot read: `bossac` is
given neither an offset nor told to verify. It knows the chip only in Arduino's version.
"""

from __future__ import annotations

from pathlib import Path

from tinyc import programs
from tinyc.errors import TinycError
from tinyc.flash import ports, tools
from tinyc.flash.job import Job, Say

_PROGRAM = "bossac"
_HOW = (
    "install Arduino's version, which knows the chip: `arduino-cli core install arduino:mbed_nano`, or "
    "`pio pkg install --global --tool platformio/tool-bossac-nordicnrf52`"
)
# Below the home folder: where the two managers put it.
_PLACES = (
    ".arduino15/packages/arduino/tools/bossac/*arduino*/bossac*",
    ".platformio/packages/tool-bossac-nordicnrf52/bossac*",
)


def missing(job: Job) -> TinycError | None:
    try:
        _program()
        job.output("bin")
        if ports.bootloader(job) is None and ports.touchable(job) is None:
            return ports.no_bootloader(job)
    except TinycError as error:
        return error
    return None


def write(job: Job, say: Say) -> None:
    program = _program()
    port = ports.enter_bootloader(job, say)
    say(f"sending the firmware to {port} with {_PROGRAM}")
    hint = "press the reset button twice, quickly, and try again"
    tools.run(command(program, job.output("bin"), port), proof="100%", hint=hint)


def command(program: Path, binary: Path, port: str) -> list[str | Path]:
    return [program, f"--port={port}", "--usb-port=true", "--info", "--erase", "--write", "--reset", binary]


def _program() -> Path:
    for pattern in _PLACES:
        found = sorted(path for path in Path.home().glob(pattern) if path.is_file())
        if found:
            return found[-1]
    found_on_path = programs.find(_PROGRAM)
    if found_on_path is None:
        raise TinycError(f"the program `{_PROGRAM}` is not installed", hint=_HOW)
    return found_on_path
