"""The embedded store: limits, locks, durability, readers beside a writer, and what goes wrong."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat

from support.paths import ROOT
from tinyc.errors import TinycError
from tinyc.registry.store import durable
from tinyc.registry.store.base import STANDARD, Limits, Rows, Scope, Triples, Truth, quads
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.store.errors import LimitReached, ReadOnly, StoreBusy, StoreFailed
from tinyc.registry.store.workers import Workers

pytestmark = pytest.mark.unit

SAMPLE = ROOT / "tests" / "data" / "registry_sample.ttl"
G1, G2 = NamedNode("urn:g:1"), NamedNode("urn:g:2")
# 60^6 solutions: nothing computes that.
ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n1 ?o . ?p ?q ?r }"


def numbers(store: EmbeddedStore) -> set[str]:
    answer = store.query("SELECT ?o WHERE { ?s <urn:n> ?o }")
    assert isinstance(answer, Rows)
    return {row[0].value for row in answer.rows}  # type: ignore[union-attr]


def number(count: int) -> str:
    return f"INSERT DATA {{ <urn:thing:{count}> <urn:n> {count} }}"


def rows(store: EmbeddedStore, text: str, **more: object) -> list[tuple[object, ...]]:
    answer = store.query(text, **more)  # type: ignore[arg-type]
    assert isinstance(answer, Rows)
    return list(answer.rows)


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddedStore:
    made = EmbeddedStore(None if request.param == "memory" else tmp_path / "store")
    request.addfinalizer(made.close)
    return made


class TestQueries:
    def test_forms(self, store: EmbeddedStore) -> None:
        store.load(SAMPLE, RdfFormat.TURTLE)
        asked = store.query("ASK { ?d a tinyc:Device }", prefixes={"tinyc": "urn:tinyc:ns#"})
        assert asked == Truth(True)
        made = store.query("CONSTRUCT { ?d a ?t } WHERE { ?d a ?t }")
        assert isinstance(made, Triples) and len(list(made.triples)) > 10
        answer = store.query("SELECT ?a ?b WHERE { BIND(1 AS ?a) }")
        assert isinstance(answer, Rows) and answer.variables == ("a", "b")
        assert [(row[0].value, row[1]) for row in answer.rows] == [("1", None)]  # type: ignore[union-attr]

    @pytest.mark.parametrize("seconds", [None, 20.0])
    def test_scopes(self, store: EmbeddedStore, seconds: float | None) -> None:
        s, p = NamedNode("urn:s"), NamedNode("urn:p")
        store.insert(Quad(s, p, Literal(n), g) for n, g in (("0", DefaultGraph()), ("1", G1), ("2", G2)))
        found = [
            {
                row[0].value
                for row in rows(store, "SELECT ?o { ?s ?p ?o }", scope=scope, limits=Limits(seconds))
            }  # type: ignore[attr-defined]
            for scope in (Scope(), STANDARD, Scope(default=(G1,)), Scope(named=(G2,)))
        ]
        assert found == [{"0", "1", "2"}, {"0"}, {"1"}, set()]
        named = rows(store, "SELECT ?g { GRAPH ?g { ?s ?p ?o } }", scope=Scope(named=(G2,)))
        assert named == [(G2,)]
        assert {str(quad) for quad in quads(store)} == {
            str(Quad(s, p, Literal(n), g)) for n, g in (("0", DefaultGraph()), ("1", G1), ("2", G2))
        }

    @pytest.mark.parametrize("seconds", [None, 20.0])
    def test_rows_limit(self, store: EmbeddedStore, seconds: float | None) -> None:
        store.load(SAMPLE, RdfFormat.TURTLE)
        got = []
        answer = store.query("SELECT * { ?s ?p ?o }", limits=Limits(seconds=seconds, rows=7))
        assert isinstance(answer, Rows)
        with pytest.raises(LimitReached, match="more than 7 rows") as caught:
            got.extend(answer.rows)
        assert caught.value.limit == "rows"
        assert len(got) == 7
        exact = Limits(seconds=seconds, rows=7)
        assert len(rows(store, "SELECT * { ?s ?p ?o } LIMIT 7", limits=exact)) == 7

    def test_time_limit(self, store: EmbeddedStore) -> None:
        store.load(SAMPLE, RdfFormat.TURTLE)
        start = time.monotonic()
        with pytest.raises(LimitReached, match=r"more than 1 s") as caught:
            rows(store, ENDLESS, limits=Limits(seconds=1.0))
        assert caught.value.limit == "seconds"
        assert time.monotonic() - start < 10
        # The store serves on, and a limit that is not reached changes nothing.
        text = "SELECT * { ?s ?p ?o }"
        assert set(rows(store, text, limits=Limits(seconds=20))) == set(rows(store, text))

    def test_memory_limit(self, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
        store.insert(
            Quad(NamedNode(f"urn:{n}"), NamedNode("urn:p"), Literal(f"{n}"), G1) for n in range(2000)
        )
        pool = Workers(store.folder, lambda: iter(store._inner()), memory=1024**3)
        monkeypatch.setattr(store, "_workers", pool)
        text = "SELECT DISTINCT ?a ?b ?c { ?a ?p ?x . ?b ?q ?y . ?c ?r ?z } ORDER BY ?a"
        with pytest.raises(LimitReached, match="more than 1 GiB") as caught:
            rows(store, text, limits=Limits(seconds=60))
        assert caught.value.limit == "memory"
        assert rows(store, "SELECT (1 AS ?x) {}", limits=Limits(seconds=20))
        pool.close()

    @pytest.mark.parametrize(
        ("how", "limit", "words"),
        [
            (signal.SIGABRT, "memory", "more than 6 GiB"),
            (signal.SIGSEGV, "memory", "more than 6 GiB of memory, or is nested too deeply"),
            (signal.SIGBUS, "memory", "more than 6 GiB of memory, or is nested too deeply"),
            (signal.SIGKILL, "memory", "the machine has no memory left"),
            (signal.SIGALRM, "seconds", "more than 20 s"),
        ],
    )
    def test_a_query_whose_process_is_ended(
        self,
        store: EmbeddedStore,
        monkeypatch: pytest.MonkeyPatch,
        how: signal.Signals,
        limit: str,
        words: str,
    ) -> None:
        """By the system or a library: without memory each gives up in its own way."""
        store.load(SAMPLE, RdfFormat.TURTLE)
        with monkeypatch.context() as patched, ThreadPoolExecutor() as pool:
            started: list[subprocess.Popen[bytes]] = []
            real = subprocess.Popen

            def note(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
                started.append(real(*arguments, **options))
                return started[-1]

            patched.setattr(subprocess, "Popen", note)
            # The worker answers once, so that the endless query finds it at work.
            assert rows(store, "SELECT (1 AS ?x) {}", limits=Limits(seconds=20))
            asked = pool.submit(rows, store, ENDLESS, limits=Limits(seconds=20))
            time.sleep(0.1)
            started[-1].send_signal(how)
            with pytest.raises(LimitReached, match=words) as caught:
                asked.result()
        assert caught.value.limit == limit
        assert rows(store, "SELECT (1 AS ?x) {}", limits=Limits(seconds=20))

    def test_limited_queries_see_every_write(self, store: EmbeddedStore) -> None:
        for count in range(3):
            store.update(number(count))
            found = rows(store, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", limits=Limits(seconds=20))
            assert found[0][0].value == str(count + 1)  # type: ignore[attr-defined]

    def test_errors_and_truths_pass_a_limit(self, store: EmbeddedStore) -> None:
        assert store.query("ASK { FILTER(1 < 2) }", limits=Limits(seconds=20)) == Truth(True)
        with pytest.raises(TinycError, match="line 1, column 10"):
            store.query("SELECT * WERE { ?s ?p ?o }", limits=Limits(seconds=20))

    def test_reader_that_stops_early(self, store: EmbeddedStore) -> None:
        store.load(SAMPLE, RdfFormat.TURTLE)
        answer = store.query("SELECT * { ?a ?b ?c . ?d ?e ?f }", limits=Limits(seconds=20))
        assert isinstance(answer, Rows)
        next(answer.rows)
        answer.rows.close()  # type: ignore[attr-defined]
        assert rows(store, "SELECT (1 AS ?x) {}", limits=Limits(seconds=20))

    def test_rdflib_api(self, store: EmbeddedStore) -> None:
        store.load(SAMPLE, RdfFormat.TURTLE, graph=G1)
        dataset = store.as_rdflib()
        found = list(dataset.query("SELECT ?c WHERE { ?d a tinyc:Device ; tinyc:chip ?c } ORDER BY ?c"))
        assert [str(row[0]) for row in found] == ["1122334455667788", "99aa"]  # type: ignore[index]
        dataset.update("INSERT DATA { <urn:a> <urn:n> 5 }")
        dataset.commit()
        assert numbers(store) == {"5"}


class TestWrites:
    def test_all_or_nothing(self, store: EmbeddedStore) -> None:
        store.update(number(1))
        with pytest.raises(TinycError):
            store.update("INSERT DATA { <urn:x> <urn:n> 7 } ; LOAD <file:///nothing/here.ttl>")
        with pytest.raises(TinycError):
            store.update("INSERT DATA { <urn:x> <urn:n> 8 } ; INSRT DATA { <urn:x> <urn:n> 9 }")
        assert numbers(store) == {"1"}

    def test_writing_while_an_answer_is_read(self, store: EmbeddedStore) -> None:
        for count in range(5):
            store.update(number(count))
        answer = store.query("SELECT ?o WHERE { ?s <urn:n> ?o }")
        assert isinstance(answer, Rows)
        for seen, _ in enumerate(answer.rows):
            store.update(number(100 + seen))
        assert seen == 4
        assert len(numbers(store)) == 10

    def test_threads(self, store: EmbeddedStore) -> None:
        def write(writer: int) -> None:
            for count in range(15):
                store.update(number(100 * writer + count))
                assert str(100 * writer + count) in numbers(store)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        assert len(numbers(store)) == 120

    def test_survives_closing(self, tmp_path: Path) -> None:
        with EmbeddedStore(tmp_path / "s") as first:
            first.update(number(1))
            first.insert([Quad(NamedNode("urn:x"), NamedNode("urn:n"), Literal(2), G1)])
        with EmbeddedStore(tmp_path / "s") as again:
            assert numbers(again) == {"1", "2"}
            assert again.count() == 2

    def test_closing_ends_open_answers(self, tmp_path: Path) -> None:
        first = EmbeddedStore(tmp_path / "s")
        first.load(SAMPLE, RdfFormat.TURTLE)
        answer = first.query("SELECT * { ?s ?p ?o }")
        assert isinstance(answer, Rows)
        next(answer.rows)
        first.close()
        assert list(answer.rows) == []
        EmbeddedStore(tmp_path / "s", wait=0).close()

    def test_bad_file(self, store: EmbeddedStore, tmp_path: Path) -> None:
        bad = tmp_path / "bad.ttl"
        bad.write_text("<urn:a> <urn:b> <urn:c> .\n<urn:a> <urn:b> .\n")
        with pytest.raises(StoreFailed, match="not valid") as caught:
            store.load(bad, RdfFormat.TURTLE)
        assert "line 2" in str(caught.value)
        with pytest.raises(StoreFailed, match="No such file"):
            store.load(tmp_path / "none.ttl", RdfFormat.TURTLE)


class TestProcesses:
    def test_readers_beside_a_writer(self, tmp_path: Path) -> None:
        with EmbeddedStore(tmp_path / "s") as writer:
            writer.update(number(1))
            reader = EmbeddedStore(tmp_path / "s", writable=False)
            assert numbers(reader) == {"1"}
            writer.update(number(2))
            assert numbers(reader) == {"1", "2"}
            with pytest.raises(ReadOnly):
                reader.update(number(3))
            reader.close()

    def test_a_reader_survives_compaction(self, tmp_path: Path) -> None:
        with EmbeddedStore(tmp_path / "s") as writer:
            reader = EmbeddedStore(tmp_path / "s", writable=False)
            for count in range(40):
                writer.update(number(count))
                writer._inner().flush()
                if count % 8 == 0:
                    writer.optimize()
                assert len(numbers(reader)) == count + 1
            reader.close()

    def test_second_writer_is_told_who(self, tmp_path: Path) -> None:
        with EmbeddedStore(tmp_path / "s", verb="tinyc registry serve", url="http://127.0.0.1:8080"):
            with pytest.raises(StoreBusy) as caught:
                EmbeddedStore(tmp_path / "s", wait=0.1)
            assert caught.value.holder["pid"] == os.getpid()
            assert "tinyc registry serve" in str(caught.value)
            assert "--registry http://127.0.0.1:8080" in caught.value.hint
        EmbeddedStore(tmp_path / "s", wait=0).close()

    def test_waits_for_the_first(self, tmp_path: Path) -> None:
        code = (
            "import sys, time; from pathlib import Path\n"
            "from tinyc.registry.store.embedded import EmbeddedStore\n"
            "store = EmbeddedStore(Path(sys.argv[1])); print('have', flush=True); time.sleep(0.5)\n"
            "store.update('INSERT DATA { <urn:thing> <urn:n> 1 }'); store.close()\n"
        )
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "s")],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT / "compiler")},
        )
        assert other.stdout is not None
        assert other.stdout.readline() == b"have\n"
        with EmbeddedStore(tmp_path / "s", wait=30) as store:
            assert numbers(store) == {"1"}
        assert other.wait() == 0
        other.stdout.close()

    def test_foreign_program_has_it(self, tmp_path: Path) -> None:
        import pyoxigraph

        foreign = pyoxigraph.Store(str(tmp_path / "s"))
        with pytest.raises(StoreBusy, match="another program"):
            EmbeddedStore(tmp_path / "s", wait=0.1)
        del foreign
        gc.collect()
        EmbeddedStore(tmp_path / "s", wait=0).close()


class TestDurability:
    def test_one_sync_per_commit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        synced = []
        real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", lambda fd: (synced.append(fd), real(fd)))
        with EmbeddedStore(tmp_path / "s") as store:
            store.update(number(0))
            synced.clear()
            for count in range(50):
                store.update(number(count + 1))
            assert len(synced) == 50

    @pytest.mark.parametrize("torn", [0, 1, 7, 60])
    def test_power_cut_keeps_what_was_synced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: int
    ) -> None:
        """What the disk has: each log up to its last sync, and `torn` bytes of what came after it."""
        known: dict[str, int] = {}
        real = os.fdatasync

        def remember(descriptor: int) -> None:
            real(descriptor)
            known[str(Path(f"/proc/self/fd/{descriptor}").readlink())] = os.fstat(descriptor).st_size

        monkeypatch.setattr(os, "fdatasync", remember)
        store = EmbeddedStore(tmp_path / "s")
        for count in range(60):
            store.update(number(count))
            if count == 30:
                store._inner().flush()
        # Two more that nobody acknowledged: in the log, not on the disk.
        store._inner().update("INSERT DATA { <urn:late> <urn:n> 100 . <urn:late> <urn:m> 100 }")
        store._inner().update("INSERT DATA { <urn:later> <urn:n> 101 . <urn:later> <urn:m> 101 }")
        shutil.copytree(tmp_path / "s", tmp_path / "cut")
        store.close()
        for name, size in durable.log_sizes(tmp_path / "cut").items():
            keep = known.get(str(tmp_path / "s" / name), 0) + torn
            os.truncate(tmp_path / "cut" / name, min(size, keep))
        with EmbeddedStore(tmp_path / "cut") as after:
            found = numbers(after)
            assert found >= {str(count) for count in range(60)}
            for late in found - {str(count) for count in range(60)}:
                assert rows(after, f"SELECT ?s {{ ?s <urn:m> {late} }}"), "a part of an update is there"
            after.update(number(200))
        with EmbeddedStore(tmp_path / "cut") as again:
            assert "200" in numbers(again)

    def test_log_is_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(durable, "FLUSH_ABOVE", 20_000)
        with EmbeddedStore(tmp_path / "s") as store:
            for count in range(200):
                store.update(number(count))
                assert sum(durable.log_sizes(tmp_path / "s").values()) < 40_000


class TestFaults:
    def test_no_store(self, tmp_path: Path) -> None:
        with pytest.raises(StoreFailed) as caught:
            EmbeddedStore(tmp_path / "none", writable=False)
        assert "tinyc registry init" in caught.value.hint
        assert not (tmp_path / "none").exists()

    def test_a_file_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_text("x")
        with pytest.raises(StoreFailed, match="must be a folder"):
            EmbeddedStore(tmp_path / "s")

    @pytest.mark.parametrize("kind", ["MANIFEST", ".sst"])
    def test_damaged(self, tmp_path: Path, kind: str) -> None:
        with EmbeddedStore(tmp_path / "s") as store:
            store.load(SAMPLE, RdfFormat.TURTLE)
        for path in (tmp_path / "s").iterdir():
            if kind in path.name:
                path.write_bytes(b"garbage!" * (path.stat().st_size // 8 + 1))
        with pytest.raises(StoreFailed, match="damaged"), EmbeddedStore(tmp_path / "s") as broken:
            rows(broken, "SELECT * { ?s ?p ?o }")

    def test_disk_full(self, tmp_path: Path) -> None:
        """A limit on the size of files stands for the full disk: writes fail in the same calls."""
        code = (
            "import json, resource, sys; from pathlib import Path\n"
            "from tinyc.errors import TinycError\n"
            "from tinyc.registry.store.embedded import EmbeddedStore\n"
            "store = EmbeddedStore(Path(sys.argv[1]))\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))\n"
            "done = 0\n"
            "try:\n"
            "    while done < 5000:\n"
            "        store.update(f'INSERT DATA {{ <urn:thing:{done}> <urn:n> {done} }}'); done += 1\n"
            "    print('never full')\n"
            "except TinycError as error:\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
            "    print(json.dumps([done, type(error).__name__, str(error)]), flush=True)\n"
            "import os; os._exit(0)\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "s")],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "compiler")},
        )
        assert ran.returncode == 0, ran.stderr
        done, kind, text = json.loads(ran.stdout)
        assert kind == "StoreFailed" and "no room" in text
        assert done > 20
        with EmbeddedStore(tmp_path / "s") as after:
            assert numbers(after) >= {str(count) for count in range(done)}
            after.update(number(9999))

    @pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("mount"), reason="no mount")
    def test_really_full(self, tmp_path: Path) -> None:
        (tmp_path / "small").mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(tmp_path / "small")], capture_output=True
        )
        if mounted.returncode:
            pytest.skip("may not mount a small disk")
        done = 0
        try:
            with pytest.raises(StoreFailed, match="disk is full"):
                for done in range(20_000):
                    with EmbeddedStore(tmp_path / "small" / "s") as store:
                        store.insert(
                            Quad(NamedNode(f"urn:thing:{done}:{n}"), NamedNode("urn:p"), Literal("x" * 90))
                            for n in range(50)
                        )
        finally:
            subprocess.run(["umount", "-l", str(tmp_path / "small")], check=True)
        assert done > 0

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_no_right(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(StoreFailed, match="no right"):
            EmbeddedStore(tmp_path / "s")
