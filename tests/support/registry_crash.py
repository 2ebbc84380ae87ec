"""Writers that are killed: what they were told is kept must be there afterwards, and nothing by halves.

    python -m support.registry_crash --seconds 60 --writers 16

Each writer is a process that opens the store again and again, writes deployments, each a request of one
update, and notes each in a log of its own once the update has returned. Random ones are killed with SIGKILL
and started anew. At the end the store must open, hold everything that was noted, and hold each deployment
whole.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from support.paths import ROOT
from tinyc.registry.store.base import Rows
from tinyc.registry.store.embedded import EmbeddedStore

NS = "urn:tinyc:ns#"
PROPERTIES = 6
"""Triples of one deployment; fewer would be a part of one."""
_BATCH = 8
"""Deployments that a writer makes before it lets go of the store."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to. `lost` and `partial` must be empty."""

    acknowledged: int
    kept: int
    kills: int
    lost: tuple[str, ...]
    partial: tuple[str, ...]


def deployment(writer: int, number: int) -> str:
    """One update: a deployment with all its properties, and its device's current one replaced."""
    iri, device = f"<urn:tinyc:deployment:{writer}-{number}>", f"<urn:tinyc:device:crash:{writer}>"
    return (
        f"DELETE {{ {device} <{NS}currentDeployment> ?old }} "
        f"INSERT {{ {device} <{NS}currentDeployment> {iri} . "
        f"{iri} a <{NS}Deployment> ; <{NS}device> {device} ; <{NS}firmware> <urn:tinyc:firmware:{number}> ; "
        f'<{NS}method> "test" ; <{NS}verified> true ; <{NS}number> {number} }} '
        f"WHERE {{ OPTIONAL {{ {device} <{NS}currentDeployment> ?old }} }}"
    )


def write(folder: Path, writer: int, log: Path) -> None:
    """Write until killed. The numbers go on where the log ends, and leave out what may have been half
    told."""
    number = 1_000_000 * (1 + len(log.read_text().splitlines()) if log.exists() else 1) + os.getpid()
    with log.open("a", buffering=1) as out:
        while True:
            with EmbeddedStore(folder, wait=600, verb=f"writer {writer}") as store:
                for _ in range(_BATCH):
                    number += 1
                    store.update(deployment(writer, number))
                    out.write(f"{writer}-{number}\n")


def run(folder: Path, *, seconds: float, writers: int, seed: int = 1) -> Report:
    """Let writers write and be killed, then look."""
    chance = random.Random(seed)
    store, logs = folder / "store", [folder / f"log-{writer}" for writer in range(writers)]
    EmbeddedStore(store).close()

    def start(writer: int) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "support.registry_crash",
            "--write",
            str(store),
            str(writer),
            str(logs[writer]),
        ]
        paths = os.pathsep.join([str(ROOT / "compiler"), str(ROOT / "tests")])
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})

    processes = [start(writer) for writer in range(writers)]
    kills = 0
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(chance.uniform(0.05, 0.4))
            # Mostly the one that is writing just now: the others only wait.
            victim = _holder(store, processes) if chance.random() < 0.7 else chance.randrange(writers)
            if processes[victim].poll() not in (None, -signal.SIGKILL):
                raise AssertionError(f"a writer ended by itself with {processes[victim].returncode}")
            processes[victim].kill()
            processes[victim].wait()
            kills += 1
            processes[victim] = start(victim)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return look(store, logs, kills)


def _holder(store: Path, processes: list[subprocess.Popen[bytes]]) -> int:
    try:
        pid = json.loads(store.with_name(store.name + ".lock").read_text() or "{}").get("pid")
    except (OSError, ValueError):
        pid = None
    return next((place for place, process in enumerate(processes) if process.pid == pid), 0)


def look(store: Path, logs: list[Path], kills: int) -> Report:
    """What is there, beside what was told. A last line that is cut off was not told."""
    told = {line for log in logs if log.exists() for line in log.read_text().split("\n")[:-1]}
    with EmbeddedStore(store, wait=10) as opened:
        answer = opened.query(f"SELECT ?d (COUNT(*) AS ?n) {{ ?d <{NS}device> ?x ; ?p ?o }} GROUP BY ?d")
        assert isinstance(answer, Rows)
        counts = {row[0].value.rpartition(":")[2]: int(row[1].value) for row in answer.rows}  # type: ignore[union-attr]
        currents = opened.query(
            f"SELECT ?x (COUNT(?c) AS ?n) {{ ?x <{NS}currentDeployment> ?c }} GROUP BY ?x"
        )
        assert isinstance(currents, Rows)
        twice = [str(row[0]) for row in currents.rows if row[1].value != "1"]  # type: ignore[union-attr]
        opened.update(deployment(999, 1))
    partial = [name for name, count in counts.items() if count != PROPERTIES] + twice
    return Report(len(told), len(counts), kills, tuple(sorted(told - counts.keys())), tuple(sorted(partial)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", nargs=3, metavar=("STORE", "WRITER", "LOG"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(Path(options.write[0]), int(options.write[1]), Path(options.write[2]))
    with tempfile.TemporaryDirectory(prefix="tinyc-crash-") as folder:
        report = run(Path(folder), seconds=options.seconds, writers=options.writers, seed=options.seed)
    print(
        f"{options.writers} writers, {options.seconds:g} s: {report.kills} killed, {report.acknowledged} "
        f"deployments acknowledged, {report.kept} there, {len(report.lost)} lost, "
        f"{len(report.partial)} partial"
    )
    return 1 if report.lost or report.partial else 0


if __name__ == "__main__":
    sys.exit(main())
