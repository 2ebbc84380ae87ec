"""The serial DFU of Nordic's SDK 11 in Adafruit's bootloader, by the program `adafruit-nrfutil`.

The program says `Failed to upgrade target` and still ends with status 0; `Device programmed.` is
what it says only when the last packet was acknowledged.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.flash import ports, tools
from tinyc.flash.job import Job, Say

_PROGRAM = "adafruit-nrfutil"
_HOW = "pip install adafruit-nrfutil"
_DEVICE_TYPE = "0x0052"  # all chips of the nRF52 family
_HINT = "press the reset button twice, quickly, and try again"


def missing(job: Job) -> TinycError | None:
    try:
        tools.need(_PROGRAM, _HOW)
        job.output("bin")
        if ports.bootloader(job) is None and ports.touchable(job) is None:
            return ports.no_bootloader(job)
    except TinycError as error:
        return error
    return None


def write(job: Job, say: Say) -> None:
    program = tools.need(_PROGRAM, _HOW)
    port = ports.enter_bootloader(job, say)
    with tempfile.TemporaryDirectory(prefix="tinyc-dfu-") as folder:
        package = Path(folder) / "firmware.zip"
        tools.run(package_command(program, job.output("bin"), package))
        say(f"sending the firmware to {port} with {_PROGRAM}")
        tools.run(send_command(program, package, port), proof="Device programmed.", hint=_HINT)


def package_command(program: Path, binary: Path, package: Path) -> list[str | Path]:
    return [program, "dfu", "genpkg", "--dev-type", _DEVICE_TYPE, "--application", binary, package]


def send_command(program: Path, package: Path, port: str) -> list[str | Path]:
    # Without --touch: the port may come back under another name, which `ports` has followed.
    line = ["--port", port, "--baudrate", "115200", "--singlebank"]
    return [program, "dfu", "serial", "--package", package, *line]
