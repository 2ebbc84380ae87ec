"""The state of a run in one SQLite file: where it is, and what every round did.

A checkpoint is one transaction, so a run that is killed at any moment goes on from the last one. What
came after that is done again from the same seeds, so it comes out the same where the devices do.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType

import numpy as np

from tinyc.errors import TinycError
from tinyc.learning.federation.client import NetworkShape, Vector

_VERSION = 1
_SCHEMA = """
CREATE TABLE run (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER, digest TEXT, shape TEXT,
                  strategy TEXT, rounds INTEGER, done INTEGER, parameters BLOB, recent TEXT);
CREATE TABLE rounds (number INTEGER PRIMARY KEY, record TEXT);
CREATE TABLE clients (name TEXT PRIMARY KEY, tally TEXT, state BLOB);
"""


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """What one round did. Bytes are those of parameters down to devices and of deltas up, `seconds` is
    the slowest device that was waited for, loss the mean of those that count (None without any)."""

    number: int
    step: float
    asked: int
    used: int
    dropped: int
    late: int
    refused: int
    clipped: int
    loss: float | None
    seconds: float
    sent_bytes: int
    received_bytes: int
    score: float | None = None
    score_error: float | None = None


@dataclass(slots=True)
class Tally:
    """What a device did over the run, and what it said last when something was wrong."""

    asked: int = 0
    used: int = 0
    dropped: int = 0
    late: int = 0
    refused: int = 0
    clipped: int = 0
    last_problem: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A run as the file has it: `done` rounds of `rounds`."""

    digest: str
    shape: NetworkShape
    strategy: str
    rounds: int
    done: int
    parameters: Vector
    recent: tuple[float, ...]


class RunState:
    """The file of a run, open. A context manager. Raises TinycError for a file that is no run's."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.is_file():
            raise TinycError("no such run", where=str(path), hint="`tinyc federate run` makes one")
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            if create:
                with closing(self._connection.cursor()) as cursor:
                    cursor.execute("SELECT count(*) FROM sqlite_master")
                    if cursor.fetchone()[0] == 0:
                        self._connection.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
            self._check_version()
        except sqlite3.Error as error:
            self._connection.close()
            raise TinycError(f"is not the state of a run: {error}", where=str(path)) from error
        except TinycError:
            self._connection.close()
            raise

    def _check_version(self) -> None:
        row = self._connection.execute("SELECT version FROM run").fetchone()
        if row and row[0] != _VERSION:
            raise TinycError(f"has format {row[0]}", where=str(self.path), allowed=f"format {_VERSION}")

    def __enter__(self) -> RunState:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def progress(self) -> Progress | None:
        """Where the run is; None before the first checkpoint."""
        row = self._connection.execute(
            "SELECT digest, shape, strategy, rounds, done, parameters, recent FROM run"
        ).fetchone()
        if row is None:
            return None
        digest, shape, strategy, rounds, done, parameters, recent = row
        told = json.loads(shape)
        network = NetworkShape(tuple(told["layers"]), told["hidden"], told["loss"])
        vector = np.frombuffer(parameters, "<f4").astype(np.float32)
        return Progress(digest, network, strategy, rounds, done, vector, tuple(json.loads(recent)))

    def records(self) -> list[RoundRecord]:
        """The rounds that are done, in order."""
        rows = self._connection.execute("SELECT record FROM rounds ORDER BY number")
        return [RoundRecord(**json.loads(row[0])) for row in rows]

    def tallies(self) -> dict[str, Tally]:
        """Device → what it did."""
        rows = self._connection.execute("SELECT name, tally FROM clients ORDER BY name")
        return {name: Tally(**json.loads(tally)) for name, tally in rows}

    def client_states(self) -> dict[str, bytes]:
        """Device → what it wanted to keep."""
        rows = self._connection.execute("SELECT name, state FROM clients WHERE length(state) > 0")
        return {name: bytes(state) for name, state in rows}

    def save(
        self,
        progress: Progress,
        before: int | None,
        records: Iterable[RoundRecord],
        tallies: Mapping[str, Tally],
        states: Mapping[str, bytes],
    ) -> None:
        """A checkpoint: all or nothing. `before` is what `done` was at the last one, None for the first.

        Raises TinycError if it is not so any more: another process runs the same run.
        """
        connection = self._connection
        shape = json.dumps(asdict(progress.shape))
        connection.execute("BEGIN IMMEDIATE")
        try:
            row = connection.execute("SELECT done FROM run").fetchone()
            if (row[0] if row else None) != before:
                raise TinycError(
                    "another process goes on with this run", where=str(self.path), hint="wait for it to end"
                )
            connection.execute(
                "INSERT OR REPLACE INTO run VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(_VERSION, progress.digest, shape, progress.strategy, progress.rounds, progress.done),
                    *(progress.parameters.astype("<f4").tobytes(), json.dumps(progress.recent)),
                ),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO rounds VALUES (?, ?)",
                [(record.number, json.dumps(asdict(record))) for record in records],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO clients VALUES (?, ?, ?)",
                [(name, json.dumps(asdict(t)), states.get(name, b"")) for name, t in tallies.items()],
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def totals(records: Sequence[RoundRecord]) -> dict[str, int]:
    """Sums over the rounds of what is counted."""
    counted = [each.name for each in fields(RoundRecord) if each.type == "int" and each.name != "number"]
    return {name: sum(getattr(record, name) for record in records) for name in counted}
