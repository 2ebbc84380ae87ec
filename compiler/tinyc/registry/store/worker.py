"""A process that runs queries for `workers.py`: `python -m tinyc.registry.store.worker DESCRIPTOR MEMORY
[FOLDER]`.

It reads a folder as it is when each query begins, or keeps the quads that it is sent. It ends when the line
to its parent does, and an alarm of the system ends it soon after the limit even if the parent is gone.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyoxigraph

from tinyc.errors import TinycError
from tinyc.registry.store.base import Answer, Limits, Rows, Scope, Truth
from tinyc.registry.store.embedded import answer, change_stamp, open_to_read
from tinyc.registry.store.workers import CHUNK, NO_MEMORY, is_starved

_GRACE = 2.0
"""Seconds after the limit at which the alarm ends a worker that its parent has not."""


def main() -> None:
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), hard))
    # An abort for lack of memory is expected: it leaves no core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    folder = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    store = pyoxigraph.Store() if folder is None else None
    stamp: object = None
    while True:
        try:
            what, *rest = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        if what == "clear":
            store = pyoxigraph.Store()
            continue
        if what == "quads":
            assert store is not None
            store.extend(rest[0])
            continue
        text, prefixes, scope, limits = rest
        try:
            if folder is not None:
                now = change_stamp(folder)
                if store is None or now != stamp:
                    store, stamp = open_to_read(folder), now
            assert store is not None
            _run(connection, store, text, prefixes, scope, limits)
        except (BrokenPipeError, ConnectionResetError):
            return


def _run(
    connection: Connection[Any, Any],
    store: pyoxigraph.Store,
    text: str,
    prefixes: dict[str, str],
    scope: Scope,
    limits: Limits,
) -> None:
    left = (limits.seconds or 0.0) + _GRACE
    signal.setitimer(signal.ITIMER_REAL, left)
    try:
        found = answer(store, text, prefixes, scope)
    except TinycError as error:
        _require_memory(error)
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.send(("error", _plain(error)))
        return
    if isinstance(found, Truth):
        connection.send(("truth", found.value))
    else:
        connection.send(("rows", found.variables) if isinstance(found, Rows) else ("triples", None))
        _send(connection, found, limits)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _send(connection: Connection[Any, Any], found: Answer, limits: Limits) -> None:
    assert not isinstance(found, Truth)
    items: Iterator[Any] = found.rows if isinstance(found, Rows) else found.triples
    allowed = items if limits.rows is None else islice(items, limits.rows)
    try:
        while chunk := list(islice(allowed, CHUNK)):
            # A reader that takes its time must not set off the alarm.
            left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
            connection.send(("items", chunk))
            signal.setitimer(signal.ITIMER_REAL, left)
        more = limits.rows is not None and next(items, None) is not None
    except TinycError as error:
        _require_memory(error)
        connection.send(("error", _plain(error)))
        return
    connection.send(("more" if more else "end", None))


def _require_memory(error: TinycError) -> None:
    """A store that cannot be read for want of memory is not a damaged one. Raises MemoryError."""
    if is_starved(error.what):
        raise MemoryError from error


def _plain(error: TinycError) -> TinycError:
    """The error without what cannot be sent."""
    error.__cause__ = error.__context__ = None
    return error


if __name__ == "__main__":
    try:
        main()
    except MemoryError:
        # At once: what Python does at its end may need memory, or wait for a thread that has none.
        os._exit(NO_MEMORY)
