"""A Raspberry Pi chip that waits as a USB drive, by the program `picotool`: no drive has to be mounted."""

from __future__ import annotations

from pathlib import Path

from tinyc.errors import TinycError
from tinyc.flash import tools
from tinyc.flash.job import Job, Say

_PROGRAM = "picotool"
_HOW = "apt install picotool, or brew install picotool"
_HINT = "hold BOOTSEL while plugging the board in; `picotool info` shows what waits"


def missing(job: Job) -> TinycError | None:
    try:
        tools.need(_PROGRAM, _HOW)
        job.output("uf2")
    except TinycError as error:
        return error
    return None


def write(job: Job, say: Say) -> None:
    program = tools.need(_PROGRAM, _HOW)
    say("writing the firmware over USB with picotool, which reads it back and starts it")
    tools.run(command(program, job.output("uf2")), hint=_HINT)


def command(program: Path, image: Path) -> list[str | Path]:
    return [program, "load", "--verify", "--execute", image]
