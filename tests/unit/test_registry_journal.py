"""The journal: nothing is lost while the registry is away, and nothing is told twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.registry_facts import BOARD, CHIP, KNOWN, at, board, deployment, firmware, model
from tinyc.errors import TinycError
from tinyc.registry import names, reading
from tinyc.registry.facts import DeviceFact, Fact, SiteFact
from tinyc.registry.journal import FILE, REFUSED, Journal, waiting_under
from tinyc.registry.location import Location
from tinyc.registry.pages import device_page
from tinyc.registry.recorder import record
from tinyc.registry.registry import Registry

pytestmark = pytest.mark.unit


def path_of(folder: Path) -> Path:
    return folder / ".tinyc" / FILE


class Down:
    """A registry that takes so many facts and is then away."""

    def __init__(self, facts: int) -> None:
        self.taken: list[tuple[Fact, bool]] = []
        self._left = facts

    def write(self, fact: Fact, live: bool) -> None:
        if self._left == 0:
            raise TinycError("the endpoint does not answer")
        self._left -= 1
        self.taken.append((fact, live))


def test_facts_wait_in_order_and_leave_once_taken(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    old = journal.append([SiteFact("a"), SiteFact("b")])
    new = journal.append([SiteFact("c")])
    assert len({*old, *new}) == 3
    assert [fact.key for fact in journal.facts()] == [SiteFact(name).key for name in "abc"]
    down = Down(2)
    done = journal.replay(down.write, own=new)
    assert (done.written, done.left, done.refused) == (2, 1, ())
    assert done.failure is not None and "does not answer" in done.failure.what
    assert journal.facts() == (SiteFact("c"),)
    up = Down(9)
    assert journal.replay(up.write, own=new).left == 0
    assert (down.taken, up.taken) == (
        [(SiteFact("a"), False), (SiteFact("b"), False)],
        [(SiteFact("c"), True)],
    )
    assert not path_of(tmp_path).exists()
    assert journal.replay(up.write).written == 0


def test_a_torn_last_line_is_no_fact_and_spoils_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([SiteFact("a")])
    whole = path_of(tmp_path).read_bytes()
    journal.append([SiteFact("b")])
    both = path_of(tmp_path).read_bytes()
    for end in range(len(whole), len(both)):
        path_of(tmp_path).write_bytes(both[:end])
        assert journal.facts() == (SiteFact("a"),)
        if end % 20 == 0:
            journal.append([SiteFact("c")])
            assert list(journal.facts()) == [SiteFact("a"), SiteFact("c")]
    up = Down(9)
    done = journal.replay(up.write)
    assert (done.written, done.refused, done.left) == (1, (), 0)


def test_lines_that_are_no_facts_are_kept_aside_and_hold_nothing_up(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([SiteFact("a")])
    lines = [b"nonsense", b"[]", b'{"format": 2}', b"\xff\xfe", b'{"format":1,"id":"x","fact":{"kind":"?"}}']
    with path_of(tmp_path).open("ab") as stream:
        stream.write(b"\n".join(lines) + b"\n")
    journal.append([SiteFact("b")])
    up = Down(9)
    done = journal.replay(up.write)
    assert [fact for fact, _ in up.taken] == [SiteFact("a"), SiteFact("b")]
    assert len(done.refused) == len(lines)
    aside = (tmp_path / ".tinyc" / REFUSED).read_text().splitlines()
    assert [json.loads(line)["line"] for line in aside] == [line.decode("utf-8", "replace") for line in lines]


def test_what_the_shapes_refuse_is_kept_aside(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([DeviceFact("no_such_board", CHIP), board(), DeviceFact(BOARD, CHIP)])
    with Registry.create(Location(folder=tmp_path / "registry")) as registry:
        done = journal.replay(lambda fact, live: registry.apply(fact, live=live))
        assert (done.written, done.left, len(done.refused)) == (2, 0, 1)
        assert reading.ask(registry.store, f"{names.device(BOARD, CHIP)} a <urn:tinyc:ns#Device>")
    told = json.loads((tmp_path / ".tinyc" / REFUSED).read_text())
    assert "no known board" in told["why"] and "no_such_board" in told["line"]


def test_the_size_is_bounded_and_the_newest_stay(tmp_path: Path) -> None:
    journal = Journal(tmp_path, limit=12_000)
    for hours in range(200):
        # A build is told anew each time and counts once; deployments are all different.
        journal.append([model(), deployment(hours)])
        assert path_of(tmp_path).stat().st_size <= 12_000
    facts = journal.facts()
    assert facts[-1] == deployment(199)
    assert model() in facts
    kept = [fact.at for fact in facts if fact.kind == "deployment"]  # type: ignore[attr-defined]
    assert kept == sorted(kept) and len(kept) > 10
    journal.append([SiteFact("x" * 30_000)])
    assert journal.facts()[-1] == SiteFact("x" * 30_000)


def _append_many(folder: Path, writer: int, count: int) -> None:
    for number in range(count):
        Journal(folder).append([SiteFact(f"{writer} {number}")])


def test_concurrent_writers_and_replays_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append_many, args=(tmp_path, writer, 25)) for writer in range(4)]
    for process in writers:
        process.start()
    taken: list[Fact] = []
    journal = Journal(tmp_path)
    while any(process.is_alive() for process in writers):
        journal.replay(lambda fact, live: taken.append(fact))
        time.sleep(0.005)
    for process in writers:
        process.join()
        assert process.exitcode == 0
    journal.replay(lambda fact, live: taken.append(fact))
    assert sorted(fact.key for fact in taken) == sorted(
        SiteFact(f"{writer} {number}").key for writer in range(4) for number in range(25)
    )


def test_a_writer_that_is_killed_loses_nothing_it_was_told_is_kept(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tinyc.registry.journal import Journal; "
        "from tinyc.registry.facts import SiteFact; journal = Journal(Path(sys.argv[1]))\n"
        "for number in range(10**6):\n"
        "    journal.append([SiteFact(str(number))]); print(number, flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(30)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().splitlines()
    process.stdout.close()
    process.wait()
    kept = [fact.key for fact in Journal(tmp_path).facts()]
    assert kept[: len(acknowledged)] == [SiteFact(text.strip()).key for text in acknowledged]
    assert len(kept) <= len(acknowledged) + 1


def test_journals_below_a_folder_are_found(tmp_path: Path) -> None:
    for name in ("build/nrf52840", "other/build/xiao", "."):
        Journal(tmp_path / name).append([SiteFact("x")])
    Journal(tmp_path / "a/b/c/d/e/f").append([SiteFact("too deep")])
    found = [
        journal.path.parent.parent.relative_to(tmp_path).as_posix() for journal in waiting_under(tmp_path)
    ]
    assert found == [".", "build/nrf52840", "other/build/xiao"]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build folder below a project without a registry, the working directory."""
    monkeypatch.delenv("TINYC_REGISTRY")
    folder = tmp_path / "project" / "build" / "nrf52840"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return folder


