"""Facts that the registry does not have yet, beside the build that they came from.

A line of JSON for each fact, appended and synced before anything else is tried, and taken away only when
the registry has it. A last line that was torn by a crash is no fact: its writer was never told it was kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from tinyc.errors import TinycError
from tinyc.files import STATE_FOLDER, exclusive
from tinyc.registry.facts import Fact, from_json
from tinyc.registry.registry import Refused

FILE = "registry-journal.jsonl"
REFUSED = "registry-refused.jsonl"
LIMIT = 2 * 1024 * 1024
"""Bytes that a journal may have; beyond them what was told anew goes first, then the oldest."""
_FORMAT = 1

Write = Callable[[Fact, bool], object]
"""Writes a fact into the registry; the flag says whether it happens now."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a journal. `failure` is why `left` facts are still in it; `refused` never get in."""

    written: int = 0
    left: int = 0
    refused: tuple[TinycError, ...] = ()
    failure: TinycError | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    line: bytes
    fact: Fact | None


class Journal:
    """The journal of a build folder. Several processes may use it at once."""

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        self.path = folder / STATE_FOLDER / FILE
        self._limit = limit

    def append(self, facts: Iterable[Fact]) -> tuple[str, ...]:
        """Keep facts; they survive a power cut once this returns. Their ids here. Raises OSError."""
        lines = [(uuid4().hex, fact.to_json()) for fact in facts]
        content = b"".join(_line(name, fact) for name, fact in lines)
        with self._locked():
            whole = self._read_bytes()
            if not whole.endswith(b"\n") and whole:
                whole = whole[: whole.rfind(b"\n") + 1]
                os.truncate(self.path, len(whole))
            if len(whole) + len(content) > self._limit:
                self._write(_shortened(_entries(whole + content), self._limit))
            else:
                _append(self.path, content)
        return tuple(name for name, _fact in lines)

    def facts(self) -> tuple[Fact, ...]:
        """What waits, oldest first. Raises OSError."""
        return tuple(entry.fact for entry in _entries(self._read_bytes()) if entry.fact is not None)

    def replay(self, write: Write, own: Collection[str] = ()) -> Replayed:
        """Write what waits into the registry, in order, and forget what it has.

        Facts with the ids `own` happen now. Facts that are refused, and lines that are no facts, go to a file
        of their own and hold nothing up. The first other TinycError ends the replay. Raises OSError.
        """
        if not self.path.exists():
            return Replayed()
        with self._locked():
            entries = _entries(self._read_bytes())
            done = Replayed()
            refused: list[tuple[_Entry, TinycError]] = []
            at = 0
            try:
                for entry in entries:
                    try:
                        if entry.fact is None:
                            raise Refused("a line of the journal is no fact", where=str(self.path))
                        write(entry.fact, entry.id in own)
                        done = replace(done, written=done.written + 1)
                    except Refused as error:
                        refused.append((entry, error))
                    at += 1
            except TinycError as error:
                done = replace(done, failure=error)
            finally:
                # Whatever ended it: what the registry has is not told again.
                if refused:
                    _append(self.path.with_name(REFUSED), b"".join(_refusal(*each) for each in refused))
                self._write(entries[at:])
            return replace(done, left=len(entries) - at, refused=tuple(error for _, error in refused))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with exclusive(self.path.with_suffix(".lock")):
            yield

    def _read_bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""

    def _write(self, entries: Sequence[_Entry]) -> None:
        """Replace the file in one step; without entries there is none."""
        if not entries:
            self.path.unlink(missing_ok=True)
            return
        part = self.path.with_suffix(".part")
        with part.open("wb") as stream:
            stream.write(b"".join(entry.line + b"\n" for entry in entries))
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self.path)
        _sync_folder(self.path.parent)


def waiting_under(folder: Path, depth: int = 4) -> tuple[Journal, ...]:
    """The journals of build folders at most `depth` folders below this one, sorted by path."""
    found = []
    for root, folders, _files in os.walk(folder):
        here = Path(root)
        if (here / STATE_FOLDER / FILE).is_file():
            found.append(here)
        level = len(here.relative_to(folder).parts)
        folders[:] = [] if level >= depth else sorted(name for name in folders if not name.startswith("."))
    return tuple(Journal(each) for each in sorted(found))


def _line(name: str, fact: dict[str, Any]) -> bytes:
    return json.dumps({"format": _FORMAT, "id": name, "fact": fact}).encode() + b"\n"


def _refusal(entry: _Entry, error: TinycError) -> bytes:
    told = {"why": str(error), "line": entry.line.decode("utf-8", "replace")}
    return json.dumps(told).encode() + b"\n"


def _entries(content: bytes) -> tuple[_Entry, ...]:
    """The lines of a journal, without a last one that was torn."""
    *lines, torn = content.split(b"\n")
    del torn
    return tuple(_entry(line) for line in lines if line.strip())


def _entry(line: bytes) -> _Entry:
    try:
        told = json.loads(line)
        if told["format"] != _FORMAT:
            return _Entry("", line, None)
        return _Entry(str(told["id"]), line, from_json(told["fact"]))
    except (ValueError, KeyError, TypeError):
        return _Entry("", line, None)


def _shortened(entries: Sequence[_Entry], limit: int) -> list[_Entry]:
    """The newest of each fact, and of these the newest that fit into three quarters of the limit."""
    last = {_key(entry): entry for entry in entries}
    kept: list[_Entry] = []
    room = limit * 3 // 4
    for entry in reversed([entry for entry in entries if last[_key(entry)] is entry]):
        room -= len(entry.line) + 1
        if room < 0 and kept:
            break
        kept.append(entry)
    return kept[::-1]


def _key(entry: _Entry) -> str | bytes:
    return entry.fact.key if entry.fact else entry.line


def _append(path: Path, content: bytes) -> None:
    new = not path.exists()
    with path.open("ab") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    if new:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
