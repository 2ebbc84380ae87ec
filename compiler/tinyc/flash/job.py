"""What is to be flashed, where, and the shape that every way of flashing has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tinyc.boards import Board
from tinyc.errors import TinycError
from tinyc.program import Firmware

TIMEOUT = 30.0

# Takes one line for people: what is being done, or what they should do.
Say = Callable[[str], None]
# Takes the bytes that are there and those that will be.
Progress = Callable[[int, int], None]


def quiet(done: int, total: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Job:
    """A firmware for a board, and what the user has named.

    `port` is where the firmware answers, `bootloader_port` where the bootloader does, when that is
    another one. `drive` is a bootloader's drive, `probe` what the debugger's program calls it.
    `timeout` is the longest wait, in seconds, for a port or drive to come or go and for an answer.
    With `trial` a firmware that a bootloader could take back is not confirmed.
    """

    board: Board
    firmware: Firmware
    port: str | None = None
    bootloader_port: str | None = None
    drive: Path | None = None
    probe: str | None = None
    timeout: float = TIMEOUT
    trial: bool = False
    progress: Progress = quiet

    def output(self, kind: str) -> Path:
        """The firmware as a file of that kind: `hex`, `bin`, `uf2`... Raises TinycError when it is gone."""
        path = self.firmware.outputs.get(kind)
        if path is None or not path.is_file():
            where = str(path or self.firmware.folder)
            raise TinycError(f"there is no {kind} file", where=where, hint="run `tinyc build` again")
        return path

    def whole(self) -> Path:
        """All that a blank chip needs as Intel HEX: with tinyc's bootloader where the board has it."""
        return self.output("hex" if self.board.slots is None else "factory")


class Method(Protocol):
    """A way of flashing: a module of this package."""

    def missing(self, job: Job) -> TinycError | None:
        """Why the job cannot be done this way now: a program, port, drive or setting that is not there."""
        ...

    def write(self, job: Job, say: Say) -> None:
        """Write the firmware and start it. Raises TinycError unless the tool says that it is written.

        A tool's word is not trusted: `run.flash` asks the firmware itself afterwards.
        """
        ...
