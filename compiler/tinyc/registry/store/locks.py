"""One writer at a time: a lock file that says who holds it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path

from tinyc.registry.store.errors import StoreBusy, StoreFailed

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05


class WriterLock:
    """An exclusive lock on `path`, held until `release` or the end of the process, however it ends.

    The file holds JSON: pid, verb, since (ISO 8601), and url when the holder is a server. It is never
    removed: a process that waits would otherwise lock a file that is no longer there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, wait: float, verb: str, url: str = "") -> None:
        """Wait up to `wait` seconds. Raises `StoreBusy` that says who has the lock, `StoreFailed`."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreFailed(
                f"cannot write the lock file: {error.strerror}", where=str(self.path)
            ) from error
        deadline = time.monotonic() + wait
        pause = _FIRST_PAUSE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
                    os.close(descriptor)
                    raise StoreFailed(f"cannot lock: {error.strerror}", where=str(self.path)) from error
            left = deadline - time.monotonic()
            if left <= 0:
                os.close(descriptor)
                raise busy(self.path, wait)
            # Jitter, so that many that wait do not all wake at once.
            time.sleep(min(left, pause * random.uniform(0.5, 1.5)))
            pause = min(pause * 2, _LONGEST_PAUSE)
        note = {"pid": os.getpid(), "verb": verb, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        if url:
            note["url"] = url
        self._descriptor = descriptor
        self._write(json.dumps(note))

    def release(self) -> None:
        if self._descriptor is not None:
            self._write("")
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, text: str) -> None:
        """Only for people: a full disk must not stop a reader of the note, nor the holder."""
        assert self._descriptor is not None
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)
        except OSError:
            return


def holder(path: Path) -> dict[str, object]:
    """Who has the lock, as its note says; empty when it says nothing."""
    try:
        note = json.loads(path.read_text() or "{}")
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def busy(path: Path, wait: float) -> StoreBusy:
    note = holder(path)
    if not note:
        return StoreBusy(
            f"another program is writing the registry and did not end within {wait:g} s",
            where=str(path),
            hint="wait for it, or end it",
        )
    who = f"`{note.get('verb') or 'tinyc'}` (process {note.get('pid')}, since {note.get('since')})"
    url = note.get("url")
    return StoreBusy(
        f"{who} is writing the registry and did not end within {wait:g} s",
        where=str(path),
        holder=note,
        hint=f"it is a server: use --registry {url}" if url else "wait for it, or end it",
    )
