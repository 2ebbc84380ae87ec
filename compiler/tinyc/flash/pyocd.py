"""A CMSIS-DAP, J-Link or ST-Link debug probe, by the program `pyocd`."""

from __future__ import annotations

from pathlib import Path

from tinyc.errors import TinycError
from tinyc.flash import tools
from tinyc.flash.job import Job, Say

_PROGRAM = "pyocd"
_HOW = "pip install pyocd"
_HINT = "is the debug probe plugged in? `pyocd list` shows probes, --probe names one by its unique ID"


def missing(job: Job) -> TinycError | None:
    try:
        tools.need(_PROGRAM, _HOW)
        job.whole()
    except TinycError as error:
        return error
    return None


def write(job: Job, say: Say) -> None:
    program = tools.need(_PROGRAM, _HOW)
    say("writing the firmware through the debug probe with pyocd")
    tools.run(command(program, job.whole(), job.board.flashing.pyocd_target, job.probe), hint=_HINT)


def command(program: Path, image: Path, target: str, probe: str | None) -> list[str | Path]:
    """`probe` is what pyocd takes after --uid: an ID, a part of one, or `remote:HOST:PORT`."""
    # Sectors only: flash that is not the firmware's stays. Never wait for a probe.
    words: list[str | Path] = [program, "flash", "--target", target, "--erase", "sector", "--no-wait"]
    words += [] if probe is None else ["--uid", probe]
    return [*words, image]
