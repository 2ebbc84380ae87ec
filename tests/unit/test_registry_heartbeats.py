"""The table of heartbeats, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode

from support import postgres
from tinyc.registry.heartbeats import COLUMNS, Heartbeat, Heartbeats
from tinyc.registry.store.errors import StoreFailed

pytestmark = pytest.mark.unit

NOW = datetime(2026, 10, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('beats') / 'beats.sqlite'}"
        return
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server")
    with postgres.server() as address:
        yield address


@pytest.fixture
def table(url: str) -> Iterator[Heartbeats]:
    with Heartbeats(url) as beats:
        yield beats


def minutes(count: float) -> datetime:
    return NOW + timedelta(minutes=count)


def test_record_and_get(table: Heartbeats) -> None:
    first = Heartbeat("urn:d:1", minutes(-3), 1000, 60, 5, 0)
    assert table.record([first, Heartbeat("urn:d:2", minutes(-2))], now=NOW) == 2
    assert table.get(["urn:d:1", "urn:d:2", "urn:nobody"]) == {
        "urn:d:1": first,
        "urn:d:2": Heartbeat("urn:d:2", minutes(-2)),
    }
    table.record([Heartbeat("urn:d:1", minutes(-1), free_ram=900)], now=NOW)
    # What a report leaves out stays.
    assert table.get(["urn:d:1"])["urn:d:1"] == Heartbeat("urn:d:1", minutes(-1), 900, 60, 5, 0)


def test_time_never_goes_back(table: Heartbeats) -> None:
    table.record([Heartbeat("urn:back", minutes(-5), 100, 50)], now=NOW)
    table.record([Heartbeat("urn:back", minutes(-60), 7, 7)], now=NOW)
    assert table.get(["urn:back"])["urn:back"] == Heartbeat(
        "urn:back", minutes(-5), 100, 50, clock_wrong=True
    )
    table.record([Heartbeat("urn:back", minutes(-4), 90)], now=NOW)
    assert not table.get(["urn:back"])["urn:back"].clock_wrong


def test_a_time_in_the_future_is_now(table: Heartbeats) -> None:
    table.record([Heartbeat("urn:ahead", minutes(600)), Heartbeat("urn:little", minutes(2))], now=NOW)
    found = table.get(["urn:ahead", "urn:little"])
    assert found["urn:ahead"] == Heartbeat("urn:ahead", NOW, clock_wrong=True)
    assert found["urn:little"] == Heartbeat("urn:little", NOW)


def test_zones(table: Heartbeats) -> None:
    table.record([Heartbeat("urn:z", minutes(-9).astimezone(timezone(timedelta(hours=9))))], now=NOW)
    assert table.get(["urn:z"])["urn:z"].last_seen == minutes(-9)
    with pytest.raises(ValueError, match="no time zone"):
        table.record([Heartbeat("urn:z", datetime(2026, 1, 1))], now=NOW.replace(tzinfo=None))


def test_batches_and_stale(table: Heartbeats) -> None:
    rows = [Heartbeat(f"urn:many:{n}", minutes(-10_000 - n), free_ram=n) for n in range(1700)]
    assert table.record(rows, now=NOW) == 1700
    stale = table.stale(minutes(-9_999))
    assert [beat.device for beat in stale] == [f"urn:many:{n}" for n in reversed(range(1700))]
    assert len(table.get(row.device for row in rows)) == 1700
    # Of several reports of a device in one call the latest counts.
    table.record([Heartbeat("urn:twice", minutes(-1), 1), Heartbeat("urn:twice", minutes(-2), 2)], now=NOW)
    assert table.get(["urn:twice"])["urn:twice"].free_ram == 1


def test_names_that_would_be_sql(table: Heartbeats) -> None:
    name = "urn:x'); DROP TABLE tinyc_heartbeat; --"
    table.record([Heartbeat(name, NOW)], now=NOW)
    assert name in table.get([name])


def test_join(table: Heartbeats) -> None:
    table.record([Heartbeat("urn:j:1", minutes(-1), 512, 60, 3, 2)], now=NOW)
    rows = [
        (Literal("a"), NamedNode("urn:j:1")),
        (Literal("b"), NamedNode("urn:j:none")),
        (Literal("c"), None),
    ]
    columns, joined = table.join(("name", "device"), rows, "device")
    assert columns == ("name", "device", *COLUMNS)
    first, second, third = joined
    time = Literal(
        "2026-10-02T11:59:00+00:00", datatype=NamedNode("http://www.w3.org/2001/XMLSchema#dateTime")
    )
    assert first == (*rows[0], time, Literal(512), Literal(60), Literal(2))
    assert second == (*rows[1], None, None, None, None)
    assert third == (*rows[2], None, None, None, None)


def test_writers_at_once(url: str) -> None:
    def write(writer: int) -> None:
        with Heartbeats(url) as beats:
            for count in range(20):
                rows = [Heartbeat(f"urn:w:{n}", minutes(-20 + count), writer) for n in range(10)]
                beats.record([*rows, Heartbeat(f"urn:own:{writer}:{count}", NOW)], now=NOW)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Heartbeats(url) as beats:
        own = [f"urn:own:{writer}:{count}" for writer in range(6) for count in range(20)]
        assert len(beats.get(own)) == 120
        assert beats.get(["urn:w:3"])["urn:w:3"].last_seen == minutes(-1)


@pytest.mark.parametrize("url", ["nonsense", "nodriver://x/y", "sqlite:////nowhere/at/all.sqlite"])
def test_bad_database(url: str) -> None:
    with pytest.raises(StoreFailed):
        Heartbeats(url)


def test_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("this is no database, and long enough to be read as one" * 40)
    with pytest.raises(StoreFailed, match="not a database"):
        Heartbeats(f"sqlite:///{tmp_path / 'x.sqlite'}")
