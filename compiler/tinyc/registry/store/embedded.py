"""The embedded store: Oxigraph on disk in a folder, or in memory.

One process writes at a time and holds the lock beside the folder; any number read, without a lock, and see
what was written when their query began. What a power cut leaves: every `update` and `insert` that returned,
whole, and no part of any other. A bulk `load` is not one transaction.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyoxigraph
from pyoxigraph import BlankNode, NamedNode, Quad, QueryBoolean, QuerySolutions, RdfFormat

from tinyc.errors import TinycError
from tinyc.registry.store import durable, faults, locks, syntax
from tinyc.registry.store.base import (
    EVERYTHING,
    NO_LIMITS,
    Answer,
    Limits,
    Rows,
    Scope,
    Triples,
    Truth,
    capped,
)
from tinyc.registry.store.errors import ReadOnly, StoreFailed

if TYPE_CHECKING:
    import rdflib

    from tinyc.registry.store.workers import Workers

T = TypeVar("T")
_TRIES = 5


class EmbeddedStore:
    """`folder` None keeps everything in memory.

    To write, the lock is waited for `wait` seconds; `verb` and `url` are what others that wait are told of
    this process. Raises `StoreBusy`, or `StoreFailed` when the store cannot be opened.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        writable: bool = True,
        wait: float = 10.0,
        verb: str = "tinyc",
        url: str = "",
    ) -> None:
        self.folder = folder
        self.writable = writable or folder is None
        self._where = str(folder) if folder is not None else ""
        self._writing = threading.Lock()
        self._opening = threading.RLock()
        self._reading: weakref.WeakSet[Iterator[object]] = weakref.WeakSet()
        self._lock: locks.WriterLock | None = None
        self._logs: durable.LogSync | None = None
        self._workers: Workers | None = None
        self._version = 0
        self._stamp: object = None
        self._store: pyoxigraph.Store | None = None
        if folder is None:
            self._store = pyoxigraph.Store()
        elif writable:
            self._store = self._open_to_write(folder, wait, verb, url)
            self._logs = durable.LogSync(folder)
        else:
            self._inner()

    def _open_to_write(self, folder: Path, wait: float, verb: str, url: str) -> pyoxigraph.Store:
        with faults.explained(self._where):
            folder.parent.mkdir(parents=True, exist_ok=True)
        lock = locks.WriterLock(folder.with_name(folder.name + ".lock"))
        deadline = time.monotonic() + wait
        lock.acquire(wait=wait, verb=verb, url=url)
        try:
            while True:
                try:
                    with faults.explained(self._where):
                        store = pyoxigraph.Store(str(folder))
                    break
                except StoreFailed as error:
                    # A program that knows nothing of our lock has the store, such as Oxigraph's own server.
                    if "LOCK:" not in error.what or "Permission denied" in error.what:
                        raise
                    if time.monotonic() > deadline:
                        lock.release()
                        raise locks.busy(lock.path, wait) from None
                    time.sleep(0.05)
        except BaseException:
            lock.release()
            raise
        self._lock = lock
        return store

    def _inner(self) -> pyoxigraph.Store:
        """The store to ask: a reader's is opened anew when somebody has written since."""
        if self.folder is None or self.writable:
            if self._store is None:
                raise StoreFailed("the store is closed", where=self._where)
            return self._store
        with self._opening:
            stamp = change_stamp(self.folder)
            if self._store is None or stamp != self._stamp:
                self._store = open_to_read(self.folder)
                self._stamp = stamp
            return self._store

    def query(
        self,
        text: str,
        *,
        limits: Limits = NO_LIMITS,
        prefixes: Mapping[str, str] | None = None,
        scope: Scope = EVERYTHING,
    ) -> Answer:
        inner = self._inner()
        if limits.seconds is not None:
            # Oxigraph cannot stop a query: another process runs it, and is killed.
            return self._pool().query(text, limits, dict(prefixes or {}), scope, self._version)
        return answer(inner, text, dict(prefixes or {}), scope, limits, self._where, self._reading)

    def update(self, text: str, *, prefixes: Mapping[str, str] | None = None) -> None:
        inner = self._to_write()
        with self._writing, faults.explained(self._where):
            try:
                inner.update(text, prefixes=dict(prefixes) if prefixes else None)
            except SyntaxError as error:
                raise syntax.syntax_error(str(error), text, prefixes) from None
        self.sync()

    def insert(self, quads: Iterable[Quad]) -> None:
        inner = self._to_write()
        together = list(quads)
        with self._writing, faults.explained(self._where):
            inner.extend(together)
        self.sync()

    def load(self, path: Path, format: RdfFormat, *, graph: NamedNode | None = None) -> None:
        """Not in one piece: what was read before a syntax error stays. Raises `StoreFailed` with the
        place."""
        inner = self._to_write()
        with self._writing, faults.explained(self._where):
            try:
                inner.bulk_load(path=str(path), format=format, to_graph=graph)
            except SyntaxError as error:
                # Python has put the line and column into the message.
                raise StoreFailed(f"not valid {format.name}: {error.msg}", where=str(path)) from None
        self._version += 1
        if self.folder is not None:
            with faults.explained(self._where):
                inner.flush()

    def about(self, nodes: Iterable[NamedNode | BlankNode]) -> Iterator[Quad]:
        """What is said of these nodes, in every graph; unlike a query this finds blank nodes, too."""
        inner = self._inner()
        with faults.explained(self._where):
            for node in nodes:
                yield from inner.quads_for_pattern(node, None, None, None)

    def referring(self, nodes: Iterable[NamedNode | BlankNode]) -> Iterator[Quad]:
        """Every quad with one of these nodes as its object."""
        inner = self._inner()
        with faults.explained(self._where):
            for node in nodes:
                yield from inner.quads_for_pattern(None, None, node, None)

    @contextmanager
    def copied(self) -> Iterator[pyoxigraph.Store]:
        """The store as it is now, to change without a trace. On disk it shares the files of this one, so that
        it takes some milliseconds however large the store is."""
        inner = self._inner()
        if self.folder is None:
            copy = pyoxigraph.Store()
            copy.extend(inner)
            for graph in inner.named_graphs():
                copy.add_graph(graph)
            yield copy
            return
        with (
            faults.explained(self._where),
            tempfile.TemporaryDirectory(prefix=".copy-", dir=self.folder.parent) as place,
        ):
            inner.backup(str(Path(place) / "store"))
            yield pyoxigraph.Store(str(Path(place) / "store"))

    def optimize(self) -> None:
        """Rearrange the files for reading: after a big load. Takes a minute for 50 million triples."""
        with self._writing, faults.explained(self._where):
            self._to_write().optimize()

    def count(self) -> int:
        with faults.explained(self._where):
            return len(self._inner())

    def sync(self) -> None:
        """Bring every write to the disk; `update` and `insert` have done so."""
        self._version += 1
        if self._logs is None or self._store is None:
            return
        with faults.explained(self._where):
            if self._logs.sync() > durable.FLUSH_ABOVE:
                self._store.flush()

    def as_rdflib(self) -> rdflib.Dataset:
        """The same quads behind rdflib's API; Oxigraph runs its queries and updates.

        Its default graph is the union. Call `commit()` after writing through it: only then a power cut is
        survived.
        """
        from tinyc.registry.store.rdflib_view import embedded_dataset

        return embedded_dataset(self, self._inner())

    def close(self) -> None:
        """Answers that are still being read end. May be called twice."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None
        for reading in list(self._reading):
            reading.close()  # type: ignore[attr-defined]
        store, self._store = self._store, None
        try:
            if store is not None and self.folder is not None and self.writable:
                with faults.explained(self._where):
                    store.flush()
        finally:
            # RocksDB lets go of its files when the last reference is gone.
            del store
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def __enter__(self) -> EmbeddedStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _to_write(self) -> pyoxigraph.Store:
        if not self.writable:
            raise ReadOnly("the store was opened for reading only", where=self._where)
        return self._inner()

    def _pool(self) -> Workers:
        from tinyc.registry.store.workers import Workers

        with self._opening:
            if self._workers is None:
                self._workers = Workers(self.folder, lambda: iter(self._inner()))
            return self._workers


def answer(
    inner: pyoxigraph.Store,
    text: str,
    prefixes: dict[str, str],
    scope: Scope,
    limits: Limits = NO_LIMITS,
    where: str = "",
    reading: weakref.WeakSet[Iterator[object]] | None = None,
) -> Answer:
    """Run a query in this process. What reads the answer is noted in `reading`, so that it can be ended."""
    named, default = list(scope.named), list(scope.default)
    chosen = bool(named or default)
    try:
        with faults.explained(where):
            found = inner.query(
                text,
                prefixes=prefixes or None,
                use_default_graph_as_union=scope.union and not chosen,
                default_graph=default if chosen else None,  # type: ignore[arg-type]
                named_graphs=named if chosen else None,  # type: ignore[arg-type]
            )
    except SyntaxError as error:
        raise syntax.syntax_error(str(error), text, prefixes) from None
    if isinstance(found, QueryBoolean):
        return Truth(bool(found))

    def read(items: Iterator[T]) -> Iterator[T]:
        stream = _reading(capped(items, limits), where)
        if reading is not None:
            reading.add(stream)
        return stream

    if isinstance(found, QuerySolutions):
        names = tuple(variable.value for variable in found.variables)
        return Rows(names, read(tuple(row) for row in found))
    return Triples(read(iter(found)))


def _reading(items: Iterator[T], where: str) -> Iterator[T]:
    with faults.explained(where):
        yield from items


def change_stamp(folder: Path) -> object:
    """Changes when somebody has written to the store, and costs only a look at the folder."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".log") or entry.name.startswith("MANIFEST-"):
                    try:
                        status = entry.stat()
                    except FileNotFoundError:
                        continue
                    found.append((entry.name, status.st_size, status.st_mtime_ns))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise faults.failure(str(error), str(folder)) from error
    return tuple(sorted(found))


def open_to_read(folder: Path) -> pyoxigraph.Store:
    """A view of the store as it is now. A writer may remove files while they are opened: then once more."""
    for attempt in range(_TRIES):
        try:
            with faults.explained(str(folder)):
                return pyoxigraph.Store.read_only(str(folder))
        except TinycError:
            if attempt == _TRIES - 1 or not (folder / "CURRENT").exists():
                raise
            time.sleep(0.02 * (attempt + 1))
    raise AssertionError("unreachable")
