"""Errors of pyoxigraph and RocksDB, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tinyc.errors import TinycError
from tinyc.registry.store.errors import StoreFailed

# What RocksDB writes, which keeps no errno: part of its message, what it means, what to do.
_MEANINGS = (
    ("No space left", "the disk is full", "make room; nothing that was acknowledged is lost"),
    ("File too large", "no room: a file may not grow further", "raise the limit on the size of files"),
    ("Disk quota exceeded", "the disk quota is used up", "make room; nothing that was acknowledged is lost"),
    ("Permission denied", "no right to read or write the store", "check who owns the folder"),
    ("Read-only file system", "the store is on a disk that is mounted read-only", ""),
    ("Corruption", "the store is damaged", "restore a backup, or export what can be read and import it anew"),
    ("storage version", "the store was written by a newer version", "update tinyc and pyoxigraph"),
    ("Column family not found", "the store was written by another version", "update tinyc and pyoxigraph"),
    ("CURRENT: No such file", "there is no store", "make one with `tinyc registry init`"),
    ("The graph <", "there is no such graph", "SILENT passes over it"),
    ("does not exist", "there is no store", "make one with `tinyc registry init`"),
    ("Not a directory", "the store must be a folder, and this is a file", ""),
    ("is not a directory", "the store must be a folder, and this is a file", ""),
    ("missing", "a file of the store is missing", "restore a backup"),
)


@contextmanager
def explained(where: str = "") -> Iterator[None]:
    """What the store cannot do becomes a `StoreFailed`; errors of the text of a query pass."""
    try:
        yield
    except (TinycError, SyntaxError):
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise failure(str(error), where) from error


def failure(message: str, where: str = "") -> StoreFailed:
    """The `StoreFailed` for what RocksDB or Oxigraph said."""
    for sign, meaning, hint in _MEANINGS:
        if sign in message:
            return StoreFailed(f"{meaning} ({message})", where=where, hint=hint)
    return StoreFailed(message, where=where)
