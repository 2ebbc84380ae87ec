"""Which process has a serial port, where Linux tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def port_owner(port: str, proc: Path = _PROC) -> str | None:
    """`process 1234 (name)` of another process that locked or opened the port, None when unknown."""
    try:
        status = Path(port).stat()
        for process in (*_locking(status, proc), *_opened(status, proc)):
            if process != os.getpid():
                return f"process {process} ({_name(process, proc)})"
    except OSError:
        pass  # not Linux, or it does not tell
    return None


def _locking(status: os.stat_result, proc: Path) -> Iterator[int]:
    """Processes with a lock on the file: `1: FLOCK ADVISORY WRITE 1234 00:18:5 0 EOF`."""
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        lines = (proc / "locks").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split()
        if "->" not in words and len(words) > 5 and words[5] == wanted and int(words[4]) > 0:
            yield int(words[4])


def _opened(status: os.stat_result, proc: Path) -> Iterator[int]:
    """Processes with the file open, of those that this user may see."""
    for folder in sorted(proc.glob("[0-9]*")):
        try:
            for entry in (folder / "fd").iterdir():
                if os.path.samestat(entry.stat(), status):
                    yield int(folder.name)
        except OSError:
            continue


def _name(process: int, proc: Path) -> str:
    try:
        return (proc / str(process) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "it has ended"
