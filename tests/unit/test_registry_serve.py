"""`tinyc registry serve` as a process: its address, its end, its lock, and writers beside it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from support.paths import ROOT
from support.registry_fleet import SAMPLE
from tinyc.cli.app import app
from tinyc.errors import TinycError
from tinyc.registry.location import Location
from tinyc.registry.registry import Registry

pytestmark = pytest.mark.unit

TINYC = [sys.executable, "-c", "from tinyc.cli import main; main()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "compiler"), "NO_COLOR": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "fleet"
    with Registry.create(Location(folder=path)) as registry:
        registry.store.update(f"INSERT DATA {{ {_triples()} }}")
    return path


def _triples() -> str:
    from pyoxigraph import RdfFormat, parse

    return " ".join(f"{quad.triple} ." for quad in parse(path=str(SAMPLE), format=RdfFormat.TURTLE))


@contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the URL that it printed."""
    command = [*TINYC, "registry", "serve", "--registry", str(folder), "--port", "0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    assert process.stdout and process.stderr
    try:
        url = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url), process.stderr.read()
        yield process, url
    finally:
        process.kill()
        process.communicate()


def tinyc(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TINYC, *arguments], capture_output=True, text=True, env=ENVIRONMENT | environment, timeout=120
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(folder: Path, number: signal.Signals) -> None:
    with served(folder) as (process, url):
        assert httpx.get(f"{url}api/stats").json()["devices"] == 2
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0 and out == "" and err.rstrip().endswith("stopped"), err
        assert "Traceback" not in err


def test_facts_that_others_write_are_seen(folder: Path) -> None:
    with served(folder) as (_, url):
        assert httpx.get(f"{url}api/models").json()["models"][0]["name"] == "keyword_spotting"
        added = tinyc("registry", "add", "site", "roof", "--registry", str(folder))
        assert added.returncode == 0, added.stderr
        query = 'ASK { ?s a tinyc:Site ; schema:name "roof" }'
        assert httpx.get(f"{url}sparql", params={"query": query}).json()["boolean"] is True
        refused = httpx.post(f"{url}update", data={"update": "CLEAR ALL"})
        assert refused.status_code == 403


def test_a_server_that_writes_holds_the_store_and_takes_writes_of_others(
    folder: Path, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    with served(folder, "--write-token-file", str(token)) as (process, url):
        assert token.stat().st_mode & 0o777 == 0o600
        # The lock says who has the store and where.
        note = json.loads((folder / "store.lock").read_text())
        assert note["pid"] == process.pid and note["url"] == f"{url}sparql"
        secret = token.read_text().strip()
        through = tinyc(
            "registry", "add", "site", "roof", "--registry", note["url"], TINYC_REGISTRY_TOKEN=secret
        )
        assert through.returncode == 0, through.stderr
        query = 'ASK { ?s a tinyc:Site ; schema:name "roof" }'
        assert httpx.get(f"{url}sparql", params={"query": query}).json()["boolean"] is True
        without = tinyc("registry", "add", "site", "cellar", "--registry", note["url"])
        assert without.returncode == 1 and "token" in without.stderr, without.stderr
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    with Registry.open(Location(folder=folder), writable=False) as registry:
        found = registry.store.query('ASK { ?s <https://schema.org/name> "roof" }')
        assert found.value is True  # type: ignore[union-attr]


@pytest.mark.parametrize(("options", "status"), [((), 422), (("--unchecked-updates",), 204)])
def test_updates_are_checked_unless_told_otherwise(
    folder: Path, tmp_path: Path, options: tuple[str, ...], status: int
) -> None:
    token = tmp_path / "token"
    with served(folder, "--write-token-file", str(token), *options) as (_, url):
        headers = {"authorization": f"Bearer {token.read_text().strip()}"}
        update = "INSERT DATA { <urn:tinyc:site:roof> a tinyc:Site ; schema:name 1 }"
        answer = httpx.post(f"{url}update", data={"update": update}, headers=headers)
        assert answer.status_code == status, answer.text
        there = httpx.get(f"{url}sparql", params={"query": "ASK { <urn:tinyc:site:roof> ?p ?o }"})
        assert there.json()["boolean"] is (status == 204)


def test_what_is_wrong_is_said_at_the_start(folder: Path, tmp_path: Path) -> None:
    def says(words: str, *arguments: str) -> None:
        result = CliRunner().invoke(app, ["registry", "serve", *arguments])
        assert isinstance(result.exception, TinycError) and words in str(result.exception), result
        assert result.stdout == ""

    at = ("--registry", str(folder))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        says("another program listens", *at, "--port", str(taken.getsockname()[1]))
    says("--host", *at, "--host", "no.such.host.invalid")
    says("--host", *at, "--host", "192.0.2.1")
    says("registry", "--registry", str(tmp_path / "none"))
    public = tmp_path / "public"
    public.write_text("a token that everybody reads")
    public.chmod(0o644)
    says("others may read the token", *at, "--write-token-file", str(public))


def test_a_query_that_takes_too_long_leaves_no_process(folder: Path) -> None:
    endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
    with served(folder, "--timeout", "1", "--max-rows", "5") as (process, url):
        stopped = httpx.get(f"{url}sparql", params={"query": endless}, timeout=30)
        assert stopped.status_code == 503
        cut = httpx.get(f"{url}sparql", params={"query": "SELECT * { ?s ?p ?o }"})
        assert len(cut.json()["results"]["bindings"]) == 5 and cut.headers["tinyc-truncated"] == "rows=5"
        workers = _children(process.pid)
        assert workers
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        deadline = time.monotonic() + 10
        while (left := [path for path in workers if path.exists()]) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not left


def _children(parent: int) -> list[Path]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if path.read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append(path.parent)
        except OSError:
            continue
    return found
