"""A J-Link debug probe, by SEGGER's program `JLinkExe`.

Without `-ExitOnError` it ends with status 0 whatever happened.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.flash import tools
from tinyc.flash.job import Job, Say

_PROGRAM = "JLinkExe"
_OTHERS = ("JLink", "JLink.exe")
_HOW = "install SEGGER's J-Link software, or `pip install pyocd` and use --method pyocd"
_HINT = "is the debugger plugged in and the board on? --probe names one by its serial number"


def missing(job: Job) -> TinycError | None:
    try:
        tools.need(_PROGRAM, _HOW, _OTHERS)
        job.whole()
    except TinycError as error:
        return error
    return None


def write(job: Job, say: Say) -> None:
    program = tools.need(_PROGRAM, _HOW, _OTHERS)
    say("writing the firmware through the J-Link")
    flashing = job.board.flashing
    with tempfile.TemporaryDirectory(prefix="tinyc-jlink-") as folder:
        script = Path(folder) / "flash.jlink"
        script.write_text(commands(job.whole()), encoding="utf-8")
        words = command(program, script, flashing.jlink_device, flashing.jlink_interface, job.probe)
        tools.run(words, proof="O.K.", hint=_HINT)


def commands(image: Path) -> str:
    """Reset, write and compare, reset, run, quit."""
    return "\n".join(["r", f'loadfile "{image}"', "r", "g", "q", ""])


def command(program: Path, script: Path, device: str, interface: str, probe: str | None) -> list[str | Path]:
    words: list[str | Path] = [program, "-NoGui", "1", "-ExitOnError", "1", "-AutoConnect", "1"]
    words += ["-Device", device, "-If", interface, "-Speed", "4000"]
    words += ["-JTAGConf", "-1,-1"] if interface == "JTAG" else []
    words += [] if probe is None else ["-USB", probe]
    return [*words, "-CommandFile", script]
