"""What devices report often: last seen, free memory, counters. One row per device, in a relational table.

RDF changes when a fact changes; thousands of heartbeats a second would be too many updates for it. The table
lies in SQLite beside the store, or behind any URL that SQLAlchemy knows. Times are UTC, sizes bytes, uptime
seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from tinyc.registry.store.errors import StoreFailed

BATCH = 500
"""Rows of one statement; SQLite takes 32,766 values in one, older ones 999."""
AHEAD = timedelta(minutes=5)
"""How far a device's clock may be ahead before the time counts as wrong."""
COLUMNS = ("last_seen", "free_ram", "uptime", "errors")
"""What is appended to the rows of a query with `# heartbeat VARIABLE`."""

_METADATA = sql.MetaData()
_TABLE = sql.Table(
    "tinyc_heartbeat",
    _METADATA,
    sql.Column("device", sql.Text, primary_key=True),
    # Microseconds since 1970, UTC: an integer compares alike everywhere.
    sql.Column("last_seen", sql.BigInteger, nullable=False, index=True),
    sql.Column("free_ram", sql.BigInteger),
    sql.Column("uptime", sql.BigInteger),
    sql.Column("inferences", sql.BigInteger),
    sql.Column("errors", sql.BigInteger),
    sql.Column("clock_wrong", sql.Boolean, nullable=False),
)
_OTHERS = ("free_ram", "uptime", "inferences", "errors", "clock_wrong")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a device said, or, read back, what is known of it.

    `clock_wrong`: its last report claimed a time in the future, or before one that it had reported already.
    """

    device: str
    last_seen: datetime
    free_ram: int | None = None
    uptime: int | None = None
    inferences: int | None = None
    errors: int | None = None
    clock_wrong: bool = False


class Heartbeats:
    """The table behind `url`, such as `sqlite:///path/heartbeats.sqlite`; made when it is missing.

    Safe to use from threads and from processes. Raises `StoreFailed` when the database cannot be used.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = sql.create_engine(url)
            self.where = self._engine.url.render_as_string(hide_password=True)
        except (SQLAlchemyError, ImportError) as error:
            raise StoreFailed(
                f"cannot use the database: {error}", hint="such as sqlite:///heartbeats.sqlite"
            ) from None
        if self._engine.dialect.name == "sqlite":
            sql.event.listen(self._engine, "connect", _sqlite_settings)
        try:
            with self._explained():
                # Two processes may make it at once: the second finds it there.
                try:
                    _METADATA.create_all(self._engine)
                except SQLAlchemyError:
                    _METADATA.create_all(self._engine)
        except StoreFailed:
            self._engine.dispose()
            raise

    def record(self, rows: Iterable[Heartbeat], *, now: datetime | None = None) -> int:
        """Keep what devices said, in one transaction, and return how many rows that were.

        `last_seen` of a device never goes back: a report from the past only says that a clock is wrong. A
        time in the future becomes `now`. Of several reports of a device the latest counts. A time without
        zone raises ValueError.
        """
        now = now or datetime.now(UTC)
        latest: dict[str, Heartbeat] = {}
        for row in rows:
            before = latest.get(row.device)
            if before is None or row.last_seen >= before.last_seen:
                latest[row.device] = row
        values = [_values(row, now) for row in latest.values()]
        with self._explained(), self._engine.begin() as connection:
            for start in range(0, len(values), BATCH):
                connection.execute(self._upsert(values[start : start + BATCH]))
        return len(values)

    def get(self, devices: Iterable[str]) -> dict[str, Heartbeat]:
        """What is known of those devices; a device that never reported is not in it."""
        found = {}
        asked = iter(dict.fromkeys(devices))
        with self._explained(), self._engine.connect() as connection:
            while part := list(islice(asked, BATCH)):
                for row in connection.execute(sql.select(_TABLE).where(_TABLE.c.device.in_(part))):
                    found[row.device] = _heartbeat(row)
        return found

    def stale(self, before: datetime) -> tuple[Heartbeat, ...]:
        """Devices last seen before a time, the longest silent first."""
        query = (
            sql.select(_TABLE)
            .where(_TABLE.c.last_seen < _microseconds(before))
            .order_by(_TABLE.c.last_seen, _TABLE.c.device)
        )
        with self._explained(), self._engine.connect() as connection:
            return tuple(_heartbeat(row) for row in connection.execute(query))

    def count(self) -> int:
        with self._explained(), self._engine.connect() as connection:
            return int(connection.execute(sql.select(sql.func.count()).select_from(_TABLE)).scalar_one())

    def join(
        self, variables: Sequence[str], rows: Iterable[Sequence[Any]], variable: str
    ) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """The columns `COLUMNS` behind the rows of a query, by the devices in column `variable`.

        The rows are terms of RDF; so is what is appended, None where a device never reported. Rows are read
        in portions, one look into the table for each.
        """
        position = list(variables).index(variable)
        return (*variables, *COLUMNS), self._joined(iter(rows), position)

    def _joined(self, rows: Iterator[Sequence[Any]], position: int) -> Iterator[tuple[Any, ...]]:
        from pyoxigraph import Literal, NamedNode

        time_type = NamedNode("http://www.w3.org/2001/XMLSchema#dateTime")
        while part := list(islice(rows, BATCH)):
            cells = [row[position] for row in part]
            known = self.get(cell.value for cell in cells if isinstance(cell, NamedNode))
            for row, cell in zip(part, cells, strict=True):
                beat = known.get(cell.value) if isinstance(cell, NamedNode) else None
                if beat is None:
                    yield (*row, *(None for _ in COLUMNS))
                    continue
                seen = Literal(beat.last_seen.isoformat(), datatype=time_type)
                numbers = (beat.free_ram, beat.uptime, beat.errors)
                yield (*row, seen, *(None if number is None else Literal(number) for number in numbers))

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Heartbeats:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _upsert(self, values: list[dict[str, Any]]) -> Any:
        from sqlalchemy.dialects import postgresql, sqlite

        name = self._engine.dialect.name
        if name not in ("sqlite", "postgresql"):
            raise StoreFailed(
                f"heartbeats cannot be kept in {name}", where=self.where, hint="use SQLite or PostgreSQL"
            )
        # Both dialects have the same statement, with types of their own.
        statement: Any = (sqlite if name == "sqlite" else postgresql).insert(_TABLE).values(values)
        new, old = statement.excluded, _TABLE.c
        newer = new.last_seen >= old.last_seen
        changes: dict[str, Any] = {
            column: sql.case((newer, sql.func.coalesce(new[column], old[column])), else_=old[column])
            for column in _OTHERS
        }
        changes["last_seen"] = sql.case((newer, new.last_seen), else_=old.last_seen)
        changes["clock_wrong"] = sql.case((newer, new.clock_wrong), else_=sql.true())
        return statement.on_conflict_do_update(index_elements=["device"], set_=changes)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise StoreFailed(f"the database of heartbeats fails: {cause}", where=self.where) from error


def _sqlite_settings(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    # Readers and one writer at a time, in as many processes as there are.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()


def _microseconds(time: datetime) -> int:
    if time.tzinfo is None:
        raise ValueError(f"{time.isoformat()} has no time zone")
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _values(row: Heartbeat, now: datetime) -> dict[str, Any]:
    ahead = row.last_seen > now + AHEAD
    return {
        "device": row.device,
        "last_seen": _microseconds(min(row.last_seen, now)),
        "free_ram": row.free_ram,
        "uptime": row.uptime,
        "inferences": row.inferences,
        "errors": row.errors,
        "clock_wrong": row.clock_wrong or ahead,
    }


def _heartbeat(row: Any) -> Heartbeat:
    seen = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.last_seen)
    return Heartbeat(
        row.device, seen, row.free_ram, row.uptime, row.inferences, row.errors, bool(row.clock_wrong)
    )
