"""`tinyc registry ask` and `tinyc registry validate`."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyoxigraph import RdfFormat

from support.command_line import tinyc
from support.registry_mutations import SAMPLE
from tinyc.errors import TinycError
from tinyc.registry import names
from tinyc.registry.asking import ask
from tinyc.registry.heartbeats import Heartbeat, Heartbeats
from tinyc.registry.location import Location
from tinyc.registry.queries import find, named_queries
from tinyc.registry.registry import Registry
from tinyc.registry.vocabulary import TD, TINYC

pytestmark = pytest.mark.unit

DEVICE = names.device("nrf52840", "1122334455667788").value
LOST = names.device("microbit", "99aa").value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "registry"
    with Registry.create(Location(folder=folder, told_by="test")) as registry:
        # The boards of the sample are those of a registry with other names for their facts.
        registry.store.update("CLEAR ALL")
        registry.store.load(SAMPLE, RdfFormat.TURTLE)
    return folder


def test_without_a_name_all_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = tinyc("registry", "ask", "--json")
    assert (said.code, [each["name"] for each in said.json]) == (0, list(named_queries()))
    (one,) = (each for each in said.json if each["name"] == "devices-running")
    assert [(each["name"], each["type"], each["default"]) for each in one["parameters"]] == [
        ("model", "model", None),
        ("version", "version", "*"),
        ("limit", "count", "1000"),
    ]
    table = tinyc("registry", "ask").stdout
    assert all(name in table and query.description in table for name, query in named_queries().items())


def test_an_answer_as_table_json_and_csv(folder: Path) -> None:
    asked = ("registry", "ask", "devices-running", "model=keyword_spotting", "--registry", folder)
    said = tinyc(*asked)
    assert said.code == 0
    assert DEVICE in said.stdout and "board name" in said.stdout and "hall 3" in said.stdout
    (row,) = tinyc(*asked, "--json").json["results"]["bindings"]
    assert row["device"] == {"type": "uri", "value": DEVICE}
    assert row["chip"] == {"type": "literal", "value": "1122334455667788"}
    (line,) = csv.DictReader(io.StringIO(tinyc(*asked, "--csv").stdout))
    assert (line["device"], line["siteName"], line["release"]) == (DEVICE, "hall 3", "1.0.0")


def test_more_rows_than_the_limit_are_told(folder: Path) -> None:
    said = tinyc("registry", "ask", "models", "limit=1", "--registry", folder)
    assert "1 rows, as many as `limit` allows" in said.stderr
    assert "allows" not in tinyc("registry", "ask", "models", "--registry", folder).stderr


def test_the_query_itself(folder: Path) -> None:
    said = tinyc("registry", "ask", "device-history", "device=99aa", "--sparql", "--registry", folder)
    assert f"tinyc:device <{LOST}>" in said.stdout
    with Registry.open(Location(folder=folder, told_by="test"), writable=False) as registry:
        registry.store.query(said.stdout)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["devices-runing"], "did you mean `devices-running`?"),
        (["devices-running"], "model  is missing"),
        (["devices-running", "modell=x"], "did you mean `model`?"),
        (["devices-running", "keyword_spotting"], "is no NAME=VALUE"),
        (["devices-running", "model=a", "model=b"], "is given twice"),
        (["devices-running", "model=keyword_spoting"], "did you mean `keyword_spotting`?"),
        (["missing", "before=soon"], "is no time"),
        (["drifted", "limit=-1"], "is no count"),
        (["not-seen-since", "moment=2026-10-01"], "there are no heartbeats here"),
    ],
)
def test_mistakes(folder: Path, arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "no heartbeats" in told:
        monkeypatch.setattr(Registry, "heartbeats", None, raising=False)
    said = tinyc("registry", "ask", *arguments, "--registry", folder)
    assert (said.code, said.stdout) == (1, "")
    assert told in said.stderr


def test_heartbeats_are_joined(folder: Path, tmp_path: Path) -> None:
    seen = datetime(2026, 10, 3, tzinfo=UTC)
    with (
        Registry.open(Location(folder=folder, told_by="test"), writable=False) as registry,
        Heartbeats(f"sqlite:///{tmp_path / 'beats.sqlite'}") as beats,
    ):
        beats.record(
            [Heartbeat(DEVICE, seen, free_ram=1234), Heartbeat(LOST, datetime(2026, 10, 5, tzinfo=UTC))]
        )
        model = {"model": "keyword_spotting"}
        answer = ask(find("devices-running"), model, registry.store, beats)
        (row,) = (dict(zip(answer.variables, each, strict=True)) for each in answer.rows)
        assert (row["last_seen"].value, row["free_ram"].value) == (seen.isoformat(), "1234")

        def silent(moment: str, **more: str) -> list[str]:
            told = ask(find("not-seen-since"), {"moment": moment, **more}, registry.store, beats)
            place = told.variables.index("device")
            return sorted(each[place].value for each in told.rows)

        assert silent("2026-10-01") == []
        assert silent("2026-10-04") == [DEVICE]
        assert silent("2026-10-06") == sorted([DEVICE, LOST])
        # The longest silent comes first.
        assert silent("2026-10-06", limit="1") == [DEVICE]
        assert [each.value for each in ask(find("drifted"), {}, registry.store).rows] == []
        with pytest.raises(TinycError, match="no heartbeats"):
            ask(find("not-seen-since"), {"moment": "2026-10-06"}, registry.store)


def test_what_agrees_and_what_does_not(folder: Path) -> None:
    said = tinyc("registry", "validate", "--registry", folder)
    assert (said.code, said.stdout) == (0, "")
    assert "everything agrees" in said.stderr
    with Registry.open(Location(folder=folder, told_by="test")) as registry:
        deployment = "<urn:tinyc:deployment:d0000000000000000000000000000001>"
        registry.store.update(f'INSERT DATA {{ {deployment} {TINYC.verified} "maybe" }}')
        registry.store.update(f'INSERT DATA {{ <urn:form> {TD.href} "x" }}')
    said = tinyc("registry", "validate", "--registry", folder, "--json")
    assert said.code == 1
    errors = [each for each in said.json if not each["warning"]]
    assert {(each["constraint"], each["value"]) for each in errors} == {
        ("maxCount", None),
        ("datatype", '"maybe"'),
    }
    assert [each["node"] for each in said.json if each["warning"]] == ["urn:form"]
    assert "2 facts contradict the shapes" in said.stderr
    table = tinyc("registry", "validate", "--registry", folder)
    assert '`verified` is "maybe", which is no boolean' in table.stdout
    with Registry.open(Location(folder=folder, told_by="test")) as registry:
        registry.store.update(f'DELETE DATA {{ {deployment} {TINYC.verified} "maybe" }}')
    said = tinyc("registry", "validate", "--registry", folder)
    assert said.code == 0 and "1 warning" in said.stderr
    assert tinyc("registry", "validate", "--strict", "--registry", folder).code == 1
