"""UF2: the bootloader shows a drive, and whatever is copied there in Microsoft's format is flashed."""

from __future__ import annotations

import os
import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path

from tinyc.errors import TinycError
from tinyc.flash import ports
from tinyc.flash.job import Job, Say

INFO = "INFO_UF2.TXT"
_BOARD_ID = re.compile(r"^Board-ID:\s*(.+?)\s*$", re.MULTILINE)
_MOUNTS = Path("/proc/mounts")
_PRESS = (
    "press the reset button twice, quickly (on a Pico hold BOOTSEL while plugging it in): "
    "the board shows a drive with a file INFO_UF2.TXT"
)


def missing(job: Job) -> TinycError | None:
    try:
        job.output("uf2")
        if job.drive is not None:
            _check(job, job.drive)
        elif _find(job) is None and ports.touchable(job) is None:
            return _no_drive()
    except TinycError as error:
        return error
    return None


def write(job: Job, say: Say) -> None:
    """Copy the firmware to the drive and wait until the bootloader has taken it and gone."""
    drive = job.drive or _find(job)
    if drive is None:
        application = ports.touchable(job)
        if application is None:
            raise _no_drive()
        say(f"touching {application} at {ports.TOUCH_BAUD} baud, which starts the bootloader")
        ports.touch(application)
        drive = ports.wait_for(lambda: _find(job), job.timeout)
        if drive is None:
            raise _no_drive()
    _check(job, drive)
    content = job.output("uf2").read_bytes()
    say(f"copying firmware.uf2, {len(content):,} B, to {drive}")
    failure = _copy(content, drive / "FIRMWARE.UF2")
    say("waiting until the drive is gone")
    gone = ports.wait_for(lambda: None if _board_id(drive) is not None else True, job.timeout)
    if gone is None:
        reason = f": {failure.strerror}" if failure is not None else ""
        raise TinycError(
            f"the bootloader did not take the firmware: its drive is still there{reason}",
            where=str(drive),
            hint="press the reset button twice and try again",
        )


def _copy(content: bytes, target: Path) -> OSError | None:
    """Write all of it through to the drive.

    The bootloader restarts at the last block, so the drive may be gone before the system has
    written the directory: that error says nothing yet.
    """
    try:
        with target.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return error
    return None


def _no_drive() -> TinycError:
    return TinycError(
        "no drive of a UF2 bootloader is mounted",
        hint=f"plug the board in by its own USB and {_PRESS}; --drive names one that is not found",
    )


def _check(job: Job, drive: Path) -> None:
    """Raise TinycError when it is no drive of this board's bootloader."""
    found = _board_id(drive)
    allowed = ", ".join(job.board.flashing.uf2_boards)
    if found is None:
        raise TinycError(
            f"there is no {INFO}: not the drive of a UF2 bootloader", where=str(drive), hint=_PRESS
        )
    if found not in job.board.flashing.uf2_boards:
        raise TinycError(f"the drive is that of another board, `{found}`", where=str(drive), allowed=allowed)


def _find(job: Job) -> Path | None:
    """The drive of this board's bootloader, if one is mounted. Raises TinycError for several."""
    wanted = job.board.flashing.uf2_boards
    found = sorted({drive for drive in _drives() if _board_id(drive) in wanted})
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise TinycError("several drives look like this board", allowed=names, hint="name one with --drive")
    return found[0] if found else None


def _board_id(drive: Path) -> str | None:
    """The Board-ID that the bootloader tells, None where there is no such drive."""
    try:
        text = (drive / INFO).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    match = _BOARD_ID.search(text)
    return match[1] if match else None


def _drives() -> Iterator[Path]:
    """Where drives are mounted on this machine."""
    if sys.platform == "win32":
        yield from (Path(f"{letter}:/") for letter in string.ascii_uppercase[2:])
    elif sys.platform == "darwin":
        yield from Path("/Volumes").glob("*")
    else:
        try:
            lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            fields = line.split(" ")
            if len(fields) > 2 and fields[2] in ("vfat", "msdos"):
                # Blanks in names are written as octal numbers.
                yield Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[1]))
