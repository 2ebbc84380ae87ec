"""Commits that survive a power cut, at the price of one `fdatasync`.

RocksDB appends each transaction to its write-ahead log, `NNNNNN.log` in the folder of the store, before the
commit returns, but leaves it to the operating system to bring it to the disk. It can be asked to `flush()`,
which writes a whole table file for each commit: tens of milliseconds. `LogSync` syncs the log itself
instead, from outside: `fdatasync` works on the file, whoever wrote to it. On opening, RocksDB replays the
log up to the first record that is torn, so what was synced is there. When it has meanwhile moved a log into
a table file, it has synced that before it removed the log, so a log that is gone needs nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

FLUSH_ABOVE = 16 * 1024 * 1024
"""Bytes of log above which it is moved into a table file: readers replay the log each time they open."""


class LogSync:
    """Which bytes of the logs in `folder` are known to be on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._synced: dict[str, int] = {}

    def sync(self) -> int:
        """Bring what RocksDB has logged to the disk. Returns the bytes of log there are.

        Raises OSError when the disk refuses: the last commits may then be lost.
        """
        sizes = log_sizes(self._folder)
        if sizes.keys() - self._synced.keys():
            # A new log is found after a power cut only if its folder knows of it.
            _sync_file(self._folder)
        for name, size in sorted(sizes.items()):
            if self._synced.get(name) != size:
                _sync_file(self._folder / name)
        self._synced = sizes
        return sum(sizes.values())


def log_sizes(folder: Path) -> dict[str, int]:
    """The write-ahead logs and their bytes."""
    sizes = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".log"):
                try:
                    sizes[entry.name] = entry.stat().st_size
                except FileNotFoundError:
                    continue
    return sizes


def _sync_file(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        # Not every system has it; the other brings the times of the file to the disk as well.
        (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(descriptor)
    finally:
        os.close(descriptor)
