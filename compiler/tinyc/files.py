"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Folder inside a build folder for what tinyc itself wants to find again.
STATE_FOLDER = ".tinyc"
# Ending of a file that is not finished; the sweep of an interrupted build knows it.
PART = ".tinyc-part"


class Staged:
    """New contents that lie beside their targets until `commit` renames them into place.

    Use it as a context manager: whatever was not committed is removed at the end.
    Those that are `private` can be read by their owner only, from their first byte on.
    Raises OSError as the file system does.
    """

    def __init__(self, contents: Mapping[Path, bytes], private: Collection[Path] = ()) -> None:
        self._contents = contents
        self._private = private
        self._parts: list[tuple[Path, Path]] = []

    def __enter__(self) -> Staged:
        try:
            for target, content in self._contents.items():
                target.parent.mkdir(parents=True, exist_ok=True)
                part = part_of(target)
                self._parts.append((part, target))
                if target in self._private:
                    _write_private(part, content)
                else:
                    part.write_bytes(content)
        except BaseException:
            self.__exit__()
            raise
        return self

    def commit(self) -> None:
        """Put every file in its place. Only a failing rename can leave some old and some new."""
        for part, target in self._parts:
            part.replace(target)

    def __exit__(self, *_: object) -> None:
        for part, _target in self._parts:
            part.unlink(missing_ok=True)


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)


def part_of(target: Path) -> Path:
    """Where the new content of `target` lies until it is complete."""
    return target.with_name(target.name + PART)


def write_together(contents: Mapping[Path, bytes], private: Collection[Path] = ()) -> None:
    """Write all files, or none when one cannot be written; `private` ones for their owner. Raises OSError."""
    with Staged(contents, private) as staged:
        staged.commit()


def content_of(path: Path) -> bytes | None:
    """The bytes of a file, or None when there is none. Raises OSError for one that cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def write_if_changed(path: Path, content: bytes) -> None:
    """Replace the file in one step when its content differs. Raises OSError."""
    if content_of(path) != content:
        write_together({path: content})


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock file `path`, then hold it. Raises OSError.

    Where the system has no such locks, nothing is waited for.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        try:
            import fcntl
        except ImportError:
            yield
            return
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
