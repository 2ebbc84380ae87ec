"""`tinyc registry query` as a user runs it."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from pyoxigraph import RdfFormat

from support.paths import ROOT
from tinyc.cli import main
from tinyc.cli.registry.query import command
from tinyc.errors import TinycError
from tinyc.registry.location import Location
from tinyc.registry.registry import Registry

pytestmark = pytest.mark.unit

DEVICES = (
    "SELECT ?chip ?since WHERE { ?d tinyc:chip ?chip OPTIONAL { ?d tinyc:missingSince ?since } } "
    "ORDER BY ?chip"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("query") / "registry"
    with Registry.open(Location(folder=folder, told_by="test", may_create=True)) as registry:
        registry.store.load(ROOT / "tests" / "data" / "registry_sample.ttl", RdfFormat.TURTLE)
    return folder


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def query(place: Path, *words: str, stdin: str = "") -> Done:
    """The verb through the entry point of the command line, in this process: a new one takes a second."""
    argv = ["tinyc", "registry", "query", *words, "--registry", str(place)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def test_table(place: Path) -> None:
    done = query(place, DEVICES)
    assert done.returncode == 0, done.stderr
    assert "1122334455667788" in done.stdout and "2026-10-05T00:00:00Z" in done.stdout
    assert "2 rows" in done.stderr


def test_json_from_stdin(place: Path) -> None:
    done = query(place, "-", "--json", stdin=DEVICES)
    answer = json.loads(done.stdout)
    assert answer["head"]["vars"] == ["chip", "since"]
    assert [row["chip"]["value"] for row in answer["results"]["bindings"]] == ["1122334455667788", "99aa"]


def test_csv_from_file(place: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.rq").write_text(DEVICES)
    done = query(place, "--file", str(tmp_path / "mine.rq"), "--format", "csv")
    assert done.stdout.splitlines()[1] == "1122334455667788,"


def test_graph_and_truth(place: Path) -> None:
    done = query(place, "CONSTRUCT WHERE { ?d a tinyc:Site }", "--format", "turtle")
    assert "<urn:tinyc:site:hall-3> a tinyc:Site" in done.stdout
    assert query(place, "ASK { ?d a tinyc:Device }").stdout.strip() == "yes"
    assert "tinyc:Site" in query(place, "CONSTRUCT WHERE { ?d a tinyc:Site }").stdout


def test_limits(place: Path) -> None:
    done = query(place, "SELECT ?s { ?s ?p ?o }", "--limit", "3", "--format", "csv")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 4
    assert "more than 3 rows" in done.stderr
    endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?o ?p }"
    done = query(place, endless, "--timeout", "1")
    assert done.returncode == 1
    assert "more than 1 s" in done.stderr and "Traceback" not in done.stderr


def test_syntax_error_shows_the_line(place: Path) -> None:
    done = query(place, "SELECT * WHERE {\n  ?s ?p ?o .\n  FILTR(?o)\n}")
    assert done.returncode == 1
    assert "line 3, column 3" in done.stderr
    assert "      FILTR(?o)\n      ^\n" in done.stderr


def test_an_update_is_refused(place: Path) -> None:
    done = query(place, "# SELECT\nDROP ALL")
    assert done.returncode == 1
    assert "this is an update" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"text": "INSERT DATA { <urn:a> <urn:b> 1 }"}, "this is an update"),
        ({}, "nothing to ask"),
        ({"text": "ASK {}", "file": Path("x.rq")}, "two queries"),
        ({"file": Path("/nowhere/x.rq")}, "cannot read the query"),
        ({"text": "ASK {}", "format": "yaml"}, "no format `yaml`"),
        ({"text": "ASK {}", "format": "turtle"}, "cannot be written as turtle"),
        ({"text": "ASK {}", "json": True, "format": "csv"}, "two formats"),
    ],
)
def test_mistakes(place: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(TinycError, match=said):
        command(**{"format": None, "limit": None, "timeout": None, **options}, registry=str(place))
