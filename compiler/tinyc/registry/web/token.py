"""The token that lets somebody write: a file that only its owner may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tinyc.errors import TinycError

_SHORTEST = 16


def token_of(path: Path) -> tuple[str, bool]:
    """The token in a file, and whether the file was made now, with a new one.

    Raises TinycError when others may read the file, it holds no token, or cannot be read or made.
    """
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(path), False
        token = secrets.token_urlsafe(32)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
        return token, True
    except OSError as error:
        raise TinycError(f"cannot be read or made: {error.strerror}", where=str(path)) from error


def _read(path: Path) -> str:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise TinycError("others may read the token", where=str(path), hint=f"chmod 600 {path}")
        token = file.read(4096).decode("ascii", "replace").strip()
    if len(token) < _SHORTEST or not token.isprintable() or " " in token:
        raise TinycError(
            "holds no token", where=str(path), allowed=f"one word of {_SHORTEST} characters or more"
        )
    return token