def configure(build: Path, at_: str) -> None:
    (build.parent.parent / "tinyc.toml").write_text(f"[registry]\nat = {json.dumps(at_)}\n", encoding="utf-8")


def test_offline_first_then_everything_at_once(build: Path) -> None:
    builds = (board(), model(), firmware())
    assert record(build, [*builds, deployment(1)]).notes == ()
    assert record(build, [*builds, deployment(2)]).notes == ()
    assert len(Journal(build).facts()) == 8
    configure(build, "registry")
    done = record(build, [deployment(3)])
    assert (done.notes, done.registry is not None) == ((), True)
    assert not path_of(build).exists()
    with Registry.open(Location(folder=build.parent.parent / "registry"), writable=False) as registry:
        page = device_page(registry.store, names.device(BOARD, CHIP))
    assert [row.at for row in page.deployments] == [f"2026-10-01T{9 + hour}:00:00Z" for hour in (3, 2, 1)]
    assert [row.current for row in page.deployments] == [True, False, False]


def test_off_writes_nothing_at_all(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(build, "registry")
    monkeypatch.setenv("TINYC_REGISTRY", "off")
    assert record(build, [SiteFact("x")]).notes == ()
    assert list(build.iterdir()) == []
    assert not (build.parent.parent / "registry").exists()


@pytest.mark.parametrize("where", ["file", "http://127.0.0.1:9/query", "broken"])
def test_a_registry_that_cannot_be_written_is_said_and_the_journal_keeps_it(build: Path, where: str) -> None:
    project = build.parent.parent
    (project / "file").write_text("not a folder")
    configure(build, where)
    if where == "broken":
        (project / "tinyc.toml").write_text("[registry\n")
    done = record(build, [SiteFact("x")])
    (note,) = done.notes
    assert "the journal keeps it" in note
    assert done.registry is None
    assert Journal(build).facts() == (SiteFact("x"),)
    configure(build, "registry")
    assert record(build, []).notes == ()
    assert Journal(build).facts() == ()


def test_a_busy_registry_is_said_and_caught_up_with(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyc.registry import recorder

    monkeypatch.setattr(recorder, "WAIT", 0.2)
    configure(build, "registry")
    with Registry.create(Location(folder=build.parent.parent / "registry")):
        (note,) = record(build, [SiteFact("x")]).notes
        assert "writing the registry" in note
    assert record(build, [SiteFact("y")]).notes == ()
    with Registry.open(Location(folder=build.parent.parent / "registry"), writable=False) as registry:
        assert reading.ask(registry.store, f"{names.site('x')} a ?k . {names.site('y')} a ?k")


@pytest.mark.parametrize("trouble", ["no file", "no folder"])
def test_without_a_journal_the_registry_is_still_told(build: Path, trouble: str) -> None:
    if trouble == "no file":
        path_of(build).mkdir(parents=True)
    else:
        (build / ".tinyc").write_text("in the way")
    (note,) = record(build, [SiteFact("x")]).notes
    assert "journal cannot be written" in note
    configure(build, "registry")
    done = record(build, [SiteFact("y")])
    assert done.registry is not None and len(done.notes) == 1
    with Registry.open(Location(folder=build.parent.parent / "registry"), writable=False) as registry:
        assert reading.ask(registry.store, "$site a tinyc:Site", site=names.site("y"))
    configure(build, "http://127.0.0.1:9/query")
    first, second = record(build, [SiteFact("z")]).notes
    assert "journal cannot be written" in first and "nothing keeps this entry" in second


def _record_many(build: Path, writer: int, count: int) -> None:
    os.environ.pop("TINYC_REGISTRY", None)
    for number in range(count):
        fact = deployment(number + writer / 10, KNOWN, chip=f"{writer:x}")
        done = record(build, [fact] if number else [board(), model(), firmware(), fact])
        assert done.notes == (), done.notes


def test_concurrent_builds_of_one_registry_lose_nothing(build: Path) -> None:
    """Each build folder has its own journal, the registry is one; whoever comes first makes it."""
    configure(build, "registry")
    context = multiprocessing.get_context("spawn")
    folders = [build.parent / f"board{writer}" for writer in range(4)]
    writers = [
        context.Process(target=_record_many, args=(folder, writer, 4))
        for writer, folder in enumerate(folders)
    ]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
        assert process.exitcode == 0
    with Registry.open(Location(folder=build.parent.parent / "registry"), writable=False) as registry:
        for writer in range(4):
            page = device_page(registry.store, names.device(BOARD, f"{writer:x}"))
            assert len(page.deployments) == 4
            assert page.deployments[0].current
            assert page.first_seen == at(writer / 10).isoformat().replace("+00:00", "Z")


def test_a_full_disk_is_said_and_nothing_is_half_written(build: Path) -> None:
    """A process whose files may not grow: the journal and the registry fail, the build does not."""
    configure(build, "registry")
    assert record(build, [SiteFact("before")]).notes == ()
    code = (
        "import resource, sys; from pathlib import Path; from tinyc.registry import recorder; "
        "from tinyc.registry.facts import SiteFact; recorder.WAIT = 0.2\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))\n"
        "print(*recorder.record(Path(sys.argv[1]), [SiteFact('full')]).notes, sep='\\n')"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(build)], capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 0, said.stderr
    first, second = said.stdout.splitlines()[:2]
    assert "journal cannot be written" in first and "cannot be written now" in second
    assert record(build, [SiteFact("after")]).notes == ()
    with Registry.open(Location(folder=build.parent.parent / "registry"), writable=False) as registry:
        there = [reading.ask(registry.store, "$s a ?k", s=names.site(name)) for name in ("before", "after")]
    assert there == [True, True]
