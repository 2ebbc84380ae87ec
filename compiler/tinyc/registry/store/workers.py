"""Queries with a limit of time: other processes run them and are killed when the time is over.

A worker is kept for the next query. One of a store in memory gets the quads of that store once per change.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pyoxigraph import Quad

import tinyc
from tinyc.errors import TinycError
from tinyc.registry.store.base import Answer, Limits, Rows, Scope, Triples, Truth, too_many_rows, too_slow
from tinyc.registry.store.errors import LimitReached, StoreFailed

IDLE = 2
"""Workers that are kept between queries."""
MEMORY = 6 * 1024**3
"""Bytes of address space of a worker: a query that sorts or joins without end must not take the machine."""
NO_MEMORY = 12
"""Exit code of a worker that ran out of memory and could still say so."""
_STARVED = ("memory allocation of", "bad_alloc", "cannot allocate memory", "resource temporarily unavailable")
"""What Rust, C++, the C library and RocksDB say without memory, in lower case."""
_TAIL = 4096
CHUNK = 500
"""Rows in one message, and quads when a store in memory is sent."""


def is_starved(said: str) -> bool:
    """Whether a message is that of a program without memory."""
    return any(sign in said.lower() for sign in _STARVED)


class Workers:
    """The workers of one store: `folder`, or `quads` of a store in memory."""

    def __init__(
        self, folder: Path | None, quads: Callable[[], Iterator[Quad]], *, memory: int = MEMORY
    ) -> None:
        self._folder = folder
        self._memory = memory
        self._quads = quads
        self._idle: list[_Worker] = []
        self._guard = threading.Lock()
        self._closed = False

    def query(
        self, text: str, limits: Limits, prefixes: dict[str, str], scope: Scope, version: int
    ) -> Answer:
        assert limits.seconds is not None
        worker = self._take()
        try:
            if self._folder is None:
                worker.follow(version, self._quads)
            run = _Run(self, worker, limits.seconds)
            worker.connection.send(("query", text, prefixes, scope, limits))
            kind, value = run.receive()
        except (BrokenPipeError, EOFError, ConnectionResetError):
            raise worker.ended(limits.seconds) from None
        except BaseException:
            worker.kill()
            raise
        if kind == "error":
            self.give_back(worker)
            raise value
        if kind == "truth":
            self.give_back(worker)
            return Truth(value)
        if kind == "rows":
            return Rows(value, run.items(limits))
        return Triples(run.items(limits))

    def _take(self) -> _Worker:
        with self._guard:
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    return worker
                worker.kill()
        return _Worker(self._folder, self._memory)

    def give_back(self, worker: _Worker) -> None:
        with self._guard:
            if len(self._idle) < IDLE and not self._closed:
                self._idle.append(worker)
                return
        worker.kill()

    def close(self) -> None:
        with self._guard:
            self._closed = True
            for worker in self._idle:
                worker.kill()
            self._idle.clear()


class _Worker:
    """One process and the line to it."""

    def __init__(self, folder: Path | None, memory: int) -> None:
        # A pair of sockets: it carries both ways and, unlike a pipe, one descriptor does.
        ours, theirs = socket.socketpair()
        package = str(Path(tinyc.__file__).resolve().parent.parent)
        path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
        # What a library says when it gives up; a user has no use for it before that.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `kill`
        with theirs:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tinyc.registry.store.worker",
                    str(theirs.fileno()),
                    str(memory),
                    *([] if folder is None else [str(folder)]),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=self._said,
                # Without memory Rust cannot make the backtrace that it may have been asked for.
                env={**os.environ, "PYTHONPATH": path, "RUST_BACKTRACE": "0"},
                start_new_session=True,
            )
        self.connection: Connection[Any, Any] = Connection(ours.detach())
        self._version = -1
        self._memory = memory

    def follow(self, version: int, quads: Callable[[], Iterator[Quad]]) -> None:
        """Send a store in memory, unless the worker has this version of it."""
        if self._version == version:
            return
        self.connection.send(("clear",))
        items = quads()
        while chunk := list(islice(items, CHUNK)):
            self.connection.send(("quads", chunk))
        self._version = version

    def ended(self, seconds: float) -> TinycError:
        """Why the process is gone, which had so many `seconds`: by its end, and by what it said.

        Without memory Rust and C++ abort, a stack that cannot grow is a fault, the C library exits, Python
        raises; and the system kills who takes most when the machine itself has none left.
        """
        code = self.process.wait()
        self._said.seek(max(self._said.seek(0, os.SEEK_END) - _TAIL, 0))
        said = self._said.read().decode(errors="replace").strip()
        self.kill()
        if code == -signal.SIGALRM:
            return too_slow(seconds)
        if code == -signal.SIGKILL:
            return _too_much("the system has ended the query: the machine has no memory left")
        needs = f"the query needs more than {self._memory / 1024**3:g} GiB of memory"
        if code in (-signal.SIGSEGV, -signal.SIGBUS):
            return _too_much(f"{needs}, or is nested too deeply")
        if code in (-signal.SIGABRT, NO_MEMORY) or is_starved(said):
            return _too_much(needs)
        last = said.rpartition("\n")[2]
        return StoreFailed(f"the process of the query ended unexpectedly ({code}){last and f': {last}'}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self._said.close()


def _too_much(what: str) -> LimitReached:
    return LimitReached(
        what, limit="memory", hint="ask for less at once, such as without ORDER BY or DISTINCT"
    )


class _Run:
    """One query: what comes back, and the time that is left. Only waiting counts, not the reader's own
    time."""

    def __init__(self, pool: Workers, worker: _Worker, seconds: float) -> None:
        self._pool = pool
        self._worker = worker
        self._seconds = seconds
        self._left = seconds

    def receive(self) -> tuple[str, Any]:
        started = time.monotonic()
        if not self._worker.connection.poll(max(self._left, 0)):
            raise too_slow(self._seconds)
        message: tuple[str, Any] = self._worker.connection.recv()
        self._left -= time.monotonic() - started
        return message

    def items(self, limits: Limits) -> Iterator[Any]:
        """The rows or triples. The worker is killed when the reader stops before the end."""
        whole = False
        try:
            while True:
                kind, value = self.receive()
                if kind == "end":
                    whole = True
                    return
                if kind == "more":
                    whole = True
                    assert limits.rows is not None
                    raise too_many_rows(limits.rows)
                if kind == "error":
                    whole = True
                    raise value
                yield from value
        except (EOFError, ConnectionResetError):
            raise self._worker.ended(self._seconds) from None
        finally:
            if whole:
                self._pool.give_back(self._worker)
            else:
                self._worker.kill()
